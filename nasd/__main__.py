"""`python -m nasd`."""

from nasd.cli import main

main()
