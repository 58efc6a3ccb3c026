"""When a search will end: the operations of what is open, times the seconds that operations took so far. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNLIKE = 0.1  # of the time left: how far a search is from its simulation (docs/planning.md)
QUANTILE = 1.2816  # of the normal distribution, at 90 %

Works: TypeAlias = "NDArray[np.float64]"
"""(trials, 2): of each trial that counts the evaluations and their GFLOP for one image, those of the trials before it
included that did not count."""


class Ended(NamedTuple):
    """A trial that counted, with the trials before it that did not."""

    stage: str
    evaluations: int
    gflop: float  # of their networks, for one image each
    seconds: float  # since the counted trial before it, pauses left out


class Open(NamedTuple):
    """A trial that is under way."""

    stage: str
    gflop: float | None  # None: it needs no evaluation


class Left(NamedTuple):
    """Seconds to the end: the median, and the 10th and 90th percentile."""

    median: float
    low: float
    high: float


def remaining(
    stages: Mapping[str, int], open: Sequence[Open], expected: Mapping[str, Works], recent: Sequence[Ended]
) -> Left | None:
    """Estimate when a search ends.

    An evaluation takes a time of its own and a time for each operation; both are fitted to the recent trials. What
    trials of a stage take is the mean over its trials in a simulation of the search and among the recent ones.

    Args:
        stages: By label, how many trials that count are left; those that are open are among them.
        open: What is under way.
        expected: The simulation, by stage; where a stage is not in it, the recent trials stand for those to come.
        recent: The last trials that counted, in order.

    Returns:
        None: fewer than two trials have ended.
    """
    if not sum(stages.values()):
        return Left(0.0, 0.0, 0.0)
    if len(recent) < 2:
        return None
    import numpy as np  # noqa: PLC0415 - who only reads a run does not wait for it

    works = np.array([(trial.evaluations, trial.gflop) for trial in recent], dtype=np.float64)
    seconds = np.array([trial.seconds for trial in recent])
    rates = _rates(works, seconds)
    noise = float(np.var(seconds - works @ rates, ddof=1))
    left = dict(stages)
    median = simulated = variance = 0.0
    for trial in open:
        if left.get(trial.stage, 0) > 0:
            left[trial.stage] -= 1
            median += 0.0 if trial.gflop is None else float(np.array([1.0, trial.gflop]) @ rates)
    for stage in set(left) - {*expected, ""}:  # those that nothing is known of are one
        left[""] = left.get("", 0) + left[stage]
        del left[stage]
    for stage, count in left.items():
        here = works[[trial.stage == stage for trial in recent]]
        known = np.concatenate([expected[stage], here]) if stage in expected else works
        each = known @ rates
        of_stage = count * float(each.mean())
        median += of_stage
        simulated += of_stage if stage in expected else 0.0
        # What the trials to come are, and that their mean is an estimate.
        variance += float(each.var()) * (count + count**2 / len(known))
    total = sum(stages.values())
    variance += noise * (total + total**2 / len(recent))  # what else they take, and that the rates are estimates
    variance += (UNLIKE * simulated) ** 2
    spread = QUANTILE * math.sqrt(variance)
    return Left(median, max(0.0, median - spread), median + spread)


def _rates(works: Works, seconds: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """(2,) seconds of an evaluation and of a GFLOP, neither below 0, that explain the sum of the seconds."""
    import numpy as np  # noqa: PLC0415 - as above

    an_evaluation, a_gflop = np.linalg.lstsq(works, seconds)[0]
    if a_gflop < 0:
        an_evaluation, a_gflop = 1.0, 0.0
    elif an_evaluation < 0:
        an_evaluation, a_gflop = 0.0, 1.0
    rates = np.array([an_evaluation, a_gflop])
    explained = float(works.sum(axis=0) @ rates)
    return rates * (float(seconds.sum()) / explained if explained > 0 else 0.0)
