"""The daemon's half of deep priors: the floor of the quick look, and the embeddings that jobs keep."""

import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from nasd.config import Config
from nasd.evaluators.base import File, Look, Timeout
from nasd.evaluators.deep_prior.rungs import Rungs
from nasd.evaluators.deep_prior.screening import Screen
from nasd.evaluators.orders import DeepPrior
from nasd.graph import Graph
from nasd.outcome import Evaluated, Outcome, RungScores, rungs_in
from nasd.seeding import trial_seed
from store import files

log = logging.getLogger("nasd.evaluator")


class DeepPriorPlanner:
    """See `nasd.evaluators.base.Planner`. A killed repeat begins again: it leaves no checkpoint."""

    timeout: Timeout = "task"

    def __init__(self, config: Config, run: Path) -> None:
        self._seed, self._run = config.seed, run
        screen = config.training.screen
        self._screen = None if screen is None else Screen(screen.keep, screen.after)
        self._rungs = None if config.rungs is None else Rungs(config.rungs)

    def restore(self, looks: Iterable[Look]) -> None:
        """Of the quick look, or of the rungs, where there are such."""
        for place, reward, metrics in looks:
            self._add(place, reward, metrics.get("screening"), rungs_in(metrics))

    def refusal(self, graph: Graph) -> str | None:
        """The classifier is the only fully connected layer of a deep prior."""
        if any(node.kind == "fc" for node in graph.nodes):
            return "has fully connected layers, and a deep prior none: ask for full training"
        return None

    def reads(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """None: every trial begins anew."""
        return ()

    def trial(
        self,
        net: str,
        number: int,
        *,
        after: int,
        keep_above: float | None,
        facts: Mapping[str, Any] = {},
        file: Callable[[str], Path] = Path,
    ) -> DeepPrior:
        """Held to the best of the scores by then."""
        return DeepPrior(
            net=net,
            seed=trial_seed(self._seed, number),
            keep_above=keep_above,
            screen_floor=None if self._screen is None else self._screen.floor(after),
            rungs=() if self._rungs is None else self._rungs.order(after),
        )

    def observed(self, number: int, place: int, outcome: Outcome | None) -> None:
        """Its scores count from now on."""
        if isinstance(outcome, Evaluated):
            self._add(place, outcome.reward, outcome.screening, outcome.rungs)

    def _add(self, place: int, reward: float, screening: float | None, rungs: RungScores | None) -> None:
        if self._screen is not None and screening is not None:
            self._screen.add(place, screening)
        if self._rungs is not None and rungs is not None:
            self._rungs.add(place, reward, rungs)

    def repeat(self, job: int, repeat: int, net: str, seed: int, epochs: int, *, embedding: bool) -> DeepPrior:
        """Without rungs and without a quick look: who asks for an architecture wants it evaluated fully."""
        if not embedding:
            return DeepPrior(net=net, seed=seed, epochs=epochs)
        with contextlib.suppress(OSError):  # the worker will say that it cannot write there
            self._folder.mkdir(parents=True, exist_ok=True)
        return DeepPrior(net=net, seed=seed, epochs=epochs, keep_above=-1.0, staging=str(self._folder))

    async def keep(self, job: int, repeat: int, files: Mapping[str, File]) -> dict[str, Any]:
        """Its embedding, if there is one."""
        embedding = files.get("embedding")
        name = f"job-{job:06}-{repeat}.zarr"
        return {"embedding": None if embedding is None else await self._publish(embedding, name), "weights": []}

    def forget(self, job: int, repeat: int) -> None:
        """Nothing goes on."""

    def sweep(self, trials: Collection[int], jobs: Collection[int]) -> None:
        """Embeddings that a killed worker left half-written; those of trials are the store's to sweep."""
        with contextlib.suppress(OSError):  # what cannot be removed now may be at the next start
            for name in files.names(self._folder):
                if name.startswith(files.TEMPORARY):
                    files.remove(self._folder / name)

    @property
    def _folder(self) -> Path:
        return self._run / "exports" / "jobs"

    async def _publish(self, embedding: File, name: str) -> str | None:
        """Give an embedding its name; one that a kill left there already is the same and gives way."""
        target = self._folder / name
        try:
            staged = await embedding.fetch()
            files.remove(target)
            files.publish(staged, target)
        except OSError as error:  # the result counts, with or without its embedding
            log.warning("%s is not kept: %s", target, error)
            return None
        return str(target.relative_to(self._run))
