"""How long a planned search takes, from its operations and from how fast a device computes them. Pure."""

from collections.abc import Iterable, Mapping
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


def too_long(plan: Plan, pace: Pace, timeout: float, tasks: int = 1) -> tuple[list[Cost], float | None]:
    """Evaluations that would end by `executor.trial_timeout`, and the limit on operations that leaves them out.

    Args:
        plan: The search.
        pace: Of its workers.
        timeout: Seconds that a part of an evaluation may take.
        tasks: Parts of an evaluation, each of which may take so long: the epochs of full training.

    Returns:
        Those evaluations, and `space.max_gflops` under which none of them is; None: even the smallest take too long.
    """
    late = [cost for cost in plan.costs if pace.longest(cost) > tasks * timeout]
    if not late:
        return late, None
    least = min(cost.gflops for cost in late)
    below = [cost.gflops for cost in plan.costs if cost.gflops < least]
    return late, max(below) if below else None
