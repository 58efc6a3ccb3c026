"""The quick looks at an architecture: at its first images, before the others are encoded (`evaluation.rungs`)."""

from collections.abc import Sequence
from functools import partial

from nasd.config import Config
from nasd.data import Data
from nasd.evaluators.deep_prior.embed import Look
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.deep_prior.ridge import leave_one_out_accuracies, leave_one_out_bytes, ridge_bytes
from nasd.evaluators.deep_prior.rungs import estimate
from nasd.evaluators.networks.encoder import Buildable
from nasd.evaluators.orders import Rung
from nasd.outcome import Evaluated, RungScores


class CutError(Exception):
    """A look ended the evaluation."""

    def __init__(self, outcome: Evaluated) -> None:
        super().__init__("stopped at a rung")
        self.outcome = outcome


class Looks:
    """The scores at the rungs of one evaluation."""

    def __init__(self, rungs: Sequence[Rung], architecture: Buildable, data: Data, micro_batch: int) -> None:
        self._rungs, self._architecture, self._data, self._micro_batch = rungs, architecture, data, micro_batch
        self.scores: list[float] = []

    def begin(self, micro_batch: int) -> list[Look]:
        """What a pass calls; one that begins again scores again."""
        self._micro_batch = micro_batch
        self.scores.clear()
        return [Look(rung.images, partial(self._take, rung)) for rung in self._rungs]

    def taken(self, *, cut: bool = False) -> RungScores:
        """The scores so far."""
        images = tuple(rung.images for rung in self._rungs[: len(self.scores)])
        splits = tuple(map(len, self._data.splits.values()))
        return RungScores(scores=tuple(self.scores), images=images, splits=splits, cut=cut)

    def _take(self, rung: Rung, embedded: EmbeddedSplit) -> None:
        _, score = leave_one_out_accuracies(embedded.x, embedded.y, self._data.num_classes)
        self.scores.append(score)
        if rung.floor is not None and score < rung.floor:
            raise CutError(
                Evaluated(
                    reward=estimate(score, rung.gain),
                    validation_accuracies=(),
                    train_accuracies=(),
                    test_accuracy=None,
                    early_stopped=True,
                    embedding_dim=self._architecture.embedding_dim,
                    micro_batch=self._micro_batch,
                    rungs=self.taken(cut=True),
                )
            )


def rungs_of(config: Config) -> list[Rung]:
    """The rungs of a search, before anything is held to them."""
    return [] if config.rungs is None else [Rung(images=images) for images in config.rungs.images]


def looking_bytes(data: Data, values: int, config: Config, rungs: Sequence[Rung]) -> int:
    """What the quick looks take at most, besides the embeddings; the encoder rests meanwhile."""
    itemsize, needed = (2 if config.encoder.precision == "bfloat16" else 4), 0
    if (screen := config.training.screen) is not None:
        needed = ridge_bytes(len(data.train), len(data.validation), values, itemsize, screen.samples)
    for rung in rungs:
        if rung.images >= len(data.train):  # there is none after all of them
            continue
        samples = min(rung.images + config.training.batch_size, len(data.train))
        targets = 6 * 8 * samples * data.num_classes  # as integers, as float64, predicted, left out
        needed = max(needed, leave_one_out_bytes(samples, values, itemsize) + targets)
    return needed
