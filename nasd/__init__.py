"""nasd: a daemon that runs neural architecture searches for days, crash-safe.

Importing this package is cheap on purpose: every client starts with it.
"""

__version__ = "0.1.0"
