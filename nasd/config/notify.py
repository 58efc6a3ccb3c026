"""The section `notify`: a command that the daemon runs when there is something to tell."""

from typing import Annotated, Literal

from pydantic import Field

from nasd.config.section import Seconds, Section

Occasion = Literal["finished", "problem", "best"]


class NotifyConfig(Section):
    """A command that hears of events, as JSON on standard input; see docs/notifications.md."""

    command: tuple[Annotated[str, Field(min_length=1)], ...] = ()  # program and arguments, without a shell; (): none
    on: tuple[Occasion, ...] = ("finished", "problem", "best")
    quiet: Seconds = 600.0  # after one of a kind the next of that kind waits so long; the newest is then told
