"""What a search will cost, before it begins: the real strategy runs against a stub in place of the evaluator.

Which architectures are proposed depends on the rewards, which nobody knows yet. The stub's reward falls by two points
with each layer, as those of random encoders roughly do, so that a search that learns comes to prefer shallow networks.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from nasd import rooms
from nasd.config import Config
from nasd.errors import NasdError
from nasd.evaluators.base import Step, Workspace
from nasd.graph import Graph, Node
from nasd.outcome import Evaluated
from nasd.runs.remaining import Works
from nasd.spaces.base import Space
from nasd.strategies.base import Learned, Proposal, Strategy

STANDSTILL = 1000  # trials in a row that do not count, after which no end is expected
BYTES_A_TRIAL = 12_000  # of the database (docs/performance.md)
FLOAT = 4  # bytes
TRAINED = 3  # passes that a training step of an image is worth: forward, and backward to inputs and to weights


class Images(NamedTuple):
    """How many images each split has."""

    train: int
    validation: int
    test: int


class Layer(NamedTuple):
    """One operation of an encoder, for one image."""

    kernel: str  # its class, such as conv 3x3
    gflop: float
    place: int  # among the graph's nodes


@dataclass(frozen=True)
class Cost:
    """What one evaluation takes.

    Attributes:
        stage: Of the search.
        net: The architecture.
        gflops: Of the whole network for one image, as `space.max_gflops` counts them.
        layers: Of the encoder, where there is something to compute.
        passes: Images that pass the encoder, those that are trained counted `TRAINED` times each epoch; where there are
            rungs, as many as are to be expected.
        whole: The same if it passes all rungs.
        passing: Share of such evaluations that pass all rungs; 1 where there are none.
        classifier: GFLOP of the classifier that is trained behind it; 0 where it is trained with the rest. Likewise.
        values: Of the embedding of one image.
        activations: Values of the largest layer's output for one image.
    """

    stage: str
    net: str
    gflops: float
    layers: tuple[Layer, ...]
    passes: float
    whole: float
    passing: float
    classifier: float
    values: int
    activations: int

    @property
    def encoder(self) -> float:
        """GFLOP of all passes."""
        return self.passes * sum(layer.gflop for layer in self.layers)

    @property
    def encoded_whole(self) -> float:
        """The same if it passes all rungs."""
        return self.whole * sum(layer.gflop for layer in self.layers)


@dataclass(frozen=True)
class Plan:
    """A simulated search: how many proposals of each kind, and the cost of those that are evaluated, in their order."""

    kinds: Mapping[str, int]
    costs: tuple[Cost, ...]

    @property
    def by_stage(self) -> dict[str, list[Cost]]:
        """The evaluations of each stage."""
        stages: dict[str, list[Cost]] = {}
        for cost in self.costs:
            stages.setdefault(cost.stage, []).append(cost)
        return stages

    @property
    def by_kernel(self) -> dict[str, float]:
        """GFLOP of the encoder by class of operation, the largest first."""
        sums: dict[str, float] = {}
        for cost in self.costs:
            for layer in cost.layers:
                sums[layer.kernel] = sums.get(layer.kernel, 0.0) + cost.passes * layer.gflop
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def quantile(self, share: float) -> Cost:
        """The evaluation than which so large a share of all needs no more in the encoder if it passes all rungs."""
        return sorted(self.costs, key=lambda cost: cost.encoded_whole)[
            min(int(share * len(self.costs)), len(self.costs) - 1)
        ]

    def examples(self, number: int) -> dict[str, list[tuple[str, int]]]:
        """Of each class of operation so many layers, as (architecture, place), that stand for all.

        Half-way through equal parts of the class's operations, sorted by the layers' size: so each stands for as many
        operations as another.
        """
        found: dict[str, list[tuple[float, float, str, int]]] = {}
        for cost in self.costs:
            for layer in cost.layers:
                found.setdefault(layer.kernel, []).append(
                    (layer.gflop, cost.passes * layer.gflop, cost.net, layer.place)
                )
        chosen: dict[str, list[tuple[str, int]]] = {}
        for kernel, layers in found.items():
            layers.sort()
            share, reached, wanted = sum(work for _, work, _, _ in layers) / number, 0.0, 0.5
            for _, work, net, place in layers:
                reached += work
                while wanted < number and reached >= wanted * share:
                    chosen.setdefault(kernel, []).append((net, place))
                    wanted += 1
        return chosen

    def disk(self, images: Images, keep: int) -> int:
        """Bytes of the run's directory at its end: rows, and at most so many of the largest embeddings."""
        rows = sum(self.kinds.values()) * BYTES_A_TRIAL
        largest = sorted((cost.values for cost in self.costs), reverse=True)[:keep]
        return rows + FLOAT * sum(images) * sum(largest)


def plan(config: Config, images: Images, progress: Callable[[int], None] = lambda done: None) -> Plan:
    """Simulate a search, and count what its evaluations take.

    Args:
        config: Settled (`nasd.runs.create.settle`).
        images: Of its data set.
        progress: Told of every trial.

    Raises:
        NasdError: It is one that cannot be simulated, or that does not come to an end.
    """
    space = rooms.space(config)
    kinds: dict[str, int] = {}
    costs: list[Cost] = []
    for number, (proposal, graph, _) in enumerate(simulated(config, space), 1):
        kinds[proposal.kind] = kinds.get(proposal.kind, 0) + 1
        if graph is not None:
            costs.append(_cost(proposal, graph, config, images, len(costs)))
        progress(number)
    if not costs:
        raise NasdError("plan: no architecture of this search is evaluated")
    return Plan(kinds, tuple(costs))


