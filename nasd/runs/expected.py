"""How long a planned search takes, from its operations and from how fast a device computes them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nasd.runs.plan import Cost, Plan


@dataclass(frozen=True)
class Pace:
    """Of all workers of a search.

    Attributes:
        kernels: Seconds of 10^9 operations of each class of layer, all workers together.
        classifier: The same of one worker's classifier.
        workers: Those that work at the same time.
    """

    kernels: Mapping[str, float]
    classifier: float
    workers: int

    def evaluation(self, cost: Cost) -> float:
        """Seconds of one evaluation, from its start to its end, while the other workers do theirs."""
        return self.workers * cost.passes * self._image(cost) + cost.classifier * self.classifier

    def longest(self, cost: Cost) -> float:
        """The same if it passes all rungs; its classifier left out, which takes little of what takes long."""
        return self.workers * cost.whole * self._image(cost)

    def search(self, costs: Iterable[Cost]) -> float:
        """Seconds of some evaluations, shared among the workers."""
        return sum(map(self.evaluation, costs)) / self.workers

    def _image(self, cost: Cost) -> float:
        return sum(layer.gflop * self.kernels[layer.kernel] for layer in cost.layers)


def too_long(plan: Plan, pace: Pace, timeout: float, tasks: int = 1) -> list[Cost]:
    """Evaluations that would end by `executor.trial_timeout`.

    Args:
        plan: The search.
        pace: Of its workers.
        timeout: Seconds that a part of an evaluation may take.
        tasks: Parts of an evaluation, each of which may take so long: the epochs of full training.
    """
    return [cost for cost in plan.costs if pace.longest(cost) > tasks * timeout]


def leaving_out(late: Sequence[Cost], plan: Plan, space: str) -> str | None:
    """The limit under which none of these evaluations is, and what is smaller stays, such as `space.max_gflops to 1.2`.

    Args:
        late: Some of the plan's, one at least.
        plan: The search.
        space: Kind of its space, not all of which have a limit.

    Returns:
        None: There is no such limit, or even the smallest evaluation is one of these.
    """
    least = min(cost.gflops for cost in late)
    below = max((cost.gflops for cost in plan.costs if cost.gflops < least), default=None)
    if below is None or space == "supernet":
        return None
    if space == "cells":
        return f"space.max_operations to {round(below * 1e9 / 2)}"  # multiply-adds
    texts = (f"{below:.{digits}g}" for digits in range(3, 18))  # the last one is exact
    return f"space.max_gflops to {next(text for text in texts if below <= float(text) < least)}"
