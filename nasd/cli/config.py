"""Commands about configs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from nasd import config as configuration
from nasd.cli.options import set_option
from nasd.cli.output import printable


@click.group("config")
def config_command() -> None:
    """Look at configs before a search begins."""


@config_command.command("check")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@set_option
def check_command(file: Path, overrides: tuple[str, ...]) -> None:
    """Print what a config is understood as, every key; what differs from its default is marked with *.

    Says which settings have no effect. Exit code 3 if it has faults, all of which are listed.
    """
    config = configuration.load(file, overrides)
    lines = list(_lines(config, configuration.Config()))
    width = min(max(len(line) for line, _, _ in lines), 60)
    for line, differs, default in lines:
        shown = f"  default {default}" if differs else ""
        click.echo(printable(f"{'*' if differs else ' '} {line:<{width if differs else 0}}{shown}"))
    for sentence in configuration.without_effect(config):
        click.echo(f"note: {sentence}")


def _lines(section: BaseModel, usual: BaseModel | None, prefix: str = "") -> Iterator[tuple[str, bool, str]]:
    """Each key with its value, whether that differs from the default, and the default.

    `usual` is the section as it is where nothing is given; of another kind than `section` it may lack keys.
    """
    for key, field in type(section).model_fields.items():
        value, default = getattr(section, key), getattr(usual, key, field.default)
        if isinstance(value, BaseModel):
            yield from _lines(value, default, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}: {_text(value)}", value != default, _text(default)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
