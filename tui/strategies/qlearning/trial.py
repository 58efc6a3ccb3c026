"""The screen of a trial, with the trial's steps in the Q-table."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from nasd import protocol
from nasd.protocol.qlearning import Neighbour, Neighbours, NeighboursParams
from tui import text
from tui.link import Link
from tui.messages import ShowPlace
from tui.panes.trial import Trial
from tui.panes.trial_parts import Part


class QTrial(Trial):
    """Asks for the steps when it has the trial."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "walk", "Q-table", id="trial.walk", tooltip="Show this architecture's states in the Q-table"),
    ]

    def __init__(self, link: Link, id: str) -> None:
        self._steps = Steps()
        super().__init__(link, id)

    def more(self) -> Sequence[Part]:
        """The steps."""
        return (self._steps,)

    async def fetch_more(self, detail: protocol.TrialDetail) -> None:
        """The steps of this architecture."""
        found: Neighbours = await self.link.call("qlearning.neighbours", NeighboursParams(net=detail.row.net))
        self._steps.steps = found.steps

    def action_walk(self) -> None:
        """Its states in the Q-table, up to the one before the end."""
        if self.detail:
            self.post_message(ShowPlace(tuple(step.action for step in self._steps.steps[:-1])))


class Steps(Part):
    """Every step of the architecture in the Q-table, and what would have been better there."""

    def __init__(self) -> None:
        super().__init__("steps in the Q-table", id="trial-steps")
        self.steps: tuple[Neighbour, ...] = ()

    def parts(self, detail: protocol.TrialDetail, width: int, height: int) -> Sequence[Content]:
        """One line a step."""
        if not self.steps:
            return [Content.styled("The Q-table has not seen this architecture.", "$dim")]
        wide = width >= 66
        found = [Content.styled(f"{'step':<18}{'Q':>8}{'tried':>7}{'rank':>9}   {'better' if wide else ''}", "$dim")]
        for step in self.steps:
            best = step.rank == 1
            line = [
                (f"{text.shorten(text.clean(step.action), 17):<18}", ""),
                (f"{step.q:>8.4f}", "bold"),
                (f"{step.tried:>7}", "$dim"),
                (f"{step.rank:>4}/{step.alternatives:<4}", "$success" if best else "$warning"),
            ]
            if wide:
                better = "✓ greedy" if best else f"▲ {text.clean(step.best_action)} {step.best_q:.4f}"
                line.append((f"   {text.shorten(better, width - 45)}", "$success" if best else "$dim"))
            found.append(Content.assemble(*line))
        return found
