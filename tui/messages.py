"""What panes ask of the app. The app wires them to the link and to one another."""

from textual.message import Message

from tui.link import Change


class Heard(Message):
    """The link has news."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change


class ShowTrial(Message):
    """Open the trial with this number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class WalkTo(Message):
    """Show a state in the Q-table, by the layers that lead there."""

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__()
        self.path = path


class Retrain(Message):
    """Ask for a retrain job of an architecture; `trial` is None if it has no number."""

    def __init__(self, net: str, trial: int | None = None) -> None:
        super().__init__()
        self.net, self.trial = net, trial


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
