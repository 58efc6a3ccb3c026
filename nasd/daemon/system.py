"""What the system and the daemon tell each other: signals, and systemd's notifications."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable


def on_signals(stop: Callable[[], None]) -> None:
    """Have `stop` called where somebody ends the daemon, or its terminal is gone."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` says not to mind
        loop.add_signal_handler(signal.SIGHUP, stop)


def tell_systemd(state: str) -> None:
    """Tell systemd, if it started us (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.connect("\0" + address[1:] if address.startswith("@") else address)
            connection.sendall(state.encode())
