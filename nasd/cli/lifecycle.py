"""Commands that start, end and pause a run."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import click

from nasd import paths, protocol
from nasd.box.logout import KILLS_AT_LOGOUT, kills_at_logout
from nasd.cli.options import name_option, run_argument, set_option
from nasd.cli.output import Spinner
from nasd.client import Client, Target
from nasd.errors import ConfigError, NasdError, NotRunningError, RunLockedError

START_TIME = 60.0  # seconds until a daemon's socket answers
WORKER_TIME = 60.0  # seconds that `start` waits for a worker


@click.command("start")
@click.argument("what", metavar="CONFIG|RUN", required=False)
@name_option
@set_option
@click.option("--no-wait", is_flag=True, help="Do not wait until the first worker is set up.")
def start_command(what: str | None, name: str | None, overrides: tuple[str, ...], no_wait: bool) -> None:
    """Start a run's daemon in the background; a run that was stopped or killed goes on.

    With a config (a YAML file) the run is made first, unless there already is one of that name. Waits up to a minute
    until a worker is set up; where none can be, says why, and nothing is left running.
    """
    directory = _find_or_create(what, name, overrides)
    if _answers(directory):
        raise RunLockedError(f"{directory.name} is running already; look at it with `nasd attach {directory.name}`")
    _require_same_data(directory)
    pid = _spawn(directory)
    how = "" if no_wait else _wait_for_worker(directory)
    click.echo(f"{directory.name} is running{how} (process {pid}) in {directory}")
    click.echo(f"  watch it   nasd attach {directory.name}")
    click.echo(f"  end it     nasd stop {directory.name}   (nasd start {directory.name} goes on)")
    if kills_at_logout():
        click.echo(click.style(f"  note       {KILLS_AT_LOGOUT}", fg="yellow"))


@click.command("run")
@click.argument("what", metavar="CONFIG|RUN", required=False)
@name_option
@set_option
@click.option("--stay", is_flag=True, help="Go on serving clients and jobs when the search is finished.")
def run_command(what: str | None, name: str | None, overrides: tuple[str, ...], stay: bool) -> None:
    """Run in the foreground with progress on the terminal; Ctrl-C stops cleanly.

    The same run as with `nasd start`: either goes on where the other was stopped.
    """
    directory = _find_or_create(what, name, overrides)
    _require_same_data(directory)
    from nasd.cli.progress import Display  # noqa: PLC0415
    from nasd.daemon.daemon import Daemon  # noqa: PLC0415

    async def serve() -> int:
        with Display(directory) as progress:
            daemon = Daemon(directory, listener=progress.hear, exit_when_finished=not stay)
            progress.begin(daemon.status())
            code = await daemon.serve()
            progress.end(daemon.last_status)
            return code

    sys.exit(asyncio.run(serve()))


@click.command("stop")
@run_argument
def stop_command(run: str | None) -> None:
    """Stop a run's daemon. Finished trials are on disk; the one under way is done again at the next start."""
    target = Target.parse(run)
    with Client.connect(target) as client:
        pid = client.hello.pid
        done: protocol.Done = client.call("stop")
        for _ in client.events():  # until the daemon closes the connection
            pass
    if target.directory is not None:
        _wait_until_gone(target.directory)
    click.echo(f"stopped (process {pid}); {done.message.partition('; ')[2]}")


@click.command("pause")
@run_argument
def pause_command(run: str | None) -> None:
    """Start no further trial; the one under way comes to its end. Outlasts a restart."""
    _ask(run, "pause")


@click.command("resume")
@run_argument
def resume_command(run: str | None) -> None:
    """Go on after a pause."""
    _ask(run, "resume")


def _ask(run: str | None, method: str) -> None:
    with Client.connect(Target.parse(run)) as client:
        done: protocol.Done = client.call(method)
    click.echo(done.message)


