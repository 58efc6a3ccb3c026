"""Arguments and options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from nasd import protocol

F = TypeVar("F", bound=Callable[..., Any])

NUMBER = click.IntRange(1, 2**53)
"""Of a trial or a job."""
PRIORITY = click.IntRange(-protocol.MAX_PRIORITY, protocol.MAX_PRIORITY)

run_argument: Callable[[F], F] = click.argument("run", required=False)
json_option: Callable[[F], F] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
set_option: Callable[[F], F] = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Override one value of the config; may be given several times.",
)
name_option: Callable[[F], F] = click.option("--name", help="The run's name instead of the config's.")
