"""The bottom line: the keys that do something here, each a button for the mouse; for a moment, what was just said."""

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

SEVERITIES = {"information": ("i", "$primary"), "warning": ("▲", "$warning"), "error": ("✗", "$error")}


class KeyBar(Widget):
    """Shows the bindings of the focused widget and its parents, nearest first, as many as fit."""

    DEFAULT_CSS = """
    KeyBar {
        height: 1; dock: bottom; background: $surface; color: $dim; text-wrap: nowrap; text-overflow: ellipsis;
    }
    KeyBar.-saying { color: $foreground; padding: 0 1; text-wrap: wrap; height: auto; max-height: 3; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._buttons: list[tuple[int, int, DOMNode, Binding]] = []
        self.said = ""
        self._severity = ""
        self._silence: Timer | None = None

    def say(self, sentence: str, severity: str, seconds: float) -> None:
        """Show a sentence instead of the keys for a while; it takes the place of the one before."""
        self.said, self._severity = sentence, severity
        if self._silence is not None:
            self._silence.stop()
        self._silence = self.set_timer(seconds, self.be_silent)
        self.add_class("-saying")
        self.refresh(layout=True)

    def be_silent(self) -> None:
        """Back to the keys."""
        self.said = ""
        self.remove_class("-saying")
        self.refresh(layout=True)

    def compose(self) -> ComposeResult:
        """Nothing inside."""
        yield from ()

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, _: Screen[object]) -> None:
        self.refresh()

    def render(self) -> Content:
        """`key what` pairs, or what was just said."""
        self._buttons = []
        if self.said:
            glyph, colour = SEVERITIES.get(self._severity, SEVERITIES["information"])
            return Content.assemble((f"{glyph} ", f"bold {colour}"), self.said)
        parts: list[tuple[str, str]] = []
        used, seen = 0, set()
        active = [one for one in self.screen.active_bindings.values() if one.binding.show and one.enabled]
        # What is always there comes last, but the way out and the help must be seen on the narrowest screen.
        active.sort(key=lambda one: one.node is self.app)
        room = self.size.width
        kept = [one for one in active if one.binding.action in ("help", "detach", "command_palette")]
        reserve = sum(self._width(one.binding) for one in kept)
        for one in active:
            binding = one.binding
            wide = self._width(binding)
            action = binding.action.removeprefix("app.")
            if action in seen or (one not in kept and used + wide + reserve > room):
                continue
            if one in kept:
                reserve -= wide
            seen.add(action)
            self._buttons.append((used, used + wide, one.node, binding))
            parts += [(f" {self.app.get_key_display(binding)}", "bold $primary"), (f" {binding.description} ", "")]
            used += wide
        return Content.assemble(*parts)

    async def on_click(self, event: events.Click) -> None:
        """Do what the key would."""
        found = self._under(event.x)
        if found:
            await self.app.run_action(found[1].action, found[0])

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Explain the key under the mouse."""
        found = self._under(event.x)
        self.tooltip = Content(found[1].tooltip) if found and found[1].tooltip else None

    def _width(self, binding: Binding) -> int:
        return len(self.app.get_key_display(binding)) + len(binding.description) + 3

    def _under(self, x: int) -> tuple[DOMNode, Binding] | None:
        return next(((node, binding) for start, end, node, binding in self._buttons if start <= x < end), None)
