"""Reading commands on `user@host:RUN`: carried out by the nasd over there, and what they write brought here."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from nasd.client import Target, ssh
from nasd.errors import NasdError

OUTPUTS = ("output", "folder")  # parameters that name what is written


class Reading(click.Command):
    """A command that only reads a run: it is carried out where the run is, so a run on another box needs no daemon and
    no libraries here. What it writes is brought here; other paths are those of that box.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Carry the command out, here or over there."""
        given: list[str | None] = []
        for name in ("run", "first", "runs"):
            value = ctx.params.get(name)
            given += value if isinstance(value, tuple) else [value] if name in ctx.params else []
        if not any(map(Target.is_remote, given)):
            return super().invoke(ctx)
        hosts = {Target.parse(run).host if Target.is_remote(run) else None for run in given}
        if len(hosts) > 1:
            raise click.UsageError("the runs must be on one box")
        (host,) = hosts
        assert host is not None
        outputs = [parameter for parameter in self.params if parameter.name in OUTPUTS]
        words = [*_names(ctx), *_words(self, ctx)]
        if outputs:
            return _fetch(host, words, _target(outputs[0], ctx.params))
        raise click.exceptions.Exit(_run(host, words))


@click.command("relay", hidden=True)
@click.option("--files", is_flag=True, help="Send what the command writes, as a tar, instead of what it prints.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def relay_command(files: bool, words: tuple[str, ...]) -> None:
    """Carry out a reading command for nasd on another box, which runs this through SSH."""
    command = [sys.executable, "-m", "nasd", *words]
    if not files:
        sys.stdout.buffer.write(ssh.MARKER)
        sys.stdout.buffer.flush()
        os.execv(sys.executable, command)  # noqa: S606 - no shell is meant
    import tarfile  # noqa: PLC0415 - not for every command

    with tempfile.TemporaryDirectory(prefix="nasd-") as folder:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, cwd=folder, check=False)
        if done.returncode == 0:
            sys.stdout.buffer.write(ssh.MARKER)
            with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
                for path in sorted(Path(folder).iterdir()):
                    archive.add(path, path.name)
    raise click.exceptions.Exit(done.returncode)


def _names(ctx: click.Context) -> list[str]:
    """The command's name and those of its groups."""
    names: list[str] = []
    at: click.Context | None = ctx
    while at is not None and at.parent is not None:
        names.insert(0, at.info_name or "")
        at = at.parent
    return names


def _words(command: click.Command, ctx: click.Context) -> list[str]:
    """The command's arguments as the other box is to have them."""
    options: list[str] = []
    arguments: list[str] = []
    for parameter in command.params:
        assert parameter.name is not None
        value = ctx.params.get(parameter.name)
        if isinstance(parameter, click.Argument):
            for one in value if isinstance(value, tuple) else (value,):
                run = Target.parse(one).run if Target.is_remote(one) else one
                arguments += [str(run)] if run else []
        elif value is not None and ctx.get_parameter_source(parameter.name) is not click.core.ParameterSource.DEFAULT:
            name = max(parameter.opts, key=len)
            if parameter.name in OUTPUTS:
                options += [name, "." if _is_folder(parameter) else Path(value).name]
            elif isinstance(parameter, click.Option) and parameter.is_flag:
                options.append(name)
            else:
                for one in value if parameter.multiple else (value,):
                    options += [name, str(one)]
    return [*options, "--", *arguments]


def _is_folder(parameter: click.Parameter) -> bool:
    """Whether it names the folder of what is written, rather than the thing itself."""
    return isinstance(parameter.type, click.Path) and not parameter.type.file_okay


def _target(parameter: click.Parameter, params: dict[str, Any]) -> Path:
    """The folder that takes what the command writes."""
    value: Path = params.get(parameter.name or "") or Path()
    return value if _is_folder(parameter) else value.parent


def _run(host: str, words: list[str]) -> int:
    """Have a command carried out over there and print what it prints; returns its exit code."""
    process, said = _start(host, ["relay", "--", *words])
    with process, said:
        assert process.stdout is not None
        _skip(host, process, said)
        try:
            while data := process.stdout.read(1 << 16):
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
        except BrokenPipeError:
            process.kill()
            raise
        code = process.wait()
        _repeat(said)
        return code if code >= 0 else 1


def _fetch(host: str, words: list[str], folder: Path) -> None:
    """Have a command carried out over there, and bring what it writes into a folder here."""
    import tarfile  # noqa: PLC0415 - not for every command

    if not folder.is_dir():
        folder.mkdir(parents=True)
    process, said = _start(host, ["relay", "--files", "--", *words])
    with process, said, tempfile.TemporaryDirectory(dir=folder, prefix=".nasd-") as temporary:
        assert process.stdout is not None
        _skip(host, process, said)
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                archive.extractall(temporary, filter="data")
        except tarfile.TarError as error:
            process.kill()
            raise NasdError(f"{host}: what was written over there did not come whole: {error}") from error
        for path in sorted(Path(temporary).iterdir()):
            if (folder / path.name).is_dir():
                raise NasdError(f"{folder / path.name} is there already: move it elsewhere, or name another")
            path.replace(folder / path.name)
            click.echo(f"wrote {folder / path.name}")


def _start(host: str, words: list[str]) -> "tuple[subprocess.Popen[bytes], Any]":
    said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the caller
    command = ssh.command(host, words, ask=os.isatty(0) and os.isatty(2))
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said), said
    except OSError as error:
        said.close()
        raise NasdError(f"{command[0]} cannot be run: {error.strerror}") from error


def _skip(host: str, process: "subprocess.Popen[bytes]", said: Any) -> None:
    """Read up to the marker.

    Raises:
        NasdError: There is none.
    """
    assert process.stdout is not None
    before = b""
    while not before.endswith(ssh.MARKER):
        line = process.stdout.readline(ssh.MAX_BEFORE)
        before += line
        if not line or len(before) > ssh.MAX_BEFORE:
            process.kill() if line else process.wait()
            said.seek(0)
            error = ssh.failure(host, process.wait(), before, said.read(1 << 16))
            error.exit_code = code if 0 < (code := process.wait()) < 126 else error.exit_code
            raise error


def _repeat(said: Any) -> None:
    said.seek(0)
    click.echo(said.read().decode(errors="replace"), nl=False, err=True)
