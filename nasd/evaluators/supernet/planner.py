"""The daemon's half of epochs of a supernet."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from nasd.config import Config
from nasd.errors import NasdError
from nasd.evaluators.base import File, Look, Timeout
from nasd.evaluators.orders import Evaluation, Supernet
from nasd.graph import Graph
from nasd.outcome import Outcome
from nasd.seeding import trial_seed


class SupernetPlanner:
    """See `nasd.evaluators.base.Planner`. A killed epoch begins again.

    The facts of its proposals say which epoch it is (`epoch`), and name the files of the run that it `reads` and
    `writes`.
    """

    timeout: Timeout = "task"

    def __init__(self, config: Config, run: Path) -> None:
        self._seed = config.seed
        del run  # what an epoch leaves is a file of what was learned

    def restore(self, looks: Iterable[Look]) -> None:
        """There is no quick look."""

    def refusal(self, graph: Graph) -> str | None:
        """None: it takes every network."""
        return None

    def reads(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """What the epoch before it left."""
        return () if facts["reads"] is None else (facts["reads"],)

    def trial(
        self,
        net: str,
        number: int,
        *,
        after: int,
        keep_above: float | None,
        facts: Mapping[str, Any] = {},
        file: Callable[[str], Path] = Path,
    ) -> Supernet:
        """The next epoch, from the file that the one before it left."""
        begin = facts["reads"]
        return Supernet(
            epoch=facts["epoch"],
            seed=trial_seed(self._seed, number),
            begin=None if begin is None else str(file(begin)),
            end=facts["writes"],
        )

    def observed(self, number: int, place: int, outcome: Outcome | None) -> None:
        """Nothing is left."""

    def repeat(self, job: int, repeat: int, net: str, seed: int, epochs: int, *, embedding: bool) -> Evaluation:
        """Never asked: a job trains one architecture. Raises NasdError."""
        raise NasdError("a supernet is trained by the search alone; ask for full training of an architecture")

    async def keep(self, job: int, repeat: int, files: Mapping[str, File]) -> dict[str, Any]:
        """There is nothing."""
        return {"embedding": None, "weights": []}

    def forget(self, job: int, repeat: int) -> None:
        """Nothing goes on."""

    def sweep(self, trials: Collection[int], jobs: Collection[int]) -> None:
        """Nothing lies around: what is staged is the store's to sweep."""
