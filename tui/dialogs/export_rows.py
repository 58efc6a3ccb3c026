"""Save trials as CSV where the UI runs, which need not be the box of the search."""

import re
from collections.abc import Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from nasd.errors import NasdError
from tui import text, trials_csv
from tui.dialogs.dialog import Dialog
from tui.link import Link
from tui.work import work


class ExportRows(Dialog[None]):
    """A file's name; without one the CSV goes onto the clipboard. Nothing that exists is written over."""

    def __init__(self, numbers: Sequence[int], run: str, link: Link) -> None:
        super().__init__()
        self._numbers, self._link = numbers, link
        self._name = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', run).strip('.-') or 'nasd'}-trials.csv"
        self._wrong = Static(classes="wrong", markup=False)

    def compose(self) -> ComposeResult:
        """Where to, and the line."""
        count = len(self._numbers)
        with Vertical(classes="window") as window:
            window.border_title = f"Save {count} trials" if count > 1 else f"Save trial {self._numbers[0]}"
            window.border_subtitle = "enter saves · esc cancels"
            yield Static(
                "CSV, into a file on the machine where this UI runs. Without a name: onto the clipboard.",
                classes="hint",
                markup=False,
            )
            yield Input(self._name, placeholder="onto the clipboard", compact=True, id="file")
            yield self._wrong

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        work(self, "export", self._save, event.value.strip())

    async def _save(self, name: str) -> None:
        try:
            rows = await trials_csv.fetch(self._numbers, self._link)
            said = self._written(trials_csv.written(rows), name)
        except (NasdError, OSError) as error:
            reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            self._wrong.update(text.clean(f"It is not saved: {reason}."))
            self._wrong.display = True
            return
        self.dismiss(None)
        self.app.notify(text.clean(f"{len(rows)} trials {said}"), markup=False)

    def _written(self, table: str, name: str) -> str:
        if not name:
            self.app.copy_to_clipboard(table)
            return "copied as CSV"
        path = Path(name).expanduser().absolute()
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(table)
        return f"written to {path}"
