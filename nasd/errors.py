"""The errors that reach a person: one sentence saying what, where, and what to do.

Exit codes: 1 something failed, 2 wrong usage (click's own), 3 a bad config, 4 the run is owned by another daemon,
5 no daemon answers, 6 a data set is missing, or another one, 7 the run is gone.
"""


class NasdError(Exception):
    """Base class. `str(error)` is the whole message; the command line prints it without a traceback."""

    exit_code = 1


class ConfigError(NasdError):
    """A configuration that cannot be used. The message lists every fault, one a line."""

    exit_code = 3


class RunLockedError(NasdError):
    """The run is owned by another daemon."""

    exit_code = 4


class NotRunningError(NasdError):
    """No daemon answers for this run."""

    exit_code = 5


class DataChangedError(NasdError):
    """A data set is not the one that a run, an embedding or weights were made with; the message says what changed."""

    exit_code = 6


class DataMissingError(NasdError):
    """A data set is not on this machine and cannot be downloaded; the message names the folder to fill."""

    exit_code = 6


class RunGoneError(NasdError):
    """A run that a service is to serve was removed or moved."""

    exit_code = 7
