"""`nasd doctor`: what this box has, and what would keep a search from running here."""

import importlib.metadata
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import psutil

from nasd import __version__, paths
from nasd.box import limits
from nasd.box.logout import KILLS_AT_LOGOUT, kills_at_logout, lingers
from nasd.box.processor import multiplies_bfloat16
from nasd.cli.options import json_option
from nasd.cli.output import print_json, size
from nasd.errors import NasdError

if TYPE_CHECKING:
    from nasd.config import Config
    from nasd.config.executor import RayConfig

NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "afs", "ceph", "lustre", "beegfs"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Literal["ok", "note", "wrong"]
    what: str
    detail: str


@click.command("doctor")
@click.argument("what", metavar="[CONFIG|RUN]", required=False)
@json_option
def doctor_command(what: str | None, as_json: bool) -> None:
    """Look at this box: versions, devices, data sets, the folder of the runs. Exit code 1 if something is wrong.

    With a config or a run, say how its convolutions are computed; if its executor is a Ray cluster, look at its
    nodes too: what they have, and whether Python, nasd and torch are the same there.
    """
    config = None if what is None else _config(what)
    findings = [finding for check in CHECKS for finding in check()]
    if config is not None:
        findings += _frozen(config)
    if config is not None and config.executor.kind == "ray":
        findings += cluster(config.executor)
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        colours = {"ok": "green", "note": "yellow", "wrong": "red"}
        for finding in findings:
            level = click.style(f"{finding.level:<6}", fg=colours[finding.level])
            click.echo(f"{level}{finding.what:<14}{finding.detail}")
    if any(finding.level == "wrong" for finding in findings):
        raise click.exceptions.Exit(1)


def _config(what: str) -> "Config":
    from nasd import config as configuration  # noqa: PLC0415 - pydantic

    if what.endswith((".yaml", ".yml")) or Path(what).is_file():
        return configuration.load(Path(what))
    return configuration.load(paths.find_run(what) / "config.yaml")


def cluster(executor: "RayConfig") -> Iterator[Finding]:
    """The Ray cluster of an executor."""
    from nasd.executors.ray import survey  # noqa: PLC0415 - only where it is asked for

    try:
        found = survey.ask(executor.address)
    except NasdError as error:
        yield Finding("wrong", "cluster", str(error))
        return
    nodes = [one.node for one in found.nodes]
    have = f"{sum(node.cpus for node in nodes):g} CPUs, {sum(node.gpus for node in nodes):g} GPUs"
    yield Finding("ok", "cluster", f"{executor.address}, Ray {found.ray}: {len(nodes)} nodes, {have}")
    for one in found.nodes:
        if (difference := one.difference()) is not None:
            yield Finding("wrong", "node", difference)
        else:
            has = f"{one.node.cpus:g} CPUs, {one.node.gpus:g} GPUs, {size(one.node.memory)}"
            same = ", ".join(f"{name} {version}" for name, version in one.versions.items())
            yield Finding("ok", "node", f"{one.node.name}: {has}; {same}")
    room = sum(executor.fit(one.node.cpus, one.node.gpus, one.node.memory) for one in found.nodes)
    if executor.address != "local" and room < executor.workers:
        yield Finding("note", "cluster", f"there is room for {room} of the {executor.workers} workers, the rest wait")


