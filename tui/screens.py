"""The screens: their numbers, which are their keys less one, their names, and what makes them."""

from collections.abc import Mapping

from tui.box import Box
from tui.link import Link
from tui.panes.pane import Pane
from tui.strategies.table import Extras, load

OVERVIEW, TRIALS, TRIAL, STRATEGY, JOBS, LOG, RUNS, CONFIG, INSIGHT = range(9)

NAMES: Mapping[int, str] = {
    OVERVIEW: "Overview", TRIALS: "Trials", TRIAL: "Trial", STRATEGY: "", JOBS: "Jobs", LOG: "Log", RUNS: "Runs",
    CONFIG: "Config", INSIGHT: "Insight",
}  # fmt: skip
"""The screens that every search has; the strategy's own is named by its extras, and keeps its key if there is none."""


def make(index: int, extras: Extras, link: Link, box: Box) -> Pane:
    """The screen with this number. Imported when first shown: the first paint does not wait for the others."""
    makers = {
        TRIALS: "tui.panes.trials:Trials",
        TRIAL: extras.trial,
        STRATEGY: extras.pane,
        JOBS: "tui.panes.jobs:Jobs",
        LOG: "tui.panes.log:Log",
        RUNS: "tui.panes.runs:Runs",
        CONFIG: "tui.panes.config:Config",
        INSIGHT: "tui.panes.insight:Insight",
    }
    pane: Pane = load(makers[index])(link, f"pane-{index}", *([box] if index == RUNS else []))
    return pane
