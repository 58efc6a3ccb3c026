"""Systemd user units, so that runs come back after a reboot. Each run has a unit of its own, named by its directory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from nasd import paths
from nasd.cli.options import run_argument
from nasd.cli.output import print_table
from nasd.errors import NasdError

UNIT = """\
[Unit]
Description=nasd: neural architecture search {name}
After=network.target

[Service]
Type=notify
ExecStart="{python}" -m nasd.daemon "{directory}"
{environment}Restart=on-failure
RestartSec=10
# 2 usage, 3 bad config, 4 another daemon owns the run, 7 the run is gone: trying again would not help
RestartPreventExitStatus=2 3 4 7
TimeoutStopSec=60
KillMode=mixed
OOMPolicy=continue

[Install]
WantedBy=default.target

[X-Nasd]
Run={directory}
"""
PASSED_ON = ("NASD_DATA", "NASD_THREADS", "CUDA_VISIBLE_DEVICES")  # what a run may depend on
LONGEST = 255  # bytes of a unit's name


@click.group("service")
def service_command() -> None:
    """Let systemd run searches, so that they come back after a crash or a reboot."""


@service_command.command("install")
@run_argument
@click.option("--print", "only_print", is_flag=True, help="Print the unit instead of installing it.")
def install_command(run: str | None, only_print: bool) -> None:
    """Install and start a user unit for a run."""
    directory = paths.find_run(run).resolve()
    values = {name: value for name in PASSED_ON if (value := os.environ.get(name)) is not None}
    for value in (str(directory), sys.executable, *values.values()):
        if any(character in value for character in '"\\%\n$'):
            raise NasdError(f"{value} holds a character that systemd would read as its own: move it elsewhere")
    environment = "".join(f'Environment="{name}={value}"\n' for name, value in values.items())
    unit = UNIT.format(name=directory.name, python=sys.executable, directory=directory, environment=environment)
    name = unit_name(directory)
    if only_print:
        click.echo(unit, nl=False)
        return
    _folder().mkdir(parents=True, exist_ok=True)
    (_folder() / name).write_text(unit, encoding="utf-8")
    click.echo(f"wrote {_folder() / name}")
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", name)
    click.echo(f"{directory.name} runs under systemd and comes back after a crash")
    click.echo("  once, so that it also runs while nobody is logged in: loginctl enable-linger")
    click.echo(f"  look at it: systemctl --user status '{name}'")


@service_command.command("list")
def list_command() -> None:
    """List the units of all runs, in whatever home they lie, and those whose run is gone."""
    units = _units()
    if not units:
        click.echo(f"There are no units of nasd in {_folder()}. Install one: nasd service install RUN")
        return
    rows = []
    for name, directory in units.items():
        there = (directory / paths.DATABASE_NAME).is_file()
        rows.append((directory.name, _state(name) if there else "run is gone", str(directory), name))
    print_table(("RUN", "STATE", "DIRECTORY", "UNIT"), rows)
    for row in rows:
        if row[1] == "run is gone":
            click.echo(f"{row[0]} was removed or moved: nasd service remove {row[2]}")


@service_command.command("remove")
@click.argument("run", required=False)
def remove_command(run: str | None) -> None:
    """Stop a run's unit and remove it; RUN may be gone, and may be the unit's name. A run itself stays."""
    units = _units()
    found = [name for name, directory in units.items() if run in (name, str(directory), directory.name)]
    if len(found) > 1:  # of several homes
        found = [name for name in found if units[name].parent == paths.home().resolve()] or found
    if run is not None and len(found) > 1:
        raise NasdError(f"several units are for a {run}: name its directory, as `nasd service list` shows it")
    name = found[0] if run is not None and found else unit_name(paths.find_run(run).resolve())
    file = _folder() / name
    if not file.exists():
        raise NasdError(f"there is no unit {name}: see `nasd service list`")
    _systemctl("disable", "--now", name)
    file.unlink(missing_ok=True)
    _systemctl("daemon-reload")
    click.echo(f"systemd no longer runs {units[name].name}; nasd start does by hand")


def unit_name(directory: Path) -> str:
    """The unit of a run's daemon: its directory, escaped as by `systemd-escape --path`.

    Raises:
        NasdError: The name would be too long.
    """
    escaped = "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in ":_.") else f"\\x{byte:02x}"
        for byte in os.fsencode(str(directory).strip("/")).replace(b"/", b"\0")
    ).replace("\\x00", "-")
    name = f"nasd-{escaped}.service"
    if len(name) > LONGEST:
        raise NasdError(f"{directory} is too long for a unit's name: move the run to a shorter path")
    return name


def _folder() -> Path:
    return paths.config_folder().parent / "systemd" / "user"


def _units() -> dict[str, Path]:
    """The directories of the runs that have a unit, by the unit's name."""
    found = {}
    for file in sorted(_folder().glob("nasd-*.service")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Run="):
                found[file.name] = Path(line.removeprefix("Run="))
    return found


def _state(name: str) -> str:
    if shutil.which("systemctl") is None:
        return "no systemd"
    done = subprocess.run(["systemctl", "--user", "is-active", name], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _systemctl(*arguments: str) -> None:
    command = ["systemctl", "--user", *arguments]
    if shutil.which("systemctl") is None:
        raise NasdError(
            f"there is no systemctl here: run `{' '.join(command)}` where there is systemd, or use nasd start"
        )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        way = ": log in as this user, rather than by su or sudo" if "bus" in said else ""
        raise NasdError(f"`{' '.join(command)}` failed: {said}{way}")
