"""The app: one link, the screens, and what the keys do. Everything else is in the panes."""

import os
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar

from textual import on
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.containers import Container
from textual.content import Content
from textual.notifications import SeverityLevel
from textual.screen import Screen

from nasd import protocol
from nasd.client import Target
from nasd.client.aio import Connection
from nasd.errors import NasdError
from tui import hangup, settings, text, theme
from tui.acting import OF_DAEMON, Acting
from tui.alerts import Alerts
from tui.box import Box
from tui.link import Change, Link, Renewed, Turned
from tui.messages import AttachRun, CopyNet, ShowPlace, ShowTrial, ShowTrials
from tui.pace import Pace
from tui.panes.overview import Overview
from tui.panes.pane import Pane
from tui.screens import NAMES, OVERVIEW, RUNS, STRATEGY, TRIAL, TRIALS, make
from tui.strategies.table import Extras, extras
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar
from tui.widgets.notice import Notice
from tui.widgets.tabs import Tabs


def _everywhere(key: str, action: str, description: str, tooltip: str, id: str) -> Binding:
    """A key that works on every screen, and has no room in the key bar."""
    return Binding(key, action, description, show=False, id=id, tooltip=tooltip)


def _screen(index: int, name: str) -> Binding:
    name = name or "the strategy's own"
    return _everywhere(str(index + 1), f"go({index})", name, f"Show the screen {name}", f"go.{index + 1}")


def _commands() -> type[Provider]:
    from tui.commands import Commands  # noqa: PLC0415 - not before the first paint

    return Commands


