"""What panes ask of the app. The app wires them to the link and to one another."""

from collections.abc import Sequence
from typing import Any

from textual.message import Message

from nasd.protocol import TrialRow


class ShowTrial(Message):
    """Open the trial with this number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class ShowTrials(Message):
    """List the trials that a filter finds."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where


class ShowPlace(Message):
    """Show a place in the strategy's own screen, which alone knows what places it has."""

    def __init__(self, place: Any) -> None:
        super().__init__()
        self.place = place


class Retrain(Message):
    """Ask for a retrain job of an architecture; `trial` is None if it has no number."""

    def __init__(self, net: str, trial: int | None = None, several: Sequence[TrialRow] = ()) -> None:
        super().__init__()
        self.net, self.trial, self.several = net, trial, several


class CopyNet(Message):
    """Put an architecture string on the clipboard."""

    def __init__(self, net: str) -> None:
        super().__init__()
        self.net = net


class AttachRun(Message):
    """Leave this run and follow another on the same box."""

    def __init__(self, directory: str, name: str) -> None:
        super().__init__()
        self.directory, self.name = directory, name
