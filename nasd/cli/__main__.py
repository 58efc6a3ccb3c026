"""`python -m nasd.cli`."""

from nasd.cli import main

main()
