"""Searches compared: what each strategy has reached after so many trials, after so many seconds, and which is better.

The unit is a run: runs whose configs differ in nothing but seed, name, and where they run are one group, and bands are
over its runs, not over trials (Lindauer and Hutter 2020, arXiv 1909.02453: several seeds, and performance over time).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nasd.config import Config
from nasd.errors import NasdError
from nasd.runs import changes
from nasd.runs.changeable import flat
from nasd.runs.data import frozen
from store import Run

WINDOW = 20  # trials of the mean reward; fewer at the start
RESAMPLES = 2000
LEVEL = 0.95
POINTS = 200  # of a curve over seconds

_NOT_THE_SEARCH: Mapping[str, bool | set[str]] = {
    "name": True, "seed": True, "executor": True, "store": True, "snapshots": True, "log": True, "notify": True,
    "data": {"root", "resident_limit"},
}  # fmt: skip
"""In what runs of one group may differ: they are one search, wherever it runs and whatever it keeps."""

Floats = NDArray[np.float64]
Measure = Literal["best", "mean"]
MEASURES: tuple[Measure, ...] = ("best", "mean")


@dataclass(frozen=True)
class Curve:
    """A run's trials that counted, in the order of observation.

    Attributes:
        name: The run's.
        strategy: As its config names it.
        key: What runs of one group have alike.
        rewards: (N,) fractions.
        seconds: (N,) seconds of evaluation up to the end of each trial, those included that did not count.
        basis: What its rewards were measured on and by, by dotted key of the config.
    """

    name: str
    strategy: str
    key: str
    rewards: Floats
    seconds: Floats
    basis: Mapping[str, Any] = field(default_factory=dict)

    def values(self, measure: Measure) -> Floats:
        """(N,) the best reward so far, or the mean of the last `WINDOW`."""
        if measure == "best":
            best: Floats = np.maximum.accumulate(self.rewards)
            return best
        sums, ends = np.concatenate([[0.0], np.cumsum(self.rewards)]), np.arange(1, len(self.rewards) + 1)
        starts = np.maximum(ends - WINDOW, 0)
        means: Floats = (sums[ends] - sums[starts]) / (ends - starts)
        return means


@dataclass(frozen=True)
class Group:
    """Runs of one search with several seeds."""

    label: str
    runs: tuple[Curve, ...]


@dataclass(frozen=True)
class Series:
    """A group's mean over its runs, and its bootstrap band; all (K,). Of a single run the band is the mean itself."""

    at: Floats
    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Duel:
    """How likely a run of `group` is ahead of a run of `against`, at the end, with its bootstrap interval."""

    group: str
    against: str
    probability: float
    low: float
    high: float


def read(run: Run) -> Curve:
    """A run's curve, as it is now.

    Raises:
        NasdError: Its config cannot be read, or no trial counts yet.
        StoreError: The run cannot be read.
    """
    config = changes.config_of(run)
    rewards, seconds, spent = list[float](), list[float](), 0.0
    for trial in run.observed():
        spent += trial.seconds
        if trial.counted:
            rewards.append(trial.reward)
            seconds.append(spent)
    if not rewards:
        raise NasdError(f"{run.path.name} has no trial that counts yet: wait for the first")
    key = config.model_dump_json(exclude=_NOT_THE_SEARCH)
    basis = _basis(config)
    if (identity := frozen(run)) is not None:
        basis["data"] = f"sha256 {identity.digest[:12]}"
    return Curve(run.path.name, config.search.strategy, key, np.array(rewards), np.array(seconds), basis)


def group(curves: Iterable[Curve]) -> tuple[Group, ...]:
    """Groups in the order of their first runs, labelled by strategy; by run too where a strategy has several groups.

    Raises:
        NasdError: Rewards of two of the runs do not compare: other data, or evaluated in another way.
    """
    members: dict[str, list[Curve]] = {}
    first: Curve | None = None
    for curve in curves:
        first = first or curve
        _require_same_basis(first, curve)
        members.setdefault(curve.key, []).append(curve)
    strategies = [runs[0].strategy for runs in members.values()]
    return tuple(
        Group(
            runs[0].strategy if strategies.count(runs[0].strategy) == 1 else f"{runs[0].strategy} ({runs[0].name})",
            tuple(runs),
        )
        for runs in members.values()
    )


