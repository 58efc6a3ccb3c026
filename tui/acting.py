"""What the app asks of the daemon when a key is pressed, and says of the answer."""

from typing import Any

from textual import on
from textual.app import App

from nasd import protocol
from nasd.client.starting import start
from nasd.errors import NasdError
from tui import text
from tui.link import Link
from tui.messages import Retrain
from tui.strategies.table import Extras
from tui.work import work

OF_DAEMON = frozenset({"ask", "stop", "export", "retrain_net"})
"""Actions that only a daemon can do; not offered while none answers."""


class Acting(App[None]):
    """The half of the app that acts. Dialogs are imported when they are opened.

    Attributes:
        link: To the daemon.
        extras: What only the run's strategy has.
    """

    link: Link
    extras: Extras

    def action_ask(self, method: str, params: protocol.Params | None = None) -> None:
        """Ask the daemon, and say what it answers."""
        work(self, f"actions-{method}", self._doing, method, params)

    async def _doing(self, method: str, params: protocol.Params | None) -> None:
        try:
            answer = await self.link.call(method, params)
        except NasdError as error:
            self.warn(str(error))
            return
        self.notify(text.clean(answer.message), markup=False)

    def warn(self, sentence: str) -> None:
        """Say what went wrong."""
        self.notify(text.clean(sentence), severity="error", markup=False, timeout=8)

    def action_stop(self) -> None:
        """Stop the daemon, asked once more."""
        from tui.dialogs.confirm import Confirm  # noqa: PLC0415

        name = text.clean(self.link.status.name) if self.link.status else "the run"
        question = f"Stop the daemon of {name}? Nothing finished is lost; the trial under way starts anew next time."
        self.push_screen(Confirm(question, "Stop"), lambda yes: self.action_ask("stop") if yes else None)

    def action_start(self) -> None:
        """Start a daemon, asked once more; the UI goes over to it by itself."""
        from tui.dialogs.confirm import Confirm  # noqa: PLC0415

        name = text.clean(self.link.status.name) if self.link.status else str(self.link.target)
        question = f"Start a daemon for {name}? It goes on with the search where that was left."

        def chosen(yes: bool | None) -> None:
            if yes:
                work(self, "start", self._starting)

        self.push_screen(Confirm(question, "Start"), chosen)

    async def _starting(self) -> None:
        self.notify("starting the daemon", timeout=60)
        try:
            await start(self.link.target)
        except NasdError as error:
            self.warn(f"it does not start: {error}")
            return
        self.link.look_again()
        self.notify("the daemon runs")

    def action_export(self) -> None:
        """CSV files in the run's exports folder."""
        from tui.dialogs.export import Export  # noqa: PLC0415

        def chosen(what: Any) -> None:
            if what:
                self.action_ask("export", protocol.ExportParams(what=what))

        self.push_screen(Export(self.extras.exports), chosen)

    def action_retrain_net(self) -> None:
        """A retrain job of an architecture that is typed."""
        self.post_message(Retrain(""))

    @on(Retrain)
    def _retrain(self, message: Retrain) -> None:
        from tui.dialogs.retrain import RetrainDialog  # noqa: PLC0415

        def queued(job: protocol.JobRow | None) -> None:
            if job is not None:
                self.notify(text.clean(f"queued: {job.summary}"), markup=False)

        self.push_screen(RetrainDialog(message.net, message.trial, self.link, message.several), queued)