class NasdApp(Acting):
    """Attached to one daemon at a time. Leaving never touches the search."""

    CSS_PATH = "nasd.tcss"
    COMMANDS: ClassVar = App.COMMANDS | {_commands}
    TITLE = "nasd"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (38, "-tall")]  # noqa: RUF012

    BINDINGS: ClassVar[list[BindingType]] = [
        *(_screen(index, name) for index, name in NAMES.items()),
        _everywhere("right_square_bracket", "turn(1)", "next screen", "Next screen", "go.next"),
        _everywhere("left_square_bracket", "turn(-1)", "previous screen", "Previous screen", "go.previous"),
        Binding(
            "p", "ask('pause')", "pause", id="search.pause", tooltip="Start no further trial; the one under way ends"
        ),
        Binding("p", "ask('resume')", "resume", id="search.resume", tooltip="Go on after a pause"),
        Binding("colon", "command_palette", "commands", key_display=":", id="view.commands", tooltip="All commands"),
        Binding("ctrl+p", "command_palette", show=False, priority=True, id="view.commands", tooltip="All commands"),
        Binding("C", "ask('checkpoint')", "checkpoint", id="search.checkpoint", tooltip="Write a checkpoint now"),
        Binding("R", "retrain_net", "new job", id="jobs.new", tooltip="Queue a retrain job of any architecture"),
        Binding("e", "export", "export", id="search.export", tooltip="Write a table of the run as CSV"),
        Binding("X", "stop", "stop", id="search.stop", tooltip="Stop the daemon, after asking once more"),
        Binding("X", "start", "start", id="search.start", tooltip="Start a daemon, after asking once more"),
        _everywhere("t", "theme", "theme", "Dark or light", "view.theme"),
        _everywhere("ctrl+z", "suspend_process", "suspend", "Back to the shell; `fg` returns", "view.suspend"),
        Binding("question_mark", "help", "help", key_display="?", id="view.help", tooltip="The keys of this screen"),
        Binding("q", "detach", "detach", id="view.detach", tooltip="Leave; the search goes on"),
    ]

    def __init__(
        self,
        target: Target,
        host: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        opening: Awaitable[Connection] | None = None,
    ) -> None:
        """Create the app.

        Args:
            target: Which daemon to attach to.
            host: What this box is called; its node name.
            clock: Seconds that only go forward; tests have their own.
            opening: The connection, if it is being opened already.
        """
        super().__init__()
        self.register_theme(theme.DARK)
        self.register_theme(theme.LIGHT)
        self.settings = settings.load()
        self.theme = self.settings.theme if self.settings.theme in self.available_themes else theme.DARK.name
        self.box = Box()
        self.recent: list[str] = []  # commands, newest first
        self.link = Link(target, self._hear, clock, opening)
        self._host = host or os.uname().nodename
        self._panes: dict[int, Pane] = {}
        self._shown = OVERVIEW
        self._strategy: str | None = None
        self.extras = Extras()
        self._news: list[Change] = []
        self._pace = Pace(clock=time.monotonic)
        self._alerts = Alerts(self.link, self._write)

    def compose(self) -> ComposeResult:
        """Header, tabs, the present screen, keys."""
        yield Header(self.link, self._host)
        yield Tabs(self._screens)
        yield Notice(self.link)
        self._panes[OVERVIEW] = Overview(self.link, "pane-0")
        yield Container(self._panes[OVERVIEW], id="panes")
        yield KeyBar()

    def on_mount(self) -> None:
        """Connect."""
        # Textual names the size after the first paint; without this that paint would be thrown away.
        for breakpoints, length in (
            (self.HORIZONTAL_BREAKPOINTS, self.size.width),
            (self.VERTICAL_BREAKPOINTS, self.size.height),
        ):
            self.screen.add_class(max(one for one in breakpoints if one[0] <= length)[1])
        self._alerts.open()
        # Textual shows what it had drawn before a suspension only where it changes afterwards.
        self.app_resume_signal.subscribe(self, lambda _: self.screen.refresh())
        if not self.is_headless:
            self.set_interval(hangup.AGAIN, hangup.end_if_hung_up)
        if self.link.target.home:
            self.show(RUNS)
            return
        self._follow()
        self._panes[OVERVIEW].enter()

    def on_unmount(self) -> None:
        """The window gets its title back."""
        self._alerts.close()

    def _write(self, sequence: str) -> None:
        """Straight to the terminal."""
        if self._driver is not None:
            self._driver.write(sequence)

    def _follow(self) -> None:
        if not any(worker.name == "link" for worker in self.workers):
            self.run_worker(self.link.run(), name="link", group="link")

    # --- news ------------------------------------------------------------------------------------------------------

    def _hear(self, change: Change) -> None:
        """Collect what is told between two drawings."""
        self._news.append(change)
        if len(self._news) == 1:
            self.set_timer(max(0.001, self._pace.wait()), self._tell)  # Textual divides by it

    async def _tell(self) -> None:
        """Draw all that was told since the last time."""
        if not self.screen_stack:  # the app is at its end
            return
        started = time.thread_time()
        news, self._news = self._news, []
        if any(isinstance(change, Renewed) for change in news):
            await self._adapt()
        for alert in self._alerts.take(news, loud=self.settings.alerts):
            if alert.kind != "problem":  # which stands below the header
                self.notify(text.clean(alert.text), markup=False)
        if any(isinstance(change, Renewed | Turned | protocol.StateChanged) for change in news):
            self.set_class(self.link.condition != "live", "-old")
            self.refresh_bindings()
        self.query_one(Notice).renew()
        self.query_one(Header).renew()
        self._panes[OVERVIEW].keep(news)
        pane = self._panes[self._shown]
        for change in news:
            pane.hear(change)
        pane.draw()
        self.call_after_refresh(lambda: self._pace.drawn(time.thread_time() - started))

    async def _adapt(self) -> None:
        """Another strategy has other screens; the ones that differ are made anew."""
        status = self.link.status
        if status is None or status.strategy == self._strategy:
            return
        self._strategy, self.extras = status.strategy, extras(status.strategy)
        for index in {TRIAL, STRATEGY} & self._panes.keys():
            await self._panes.pop(index).remove()
        self.query_one(Tabs).names = self._screens
        if self._shown not in self._panes:
            self.show(self._shown if self._shown in self._screens else OVERVIEW)

    @property
    def _screens(self) -> dict[int, str]:
        """Those that the search has, by number, with their names; before one is chosen, the list to choose from."""
        if self.link.target.home:
            return {RUNS: NAMES[RUNS]}
        names = {**NAMES, STRATEGY: self.extras.screen}
        return {index: name for index, name in names.items() if name}

    # --- screens ---------------------------------------------------------------------------------------------------

    @on(Tabs.Chosen)
    def _tab_chosen(self, message: Tabs.Chosen) -> None:
        self.action_go(message.index)

    def action_go(self, index: int) -> None:
        """Show a screen."""
        self.show(index)

    def action_turn(self, step: int) -> None:
        """The next or the previous screen."""
        order = list(self._screens)
        self.show(order[(order.index(self._shown) + step) % len(order)])

    def show(self, index: int) -> Pane:
        """Show a screen, made when it is first needed."""
        pane = self._panes.get(index)
        if pane is None:
            pane = self._panes[index] = make(index, self.extras, self.link, self.box)
            self.query_one("#panes").mount(pane)
        for other in self._panes.values():
            other.display = other is pane
        self._shown = index
        self.query_one(Tabs).current = index
        pane.call_after_refresh(pane.enter)
        return pane

    @on(ShowTrial)
    def _show_trial(self, message: ShowTrial) -> None:
        self.show(TRIAL).call_after_refresh(self._panes[TRIAL].show, message.number)  # type: ignore[attr-defined]

    @on(ShowTrials)
    def _show_trials(self, message: ShowTrials) -> None:
        self.show(TRIALS).call_after_refresh(self._panes[TRIALS].find, message.where)  # type: ignore[attr-defined]

    @on(ShowPlace)
    def _show_place(self, message: ShowPlace) -> None:
        self.show(STRATEGY).call_after_refresh(self._panes[STRATEGY].go, message.place)  # type: ignore[attr-defined]

    @on(AttachRun)
    async def _attach_run(self, message: AttachRun) -> None:
        try:
            await self.link.attach(self.link.target.sibling(message.directory))
        except NasdError as error:
            self.warn(f"{message.name} is not attached: {error}")
            return
        self._alerts.reset()
        self._follow()
        for index in [index for index in self._panes if index != OVERVIEW]:
            await self._panes.pop(index).remove()  # what they show is the other run's
        self.show(OVERVIEW)

    # --- actions ---------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One key pauses and resumes: only one of the two is there. Nor can one go to a screen that is not."""
        if action == "ask" and parameters[0] != "checkpoint" and self.link.serving:
            paused = self.link.status is not None and self.link.status.state in ("paused", "pausing")
            return paused == (parameters[0] == "resume")
        if action in OF_DAEMON and not self.link.serving:
            return False
        if action == "start":
            return not self.link.target.home and not self.link.serving and self.link.condition in ("live", "lost")
        if action == "go":
            return parameters[0] in self._screens
        if action == "turn":
            return not self.link.target.home
        return True

    @on(CopyNet)
    def _copy(self, message: CopyNet) -> None:
        self.copy_to_clipboard(message.net)
        self.notify(Content(f"Copied {text.clean(text.shorten(message.net, 60))}").plain, markup=False, timeout=2)

    def action_theme(self) -> None:
        """The other one of dark and light."""
        self.use_theme("dark" if not self.current_theme.dark else "light")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Colours of ours that Textual's own themes do not have."""
        return dict((theme.DARK if self.current_theme.dark else theme.LIGHT).variables)

    def use_theme(self, name: str) -> None:
        """Ours by `dark` and `light`, or one of Textual's; remembered."""
        self.theme = {"dark": theme.DARK.name, "light": theme.LIGHT.name}.get(name, name)
        self.settings.theme = self.theme
        settings.save(self.settings)

    def use_alerts(self, on: bool) -> None:
        """Bell and desktop notifications, or none; remembered."""
        self.settings.alerts = on
        settings.save(self.settings)
        self.notify(f"bell and desktop notifications are {'on' if on else 'off'}")

    def action_help(self) -> None:
        """The keys of the screen one is on."""
        from tui.dialogs.help import Help  # noqa: PLC0415

        self.push_screen(Help(self._screens[self._shown], list(self.screen.active_bindings.values())))

    async def action_detach(self) -> None:
        """Leave; the search goes on."""
        await self.box.close()
        self.exit()

    def action_help_quit(self) -> None:
        """Ctrl-C: somebody wants out."""
        self.notify("q detaches, and the search goes on. X stops it.", timeout=4)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Everything that has a key, for the command palette."""
        seen = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.tooltip and binding.id and not binding.id.startswith("table.") and binding.id not in seen:
                seen.add(binding.id)
                name, tooltip = binding.description, binding.tooltip
                if binding.action == f"go({STRATEGY})":
                    name, tooltip = self.extras.screen, f"Show the screen {self.extras.screen}"
                title = f"{name[:1].upper()}{name[1:]}  ({self.get_key_display(binding)})"
                yield SystemCommand(title, tooltip, _runner(self, binding.action, active.node))

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Say a sentence in the bottom line, where it covers nothing; the next takes its place."""
        self.screen_stack[0].query_one(KeyBar).say(message, severity, timeout or 4.0)


def _runner(app: App[None], action: str, node: Any) -> Callable[[], Any]:
    async def run() -> None:
        await app.run_action(action, node)

    return run
