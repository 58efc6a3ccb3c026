"""Which keys of a config may change after a run has begun: those that no trial so far rests on."""

from itertools import islice
from typing import Any

from nasd.config import CellsConfig, Config, QLearningConfig
from nasd.errors import ConfigError
from nasd.strategies.base import Strategy

_FREE = ("executor.", "store.", "data.resident_limit", "snapshots.", "log.", "notify.", "search.derive")
"""What decides where, how long and with how much room evaluations run, and what follows a search; a name that
ends with a dot: all below it."""

_LENGTHS = {
    "enas": ("search.epochs",),
    "pnas": ("space.blocks", "search.k"),
    "qlearning": ("search.epsilon_schedule",),
}
"""How long a search goes on, by strategy; for all others it is `search.trials`."""

_OF_WORKERS = ("executor.", "data.resident_limit", "search.epochs", "search.derive")
_NOT_OF_WORKERS = ("executor.trial_timeout", "executor.trial_attempts")
_AT_STARTS = ("log.",)

_OWN_WAYS = {
    "name": "a run keeps its name; nasd fork --name makes a copy with another",
    "data.root": "stop the run first; then nasd data RUN --root FOLDER says where the same data lie now",
    "data.name": "a run is one of one data set; make another run",
}
"""What neither `set` nor `fork --set` changes, and what to do instead."""

_REASONS = {
    "search": "what the search has learned so far rests on it",
    "space": "the architectures so far were drawn from it",
    "data": "the rewards so far were measured on it, and would not compare with later ones",
    "seed": "every draw so far rests on it",
}
_REWARDS = "the rewards so far were measured with it, and would not compare with later ones"


def flat(section: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A config's values by dotted key."""
    values: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, dict):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = value
    return values


def differences(before: Config, after: Config) -> dict[str, tuple[Any, Any]]:
    """By dotted key: the value before, and after. Whole sections that come or go are named key by key."""
    old, new = flat(before.model_dump(mode="json")), flat(after.model_dump(mode="json"))
    return {key: (old.get(key), new.get(key)) for key in old | new if old.get(key) != new.get(key)}


def require(
    before: Config, after: Config, keys: dict[str, tuple[Any, Any]], strategy: Strategy, *, forked: bool
) -> None:
    """Refuse what must not change.

    Args:
        before: The config so far.
        after: What was asked for.
        keys: As `differences` has them.
        strategy: As it stands.
        forked: Whether the run is a fork that was made for this.

    Raises:
        ConfigError: It must not; the message names the key, the reason, and what to do instead.
    """
    if before.search.lookahead is not None and after.search.lookahead is None:
        raise ConfigError("search.lookahead cannot be set: what is in flight is part of a run; give a number")
    if after.snapshots.to is not None and not after.snapshots.to.is_absolute():
        raise ConfigError(f"snapshots.to cannot be set: {after.snapshots.to} is no whole path; give one from / on")
    lengths = _LENGTHS.get(before.search.strategy, ("search.trials",))
    for key in keys:
        if key in _OWN_WAYS:
            raise ConfigError(f"{key} cannot be set: {_OWN_WAYS[key]}")
        if key == "search.lookahead":  # in a fork, too: what is open there was proposed with the other one
            held = {"training.screen": after.training.screen, "evaluation.rungs": after.rungs}
            for section in (name for name, value in held.items() if value is not None):
                raise ConfigError(
                    f"{key} cannot be set: with {section}, which trials are stopped rests on it; make another run"
                )
        elif forked or key.startswith(_FREE):
            continue
        elif key in lengths:
            _require_longer(key, before, after, strategy)
        else:
            raise _refused(key, _REASONS.get(key.partition(".")[0], _REWARDS))


def concerns_workers(key: str) -> bool:
    """Whether workers have to be started anew to go by it."""
    return key.startswith(_OF_WORKERS) and key not in _NOT_OF_WORKERS


def waits_for_a_start(key: str) -> bool:
    """Whether a daemon goes by it from its next start on only."""
    return key.startswith(_AT_STARTS)


def _require_longer(key: str, before: Config, after: Config, strategy: Strategy) -> None:
    """A search may end elsewhere, but not before where it is; phases that are behind it stay."""
    progress, total = strategy.progress(), after.search.total_trials
    done, level = progress.done, progress.stage + 1
    lost = (before.search.total_trials or 0) - (progress.of or 0)  # trials that are asked for and cannot count
    if total is not None and total - lost < done:
        raise ConfigError(
            f"{key} cannot be set: {done} trials have counted already, and it asks for {total}; give more"
        )
    if key == "space.blocks" and isinstance(after.space, CellsConfig) and after.space.blocks < level:
        raise ConfigError(
            f"{key} cannot be set: the search is at cells of {level} blocks already, and it asks for "
            f"{after.space.blocks}; give more"
        )
    if not isinstance(before.search, QLearningConfig) or not isinstance(after.search, QLearningConfig):
        return
    old, new = before.search, after.search
    if done > old.total_trials:  # rows of another search were imported
        return
    if list(islice(_epsilons(old), done)) != list(islice(_epsilons(new), done)):
        raise _refused(key, f"{done} trials have counted, and their phases must stay as they were")


def _epsilons(search: QLearningConfig) -> "Any":
    """The epsilon of each trial that counts."""
    return (epsilon for epsilon, count in search.epsilon_schedule for _ in range(count))


def _refused(key: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{key} cannot be set: {reason}; a copy of the run may go on with it: nasd fork RUN --at N --set {key}=..."
    )
