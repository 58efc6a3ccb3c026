"""The rolling reward over all trials: the figure of the DP-NAS paper, live."""

from collections.abc import Sequence

from textual.content import Content

from nasd import protocol
from tui import chart, text
from tui.link import Link
from tui.widgets.panel import Panel

MOST = 1500
"""Points that are kept when trials are added to what the daemon sent."""


class RewardPlot(Panel):
    """Every reward as a dot, the mean of a window as a line, stages as marks."""

    def __init__(self, link: Link) -> None:
        super().__init__("rolling reward", id="rewards")
        self._link = link
        self._points: list[protocol.RewardPoint] = []
        self._stages: Sequence[protocol.StageRewards] = ()
        self._window = 20

    def show(self, rewards: protocol.Rewards) -> None:
        """What the daemon sent."""
        self._points, self._stages, self._window = list(rewards.points), rewards.stages, rewards.window
        self.border_title = Content(f"rolling reward, window {rewards.window}")
        self.renew()

    def add(self, event: protocol.TrialFinished) -> None:
        """A trial since then. Is drawn with the next `renew`."""
        mean = event.progress.rolling_reward
        if event.row.counted and mean is not None:
            self._points.append(protocol.RewardPoint(trial=event.row.number, mean=mean, reward=event.row.reward))
            if len(self._points) > MOST:
                del self._points[1 : MOST // 2 : 2]  # thin out the old half

    def renew(self) -> None:
        """The border tells the newest value in digits."""
        if self._points:
            best = max(point.mean for point in self._points)
            self.border_subtitle = Content(f"now {100 * self._points[-1].mean:.2f} · best {100 * best:.2f}")
        super().renew()

    def lines(self, width: int, height: int) -> Sequence[Content]:
        """The chart, or why there is none."""
        if not self._points:
            status = self._link.status
            if status is None:
                return [Content.styled("waiting for the daemon", "$dim")]
            if status.progress.counted:
                waiting = "loading …" if self._link.condition == "live" else "Not read before the daemon was gone."
                return [Content.styled(waiting, "$dim")]
            return [Content.styled("Starts with the first trial that counts.", "$dim")]
        status = self._link.status
        last = max(self._points[-1].trial, status.progress.trials if status else 0, 20)
        rewards = sorted(point.reward for point in self._points)
        means = [point.mean for point in self._points]
        # A few hopeless architectures would flatten the curve: they may lie below the window.
        low, high = chart.spread([rewards[len(rewards) // 12], rewards[-1], min(means), max(means)])
        axes = chart.Axes((1, last), (max(0.0, low), min(1.0, high)), y_text=lambda value: f"{100 * value:.4g}")
        stages = self._stages if len(self._stages) > 1 else ()
        names = [text.clean(stage.label) for stage in stages]
        common = text.common_start(names)
        marks = [
            chart.Mark(stage.first_trial, name, name[len(common) :])
            for stage, name in zip(stages, names, strict=True)
            if stage.first_trial is not None
        ]
        dots = chart.Series([(point.trial, point.reward) for point in self._points], "$secondary", line=False)
        line = chart.Series(chart.thin([(point.trial, point.mean) for point in self._points], width), "bold $warning")
        return chart.draw(width, height, axes, [dots, line], marks)
