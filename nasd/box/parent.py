"""Ending with the process that started this one."""

import ctypes
import os
import signal


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; a Ctrl-C in a terminal is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between
        os._exit(0)