def _find_or_create(what: str | None, name: str | None, overrides: tuple[str, ...]) -> Path:
    """The run that is meant, made from its config where it does not exist yet."""
    if what is None or not (what.endswith((".yaml", ".yml")) or Path(what).is_file()):
        if overrides or name:
            raise click.UsageError("--set and --name need a config; a run's own config is frozen when it is made")
        return paths.find_run(what)
    from nasd import config as configuration  # noqa: PLC0415 - pydantic
    from nasd.runs import create  # noqa: PLC0415

    named = (configuration.name_override(name),) if name else ()
    config = configuration.load(Path(what), (*overrides, *named))
    directory = paths.home() / config.name
    paths.socket_path(directory)  # refuses a path that is too long before anything is made
    if not (directory / paths.DATABASE_NAME).is_file():
        with Spinner("settling what the config leaves open"):  # a measurement of this box takes up to a minute
            settled = create.settle(config)
        for sentence in configuration.without_effect(config):
            click.echo(f"nasd: {sentence}", err=True)
        create.create(settled, directory)
        return directory
    frozen = configuration.load(directory / "config.yaml")
    differences = create.differences(config, frozen)
    if differences:
        listed = "\n".join(f"  {line}" for line in differences)
        raise ConfigError(
            f"the run {config.name} exists and was made with another config:\n{listed}\n"
            f"go on with its own (nasd start {config.name}), or make another run (--name)"
        )
    return directory


def _require_same_data(directory: Path) -> None:
    from nasd.runs import data  # noqa: PLC0415

    data.require_same(directory)


def _spawn(directory: Path) -> int:
    """Start a detached daemon and wait until it answers."""
    output = directory / "log" / "daemon.out"
    with output.open("ab") as file:
        start = file.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "nasd.daemon", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,  # it outlives the terminal and the SSH session
            cwd="/",
        )
    deadline = time.monotonic() + START_TIME
    while time.monotonic() < deadline:
        if process.poll() is not None:
            with output.open("rb") as file:
                file.seek(start)
                said = file.read().decode(errors="replace").strip()
            error = NasdError(said.removeprefix("nasd: ") or f"the daemon ended with exit code {process.returncode}")
            error.exit_code = process.returncode if process.returncode > 0 else 1
            raise error
        if _answers(directory):
            return process.pid
        time.sleep(0.05)
    raise NasdError(f"the daemon (process {process.pid}) has not answered for {START_TIME:g} s: see {output}")


def _wait_for_worker(directory: Path) -> str:
    """Wait until a worker is set up; returns what to add to "is running".

    Raises:
        NasdError: None can be set up; the daemon was stopped.
    """
    deadline = time.monotonic() + WORKER_TIME
    alone = 0  # looks in a row at which nothing was being set up any more
    with Client.connect(Target(directory=directory)) as client, Spinner("setting up the first worker"):
        while time.monotonic() < deadline:
            status = client.status()
            ready = {worker.device for worker in status.workers if worker.state in ("idle", "busy")}
            if ready:
                return f" on {', '.join(sorted(ready))}"
            if status.state in ("finished", "paused"):  # no worker is needed
                return f" ({status.state})"
            reasons = [
                problem for problem in status.problems if "does not start" in problem or status.state == "failed"
            ]
            starting = any(worker.state == "starting" for worker in status.workers)
            alone = 0 if starting or not reasons else alone + 1
            if alone == 2:
                client.call("stop")
                break
            time.sleep(0.1)
        else:
            why = "; ".join(status.problems) or f"see `nasd log {directory.name}`"
            return f" (no worker is set up after {WORKER_TIME:g} s yet: {why})"
    _wait_until_gone(directory)
    raise NasdError(f"{directory.name} was stopped again: {'; '.join(reasons)}")


def _answers(directory: Path) -> bool:
    try:
        with Client.connect(Target(directory=directory)):
            return True
    except NotRunningError:
        return False


def _wait_until_gone(directory: Path) -> None:
    from store import is_owned  # noqa: PLC0415

    deadline = time.monotonic() + START_TIME
    while is_owned(directory):
        if time.monotonic() > deadline:
            raise NasdError(f"the daemon has not ended after {START_TIME:g} s: see {directory}/log")
        time.sleep(0.05)
