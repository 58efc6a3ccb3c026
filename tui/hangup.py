"""The end of the terminal, also where its signal does not come: under `nohup`, or in nobody's session."""

import os
import select
import signal
import sys

AGAIN = 2.0  # seconds between two looks


def end_if_hung_up() -> None:
    """End as by the signal, if nobody holds the other end of the terminal any more: Textual would read for ever."""
    terminal = select.poll()
    terminal.register(sys.__stdin__ or 0, 0)  # a hang-up is told unasked
    if any(event & (select.POLLHUP | select.POLLERR) for _, event in terminal.poll(0)):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGHUP)