def _basis(config: Config) -> dict[str, Any]:
    """What a reward depends on besides the architecture and the seed."""
    sections = {"data", "evaluation", "encoder", "training"}
    basis = flat(config.model_dump(mode="json", include=sections))
    for key in ("data.root", "data.resident_limit", "encoder.precision", "encoder.convolution"):
        del basis[key]  # where and how fast, not what
    return {**basis, "search.classes": config.search.classes}


def _require_same_basis(one: Curve, other: Curve) -> None:
    keys = [key for key in {**one.basis, **other.basis} if one.basis.get(key) != other.basis.get(key)]
    if None in (one.basis.get("data"), other.basis.get("data")):  # a run made before there were fingerprints
        keys = [key for key in keys if key != "data"]
    if keys:
        listed = ", ".join(f"{key} ({one.basis.get(key)}, {other.basis.get(key)})" for key in keys)
        raise NasdError(
            f"{one.name} and {other.name} cannot be compared, their rewards were not measured alike: they differ in "
            f"{listed}"
        )


def shared_trials(groups: Sequence[Group]) -> int:
    """Trials that every run of all groups has: up to there they can be compared."""
    return min(len(run.rewards) for one in groups for run in one.runs)


def by_trial(one: Group, measure: Measure) -> Series:
    """A group over its trials, up to the end of its shortest run."""
    count = shared_trials([one])
    values = np.stack([run.values(measure)[:count] for run in one.runs])
    return _series(np.arange(1, count + 1, dtype=np.float64), values)


def by_seconds(one: Group, measure: Measure) -> Series:
    """A group over seconds of evaluation: from when all its runs have a trial until the first of them ends."""
    first, last = max(run.seconds[0] for run in one.runs), min(run.seconds[-1] for run in one.runs)
    at = np.linspace(first, max(first, last), POINTS)
    values = [run.values(measure)[np.searchsorted(run.seconds, at, side="right") - 1] for run in one.runs]
    return _series(at, np.stack(values))


def probability(one: Group, other: Group) -> Floats:
    """(K,) how likely a run of `one` has a higher best reward than a run of `other`, after each of their shared trials.

    The share of pairs of runs, ties as one half: the A of Vargha and Delaney (2000), which is the Mann-Whitney U
    divided by the number of pairs.
    """
    means: Floats = _wins(one, other).mean(axis=(0, 1))
    return means


def duel(one: Group, other: Group) -> Duel:
    """`probability` after the last shared trial, with a percentile bootstrap interval over the runs of both."""
    wins = _wins(one, other)[:, :, -1]
    drawn = np.einsum("bi,ij,bj->b", _weights(len(one.runs), seed=0), wins, _weights(len(other.runs), seed=1))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Duel(one.label, other.label, float(wins.mean()), float(low), float(high))


def duels(groups: Sequence[Group]) -> tuple[Duel, ...]:
    """Every group against each later one."""
    return tuple(duel(one, other) for place, one in enumerate(groups) for other in groups[place + 1 :])


def _series(at: Floats, values: Floats) -> Series:
    """Mean over runs (R, K), with the percentile bootstrap (Efron and Tibshirani 1993, section 13.3)."""
    drawn = _weights(len(values), seed=0) @ values
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Series(at, values.mean(axis=0), low, high)


def _weights(runs: int, seed: int) -> Floats:
    """(RESAMPLES, runs) the share that each run has in a resample; the same whenever it is asked for."""
    drawn = np.random.default_rng(seed).multinomial(runs, [1 / runs] * runs, size=RESAMPLES)
    shares: Floats = drawn / runs
    return shares


def _wins(one: Group, other: Group) -> Floats:
    """(R, S, K) 1 where a run of `one` is ahead of a run of `other`, 1/2 where they are equal."""
    count = shared_trials([one, other])
    a, b = (np.stack([run.values("best")[:count] for run in each.runs]) for each in (one, other))
    a, b = a[:, None], b[None]
    ahead: Floats = (a > b) + 0.5 * (a == b)
    return ahead