def _versions() -> Iterator[Finding]:
    libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "torchvision", "zarr"))
    yield Finding("ok", "nasd", f"{__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    yield Finding("ok", "libraries", libraries)


def _box() -> Iterator[Finding]:
    cores, memory = limits.cores(), limits.memory()
    available = f"{size(limits.available_memory())} available"
    yield Finding("ok", "box", f"{cores.box} cores, {size(memory.box)} of memory, {available}")
    if cores.by:
        yield Finding("ok", "cores", f"{cores.counts} of {cores.box} count: {cores.by}")
    if memory.by:
        yield Finding("ok", "memory", f"{size(memory.counts)} of {size(memory.box)} count: {memory.by}")
    precision = "bfloat16" if multiplies_bfloat16() else "float32"
    yield Finding(
        "ok", "precision", f"deep priors on the CPU are computed in {precision} unless encoder.precision is set"
    )
    yield from _convolutions()


def _convolutions() -> Iterator[Finding]:
    from nasd.box import fft_tables  # noqa: PLC0415 - pydantic

    tables = fft_tables.everything()
    for name, table in tables.items():
        yield Finding("ok", "convolution", f"{name}: {fft_tables.in_words(table)}")
    if not tables:
        yield Finding(
            "ok", "convolution", "not measured here: encoder.convolution: measured does so when a run is made"
        )


def _frozen(config: "Config") -> Iterator[Finding]:
    """How a config's convolutions are computed."""
    from nasd.box import fft_tables  # noqa: PLC0415

    chosen = config.encoder.convolution
    words = chosen if isinstance(chosen, str) else fft_tables.in_words(chosen)
    yield Finding("ok", "convolution", f"{config.name}: {words}")


def _devices() -> Iterator[Finding]:
    # In a process of its own: a driver that hangs or crashes must not take the doctor along.
    question = (
        "import torch\n"
        "for i in range(torch.cuda.device_count()):\n"
        "    free, total = torch.cuda.mem_get_info(i)\n"
        "    print(f'cuda:{i}: {torch.cuda.get_device_name(i)}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free')\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", question], capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        yield Finding("wrong", "devices", "torch has not answered for 120 s: the GPU driver hangs, reboot the box")
        return
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        yield Finding("wrong", "devices", f"torch does not start: {said}")
    elif not done.stdout.strip():
        yield Finding("note", "devices", "no GPU is visible to torch: searches run on the CPU")
    for line in done.stdout.splitlines():
        yield Finding("ok", "devices", line)


def _home() -> Iterator[Finding]:
    home = paths.home()
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        yield Finding("wrong", "runs", f"{place} is not writable: set NASD_HOME to a folder that is")
        return
    free = shutil.disk_usage(place).free
    level: Literal["ok", "note"] = "ok" if free > 10e9 else "note"
    yield Finding(level, "runs", f"{home}: {len(paths.runs())} runs, {size(free)} free")
    kind = _file_system(place)
    if kind in NETWORK_FILE_SYSTEMS:
        yield Finding("wrong", "runs", f"{place} is on {kind}, where SQLite's log does not work: use a local disk")
    try:
        paths.socket_path(home / ("x" * 20))
    except NasdError as error:
        yield Finding("wrong", "runs", str(error))
    try:
        with tempfile.TemporaryDirectory(dir=place) as folder:
            connection = sqlite3.connect(Path(folder) / "test.db")
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            connection.close()
    except OSError as error:
        yield Finding("wrong", "runs", f"nothing can be made in {place} ({error.strerror}): set NASD_HOME to a folder")
        return
    if mode != "wal":
        yield Finding("wrong", "runs", f"SQLite cannot keep a write-ahead log in {place}: use a local disk")


def _data() -> Iterator[Finding]:
    folder = os.environ.get("NASD_DATA")
    if folder is None:
        yield Finding("ok", "data", "NASD_DATA is not set: data sets are looked for in the user's cache folder")
    elif not Path(folder).is_dir():
        yield Finding("wrong", "data", f"NASD_DATA is {folder}, which is no folder: create it, or unset NASD_DATA")
    else:
        found = sorted(path.name for path in Path(folder).iterdir() if path.is_dir())
        yield Finding("ok", "data", f"NASD_DATA is {folder}: {', '.join(found) or 'empty'}")


def _reboot() -> Iterator[Finding]:
    if shutil.which("systemctl") is None:
        yield Finding("note", "reboots", "there is no systemd: start runs again by hand after a reboot")
    elif not lingers():
        yield Finding("note", "reboots", "user units end at logout: run `loginctl enable-linger` once")
    if kills_at_logout():
        yield Finding("wrong", "logout", KILLS_AT_LOGOUT)


def _file_system(path: Path) -> str:
    mounts = [p for p in psutil.disk_partitions(all=True) if path.resolve().is_relative_to(p.mountpoint)]
    return max(mounts, key=lambda mount: len(mount.mountpoint)).fstype if mounts else "unknown"


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (_versions, _box, _devices, _home, _data, _reboot)
