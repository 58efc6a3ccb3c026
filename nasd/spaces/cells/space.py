"""The space of cells: what strategies, evaluators and the daemon ask about them."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from nasd.config.cells import CellsConfig
from nasd.graph import Graph
from nasd.spaces.base import Infeasible
from nasd.spaces.cells import arrays
from nasd.spaces.cells.arrays import Codes
from nasd.spaces.cells.canonical import canonical, canonical_flat
from nasd.spaces.cells.cell import FIRST_BLOCK, OPERATORS, Block, Cell, Term, blocks_read, source_text
from nasd.spaces.cells.counting import count
from nasd.spaces.cells.describe import graph
from nasd.spaces.cells.parse import parse

T = TypeVar("T")

UNITS = {"max_parameters": "weights", "max_operations": "multiply-adds for one image"}


class CellSpace:
    """The cells that `config` allows, in canonical form: two are equal if their networks are."""

    def __init__(self, config: CellsConfig) -> None:
        self.config = config
        self._operators = sorted(OPERATORS.index(operator) for operator in config.operators)
        self._flat = config.lookforward == 0
        self._exchanged = self._flat and config.combine == "concat"  # terms may change places between blocks

    def parse(self, text: str) -> Cell:
        """Read a cell, of operators that the config leaves out and of any number of blocks, too.

        Raises:
            GrammarError: With the position and what was expected; no other error for any string.
        """
        return self.cell(parse(text, self.config.lookback))

    def canonical(self, text: str) -> str:
        """A cell as it is written in canonical form. Raises GrammarError."""
        return str(self.parse(text))

    def cell(self, blocks: tuple[Block, ...]) -> Cell:
        """The cell of these blocks, each of which reads blocks before it only."""
        if self._exchanged and not blocks_read(blocks):
            return Cell(canonical_flat(blocks), self.config)
        return Cell(canonical(blocks), self.config)

    def feasible(self, architecture: Cell) -> Infeasible | None:
        """Why it should not be evaluated: its network is above a limit of the config."""
        config = self.config
        if config.max_parameters is None and config.max_operations is None:
            return None
        network = self.graph(architecture)
        for name, value, limit in (
            ("max_parameters", network.parameters, config.max_parameters),
            ("max_operations", network.operations, config.max_operations),
        ):
            if limit is not None and value > limit:
                return Infeasible(f"{value:,} {UNITS[name]}, more than space.{name}, {limit:,}")
        return None

    def graph(self, architecture: Cell) -> Graph:
        """The network of a cell, stem and classifier included."""
        return graph(architecture)

    def decisions(self, architecture: Cell) -> dict[str, str | float]:
        """How often each operator and each kind of source occurs: blocks have no places of their own."""
        terms = [term for block in architecture.blocks for term in block]
        found: dict[str, str | float] = {"blocks": len(architecture.blocks)}
        for number in self._operators:
            found[f"operator {OPERATORS[number]}"] = sum(term.operator == number for term in terms)
        for source in range(self.config.lookback):
            found[f"reads {source_text(source)}"] = sum(term.source == source for term in terms)
        found["blocks that others read"] = len(blocks_read(architecture.blocks))
        return found

    # Random cells

    def sample(self, random: np.random.Generator) -> Cell:
        """Draw a whole cell: block after block, every term of it uniform."""
        blocks: list[Block] = []
        for _ in range(self.config.blocks):
            first = self._term(blocks, len(blocks), random)
            second = self._term([*blocks, (first, first)], len(blocks), random)
            blocks.append((first, second))
        return self.cell(tuple(blocks))

    def mutate(self, architecture: Cell, random: np.random.Generator) -> Cell:
        """Change the source or the operator of one term; a cell that has no neighbour stays what it is."""
        blocks = list(architecture.blocks)
        changes = []
        for number, block in enumerate(blocks):
            others = blocks[:number] + blocks[number + 1 :]
            for place, term in enumerate(block):
                sources = self._sources([*others, (block[1 - place], block[1 - place])], number)
                changes += [(number, place, Term(source, term.operator)) for source in sources if source != term.source]
                changes += [
                    (number, place, Term(term.source, operator))
                    for operator in self._operators
                    if operator != term.operator
                ]
        if not changes:
            return architecture
        number, place, term = _one_of(changes, random)
        kept = blocks[number][1 - place]
        blocks[number] = (term, kept) if place == 0 else (kept, term)
        return self.cell(tuple(blocks))

    def _term(self, blocks: Sequence[Block], number: int, random: np.random.Generator) -> Term:
        return Term(_one_of(self._sources(blocks, number), random), _one_of(self._operators, random))

    def _sources(self, blocks: Sequence[Block], number: int) -> list[int]:
        """What block `number` may read, where these are the terms that are settled."""
        read = blocks_read(tuple(blocks))
        limit = self.config.lookforward
        own = range(number) if limit is None or len(read) < limit else sorted(read & set(range(number)))
        return [*range(self.config.lookback), *(FIRST_BLOCK + block for block in own)]

    # All cells

    def count(self, blocks: int) -> int:
        """Cells of exactly so many blocks."""
        config = self.config
        lookforward = None if config.lookforward is None or config.lookforward >= blocks - 1 else config.lookforward
        return count(config.lookback, len(config.operators), blocks, lookforward=lookforward, combine=config.combine)

    def cells(self, blocks: int) -> Iterator[str]:
        """Every cell of exactly so many blocks, ascending, in canonical form; in constant memory."""
        for codes in self.enumerate(blocks):
            yield from arrays.texts(codes)

    def enumerate(self, blocks: int) -> Iterator[Codes]:
        """The same as arrays of at most some ten thousand cells.

        A canonical cell without its last block is canonical: so all are found by appending to canonical ones, and none
        is found twice.
        """
        if blocks == 1:
            yield self.choices(1)[:, None]
            return
        for parents in self.enumerate(blocks - 1):
            for children in self.expansions(parents):
                yield children[arrays.keys(self.canonical_codes(children)) == arrays.keys(children)]

    def choices(self, blocks: int) -> Codes:
        """What the last block of cells of so many blocks may be, (m, 2), ascending."""
        return arrays.choices(self.config.lookback, self._operators, blocks - 1, flat=self._flat)

    def expansions(self, parents: Codes) -> Iterator[Codes]:
        """All cells with one more block, as they come, in chunks; not in canonical form, and some more than once."""
        choices = self.choices(parents.shape[1] + 1)
        for part in arrays.chunks(parents, arrays.CHUNK // len(choices)):
            children = arrays.expanded(part, choices)
            if self.config.lookforward is not None:
                children = children[arrays.read_counts(children) <= self.config.lookforward]
            yield children

    def canonical_codes(self, codes: Codes) -> Codes:
        """The canonical form of every row."""
        return arrays.canonical_flat_codes(codes) if self._exchanged else arrays.canonical_codes(codes)


def _one_of(values: Sequence[T], random: np.random.Generator) -> T:
    return values[int(random.integers(len(values)))]