def works(config: Config, progress: Callable[[], None]) -> dict[str, Works]:
    """Simulate a search, and say what its trials that count take, by stage.

    Args:
        config: Settled.
        progress: Called after every trial; what it raises is passed on.

    Raises:
        NasdError: It is one that cannot be simulated, or that does not come to an end.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    evaluations, gflop = 0, 0.0
    for proposal, graph, counted in simulated(config, rooms.space(config)):
        if graph is not None:
            evaluations, gflop = evaluations + 1, gflop + graph.gflops
        if counted:
            found.setdefault(proposal.stage, []).append((evaluations, gflop))
            evaluations, gflop = 0, 0.0
        progress()
    return {stage: np.array(rows) for stage, rows in found.items()}


def simulated(config: Config, space: Space[Any]) -> Iterator[tuple[Proposal, Graph | None, bool]]:
    """All proposals in the order in which they are observed, the graph of those that are evaluated, and whether they
    count.

    Raises:
        NasdError: It is one that cannot be simulated, or nothing counts any more.
    """
    if config.evaluation.kind == "supernet":
        raise NasdError(
            "plan: the epochs of a supernet cannot be planned, as all of them cost the same: start it, and read the "
            "time of the first one"
        )
    strategy = rooms.strategy(config, space)
    open: deque[Proposal] = deque()
    uncounted = 0
    while not strategy.finished:
        _think(strategy, config)
        open += strategy.propose((config.search.lookahead or 1) - len(open))
        proposal = open.popleft()
        graph = space.graph(space.parse(proposal.net)) if proposal.kind == "evaluate" else None
        observed = strategy.observe(proposal, None if graph is None else _outcome(graph))
        uncounted = 0 if observed.counted else uncounted + 1
        if uncounted >= STANDSTILL:
            raise NasdError(
                f"plan: none of {STANDSTILL:,} trials in a row counts, as their architectures are infeasible: raise "
                "the limits of space, or name other layers"
            )
        yield proposal, graph, observed.counted


def _think(strategy: Strategy, config: Config) -> None:
    """What a worker would think for the strategy."""
    while (work := strategy.work()) is not None:
        with TemporaryDirectory() as folder:
            thought = rooms.thinker(config)(config, work.request, _silent, Workspace({}, Path(folder)))
        strategy.learn(Learned(thought.payload, thought.files))


def _silent(step: Step) -> None:
    pass


def _outcome(graph: Graph) -> Evaluated:
    reward = max(0.2, 0.92 - 0.02 * len(graph.nodes))
    return Evaluated(
        reward=reward,
        validation_accuracies=(reward,),
        train_accuracies=(reward,),
        test_accuracy=reward,
        early_stopped=False,
        embedding_dim=1,
        micro_batch=1,
    )


def _cost(proposal: Proposal, graph: Graph, config: Config, images: Images, before: int) -> Cost:
    """Of the evaluation that comes after so many others."""
    behind = [node for node in graph.nodes if node.kind in ("fc", "classifier")]
    epochs = config.training.epochs
    if config.evaluation.kind == "training":
        passes = float(epochs * (TRAINED * images.train + images.validation) + images.test)
        counted, classifier = graph.nodes, 0.0
    else:
        twice = config.encoder.batch_norm_statistics == "population" and config.encoder.batch_norm > 0
        passes = float(sum(images) + (images.train if twice else 0))
        counted = tuple(node for node in graph.nodes if node not in behind)
        rows = epochs * (2 * images.train + images.validation) + images.test  # no gradient of the embedding is needed
        classifier = rows * sum(node.gflops for node in behind)
    seen, reaching = expected_images(config, images, before)
    return Cost(
        stage=proposal.stage,
        net=proposal.net,
        gflops=graph.gflops,
        layers=tuple(Layer(_kernel(node), node.gflops, place) for place, node in enumerate(counted) if node.operations),
        passes=passes - (sum(images) - seen),
        whole=passes,
        passing=reaching,
        classifier=classifier * reaching,
        values=_embedding(graph, behind),
        activations=max(_values(node) for node in graph.nodes),
    )


def expected_images(config: Config, images: Images, before: float) -> tuple[float, float]:
    """Images that an evaluation is expected to encode, and the share of evaluations that reach the classifier.

    Args:
        config: Its rungs count.
        images: Of the data set.
        before: Evaluations that came before it.
    """
    if (rungs := config.rungs) is None:
        return float(sum(images)), 1.0
    seen, reaching, last, reached = 0.0, 1.0, 0, float(before)
    for number, keep in zip(rungs.images, rungs.keep, strict=True):
        if number >= images.train:
            break
        seen += reaching * (number - last)
        last = number
        if reached >= rungs.after:
            reaching *= keep
            reached = rungs.after + (reached - rungs.after) * keep
    return seen + reaching * (sum(images) - last), reaching


def _kernel(node: Node) -> str:
    return f"{node.kind} {node.kernel}x{node.kernel}" if node.kernel else node.kind


def _values(node: Node) -> int:
    product = 1
    for side in node.shape:
        product *= side
    return product


def _embedding(graph: Graph, behind: Sequence[Node]) -> int:
    return _values(graph.nodes[len(graph.nodes) - len(behind) - 1])
