"""The `nasd` command. Each subcommand's module is imported only when it is called: `nasd status` must be quick."""

import importlib
import os
import sys

import click

from nasd import __version__, parts
from nasd.errors import NasdError

_COMMANDS = {
    "start": "lifecycle",
    "run": "lifecycle",
    "stop": "lifecycle",
    "pause": "lifecycle",
    "resume": "lifecycle",
    "ps": "reading",
    "status": "reading",
    "trials": "reading",
    "show": "reading",
    "log": "reading",
    "attach": "attach",
    "stdio": "attach",
    "relay": "elsewhere",
    "jobs": "jobs",
    "retrain": "jobs",
    "experiment": "experiment",
    "embed": "embed",
    "plot": "plot",
    "report": "plot",
    "compare": "compare",
    "enas": "enas",
    "pnas": "pnas",
    "verify": "runs",
    "fork": "runs",
    "set": "setting",
    "snapshot": "snapshots",
    "restore": "snapshots",
    "export": "exchange",
    "import": "exchange",
    "data": "data",
    "config": "config",
    "plan": "plan",
    "doctor": "doctor",
    "service": "service",
}


class _Commands(click.Group):
    """Finds a command by name and imports its module then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        try:
            module = importlib.import_module(f"nasd.cli.{_COMMANDS[cmd_name]}")
        except ModuleNotFoundError as error:
            if (missing := parts.missing(error)) is None:
                raise
            return _not_installed(cmd_name, missing)
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


def _not_installed(name: str, reason: NasdError) -> click.Command:
    """Stands for a command whose module cannot be imported on a client: `nasd --help` lists it all the same."""

    @click.command(name, short_help="(needs nasd[daemon])", context_settings={"ignore_unknown_options": True})
    @click.argument("arguments", nargs=-1)
    def command(arguments: tuple[str, ...]) -> None:
        raise reason

    return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nasd")
def cli() -> None:
    """Neural architecture search that runs for days and loses nothing.

    RUN is a run's name, its directory, or user@host:RUN; it may be left out where there is only one.
    """


def main() -> None:
    """Entry point: every foreseen error becomes one sentence and its exit code."""
    try:
        code = cli.main(standalone_mode=False)  # None, or the code of an Exit that a command raised
        if code:
            sys.exit(code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # `nasd trials | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        said = (parts.missing(error) if isinstance(error, ModuleNotFoundError) else None) or error
        code = _exit_code(said)
        if code is None:
            raise
        click.echo(f"nasd: {said}", err=True)
        sys.exit(code)


def _exit_code(error: Exception) -> int | None:
    if isinstance(error, NasdError):
        return error.exit_code
    if isinstance(error, OSError):  # its text names what was tried, and the file
        return 1
    store = sys.modules.get("store")  # not imported by every command
    if store is not None and isinstance(error, store.StoreError):
        return 4 if isinstance(error, store.RunLockedError) else 1
    return None
