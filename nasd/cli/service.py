"""A systemd user unit, so that runs come back after a reboot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from nasd import paths
from nasd.cli.options import run_argument
from nasd.errors import NasdError

UNIT = """\
[Unit]
Description=nasd: neural architecture search %i
After=network.target

[Service]
Type=notify
ExecStart="{python}" -m nasd.daemon "{home}/%i"
Environment="NASD_HOME={home}"
Restart=on-failure
RestartSec=10
# 2 usage, 3 bad config, 4 another daemon owns the run: trying again would not help
RestartPreventExitStatus=2 3 4
TimeoutStopSec=60
KillMode=mixed
OOMPolicy=continue

[Install]
WantedBy=default.target
"""


@click.group("service")
def service_command() -> None:
    """Let systemd run searches, so that they come back after a crash or a reboot."""


@service_command.command("install")
@run_argument
@click.option("--print", "only_print", is_flag=True, help="Print the unit instead of installing it.")
def install_command(run: str | None, only_print: bool) -> None:
    """Install and start a user unit for a run."""
    directory = paths.find_run(run)
    home = directory.parent
    for path in (str(home), sys.executable):
        if any(character in path for character in '"\\%\n$'):
            raise NasdError(f"{path} holds a character that systemd would read as its own: move it elsewhere")
    unit = UNIT.format(python=sys.executable, home=home)
    if only_print:
        click.echo(unit, nl=False)
        return
    folder = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "systemd" / "user"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nasd@.service").write_text(unit, encoding="utf-8")
    click.echo(f"wrote {folder / 'nasd@.service'}")
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", f"nasd@{directory.name}.service")
    click.echo(f"{directory.name} runs under systemd and comes back after a crash")
    click.echo("  once, so that it also runs while nobody is logged in: loginctl enable-linger")
    click.echo(f"  look at it: systemctl --user status nasd@{directory.name}")


@service_command.command("uninstall")
@run_argument
def uninstall_command(run: str | None) -> None:
    """Stop a run's unit and keep systemd from starting it again. The run itself stays."""
    directory = paths.find_run(run)
    _systemctl("disable", "--now", f"nasd@{directory.name}.service")
    click.echo(f"systemd no longer runs {directory.name}; nasd start {directory.name} does by hand")


def _systemctl(*arguments: str) -> None:
    command = ["systemctl", "--user", *arguments]
    if shutil.which("systemctl") is None:
        raise NasdError(
            f"there is no systemctl here: run `{' '.join(command)}` where there is systemd, or use nasd start"
        )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise NasdError(f"`{' '.join(command)}` failed: {said}")
