"""Commands that carry the protocol: the terminal UI, and the bridge it uses through SSH."""

import contextlib
import os
import selectors
import socket
import sys
from pathlib import Path

import click

from nasd import paths
from nasd.cli.options import run_argument
from nasd.client import Client, Target, ssh
from nasd.errors import NotRunningError


@click.command("attach")
@run_argument
def attach_command(run: str | None) -> None:
    """Open the terminal UI on a run here, or on user@host:RUN through SSH, whether a daemon runs it or not.

    Without RUN, with several runs or none, and for user@host, it begins with the list of all runs.
    """
    target = _target(run)
    if target.host is not None and os.isatty(0):  # what ssh has to ask, it asks before the UI has the terminal
        Client.connect(target, files=True).close()
    import tui  # noqa: PLC0415 - textual, a quarter of a second

    sys.exit(tui.run(target))


def _target(run: str | None) -> Target:
    if run is None and len(paths.runs()) != 1:
        return Target(home=True)
    if run is not None and "@" in run and not Target.is_remote(run) and "/" not in run:
        return Target(host=run, home=True)
    return Target.parse(run)


@click.command("stdio")
@run_argument
@click.option("--files", is_flag=True, help="Where no daemon runs, answer from the run's files.")
@click.option("--home", is_flag=True, help="Tell of all runs.")
def stdio_command(run: str | None, files: bool, home: bool) -> None:
    """Carry the protocol over standard input and output; `nasd attach user@host:RUN` runs this through SSH."""
    if home:
        _serve_home()
        return
    target = Target(directory=paths.find_run(run))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(target.socket))
    except OSError as error:
        if files:
            _serve_files(target)
            return
        raise NotRunningError(f"no daemon runs {target}: start it with `nasd start` over there") from error
    _write(ssh.MARKER)
    with connection, selectors.SelectSelector() as selector, contextlib.suppress(ConnectionError):
        selector.register(0, selectors.EVENT_READ)
        selector.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj == 0:
                    data = os.read(0, 65536)
                    if not data:
                        return
                    connection.sendall(data)
                else:
                    data = connection.recv(65536)
                    if not data:
                        return
                    _write(data)


def _serve_files(target: Target) -> None:
    import asyncio  # noqa: PLC0415 - the bridge needs none of it

    assert target.directory is not None
    _write(ssh.MARKER)
    asyncio.run(_reading(target.directory))


async def _reading(directory: Path) -> None:
    from nasd.daemon import reader  # noqa: PLC0415

    await reader.serve(reader.Reader(directory).serve)


def _serve_home() -> None:
    import asyncio  # noqa: PLC0415

    from nasd.daemon import home, reader  # noqa: PLC0415

    _write(ssh.MARKER)
    asyncio.run(reader.serve(home.made(paths.home())))


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]
