"""Progressive neural architecture search (PNAS, Liu et al., arXiv 1712.00559, algorithm 1).

All cells of one block are evaluated. From then on, every evaluated cell of a level is expanded by each possible block;
a surrogate, fitted to all rewards so far, ranks these; the best `search.k` are the next level; the last has
`space.blocks` blocks. Equal cells are one candidate, cells whose evaluation failed are neither learned from nor
expanded. A level is ranked when all of it is observed, from rows in the order of their numbers: in whatever order they
came.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from nasd.config import CellsConfig, Config, PnasConfig
from nasd.correlation import rank_correlation
from nasd.errors import ConfigError
from nasd.outcome import Outcome
from nasd.spaces.base import GrammarError, Space
from nasd.spaces.cells import CellSpace
from nasd.spaces.cells.cell import blocks_text
from nasd.strategies.base import Learned, Observed, Progress, Proposal, Stage, Work
from nasd.strategies.ledger import Ledger, Row
from nasd.strategies.pnas.payload import Candidate, Level, Request, Taken, decode, encode
from nasd.strategies.pnas.ranking import DIGITS

LARGEST_LEVEL = 1_000_000
"""Cells of a level where `k` is null, at most: each of them is evaluated."""


class PNAS:
    """The strategy.

    Args:
        config: `search`, `space` and `seed` are used.
        space: Cells.

    Raises:
        ConfigError: The space is another, or the search would not end.
    """

    def __init__(self, config: Config, space: Space[Any]) -> None:
        if not isinstance(space, CellSpace):
            raise ConfigError("search.strategy pnas searches cells: set space.kind to cells")
        self.config, self.space = config, space
        self.search = cast(PnasConfig, config.search)
        self.blocks = cast(CellsConfig, config.space).blocks
        if self.search.k is None and (cells := space.count(self.blocks)) > LARGEST_LEVEL:
            raise ConfigError(
                f"search.k is null, and there are {cells:,} cells of {blocks_text(self.blocks)} to evaluate: "
                "set k, or make the space smaller"
            )
        self._reset()

    def _reset(self) -> None:
        self.ledger = Ledger(self.space)
        first = tuple(Candidate(net) for net in self.space.cells(1))
        self.levels: list[Level] = [Level(1, first, len(first))]
        self._taken: tuple[str, ...] = ()  # what the level that is ranked next has already
        self._next = 0  # place in the last level of what is proposed next
        self._done: dict[int, int] = {}  # rows that counted, by number of blocks
        self._lost: dict[int, int] = {}  # those that did not
        self._rewards: dict[str, float] = {}  # of cells that were evaluated
        self._correlations: dict[int, float | None] = {}  # of levels that are closed

    # The interface of a strategy

    @property
    def finished(self) -> bool:
        """Whether the last level is observed, or a level left nothing to expand."""
        return self._closed and not self._taken and (len(self.levels) == self.blocks or not self._parents())

    def propose(self, room: int) -> tuple[Proposal, ...]:
        """Walk on through the level; at its end, wait."""
        proposals: list[Proposal] = []
        while len(proposals) < room and self._next < len(self.levels[-1].cells):
            proposals.append(self._propose())
        return tuple(proposals)

    def observe(self, proposal: Proposal, outcome: Outcome | None) -> Observed:
        """Note the row. Raises as `Strategy.observe`."""
        observed = self.ledger.observe(proposal, outcome)
        self._note(self.ledger.rows[-1])
        if self._closed and (found := self.correlation(len(self.levels))) is not None:
            return replace(observed, facts={"level_correlation": found})
        return observed

    def work(self) -> Work | None:
        """Ranking the next level, once the last one is observed."""
        if self.finished or not self._closed:
            return None
        blocks, parents = len(self.levels) + 1, self._parents()
        rows = sorted((row for row in self.ledger.rows if row.reward > 0), key=lambda row: row.number)
        request = Request(
            blocks=blocks,
            parents=parents,
            rows=tuple((row.net, row.reward) for row in rows),
            known=self._taken,
            wanted=None if self.search.k is None else self.search.k - len(self._taken),
        )
        candidates = len(parents) * len(self.space.choices(blocks))
        return Work(f"ranking {candidates:,} cells of {blocks_text(blocks)}", encode(request))

    def learn(self, answer: Learned) -> None:
        """Take the ranking of the next level. Raises as `Strategy.learn`."""
        record = decode(answer.payload) if self.work() is not None else None
        if not isinstance(record, Level):
            raise ValueError("there is no work whose answer this could be")  # noqa: TRY004 - as the seam has it
        self._add(record)

    def progress(self) -> Progress:
        """Every level is a stage. Cells that failed are not asked for."""
        sizes = [len(level.cells) for level in self.levels]
        sizes += [self._expected(blocks) for blocks in range(len(sizes) + 1, self.blocks + 1)]
        stages = []
        for blocks, size in enumerate(sizes, start=1):
            done = self._done.get(blocks, 0)  # with repeats, where another search is gone on with
            stages.append(Stage(stage_label(blocks), done, max(size - self._lost.get(blocks, 0), done)))
        asked = sum(stage.of or 0 for stage in stages)
        return Progress(self.ledger.counted, asked, len(self.levels) - 1, tuple(stages), self._notes())

    def position(self) -> dict[str, Any]:
        """How far the search is; all else follows from what was learned."""
        return {"level": len(self.levels), "next": self._next}

    def restore(self, position: Mapping[str, Any] | None, learned: Iterable[bytes], open: Sequence[Proposal]) -> None:
        """Take up where a checkpoint ends. Raises as `Strategy.restore`."""
        fresh = PNAS(self.config, self.space)
        rows: list[bytes] = []
        for payload in learned:
            match decode(payload):
                case Row():
                    rows.append(payload)
                case Level() as level:
                    fresh._add(level)
                case Taken(row=last) as taken:
                    rows.append(encode(last))
                    fresh._take(taken.levels)
        for row in fresh.ledger.restore(rows, open):
            fresh._note(row)
        if position is None:
            if fresh.ledger.rows or fresh.ledger.open:
                raise ValueError("the strategy's position is missing though trials have been made")
        else:
            known = {cell.net for cell in fresh.levels[-1].cells if fresh.ledger.knows(cell.net)}
            fresh._next = position["next"] if isinstance(position.get("next"), int) else -1
            walked = {cell.net for cell in fresh.levels[-1].cells[: max(fresh._next, 0)]}
            if dict(position) != fresh.position() or walked != known:
                raise ValueError("the strategy's position does not fit its trials and levels")
        self.__dict__.update(fresh.__dict__)

    # What others read and do

    def import_rows(self, rows: Sequence[tuple[str, float]]) -> tuple[Observed, ...]:
        """Go on where another search of the same space stood.

        Args:
            rows: Cells in canonical form and their rewards, in its order; they become trials 1, 2, ...

        Returns:
            What came of each row.

        Raises:
            ValueError: This search has begun already, or there are no rows, or one does not fit; it is named, and the
                strategy is as it was.
        """
        if self.ledger.rows or self.ledger.open or len(self.levels) > 1:
            raise ValueError("rows can only be imported before the first trial")
        if not rows:
            raise ValueError("there are no rows to import")
        levels: list[dict[str, None]] = [{} for _ in range(max(net.count("(") for net, _ in rows))]
        if len(levels) > self.blocks:
            raise ValueError(f"there are cells of {blocks_text(len(levels))}, and space.blocks is {self.blocks}")
        seen: dict[str, int] = {}
        observed, records = [], list[Row]()
        for number, (net, reward) in enumerate(rows, start=1):
            levels[net.count("(") - 1][net] = None
            first = seen.setdefault(net, number)
            records.append(Row(number, net, reward))
            observed.append((reward, reward > 0, None if first == number else first))
        if not all(levels):
            raise ValueError(
                "there are cells of more blocks, but none of "
                + ", ".join(str(blocks) for blocks, cells in enumerate(levels, start=1) if not cells)
            )
        taken = Taken(records[-1], tuple(tuple(cells) for cells in levels))
        payloads = [*map(encode, records[:-1]), encode(taken)]
        fresh = PNAS(self.config, self.space)
        fresh._take(taken.levels)
        self.restore(fresh.position(), payloads, ())
        return tuple(Observed(*one, Learned(payload)) for one, payload in zip(observed, payloads, strict=True))

    @property
    def walked(self) -> int:
        """How many cells of the newest level have been proposed."""
        return self._next

    def rewards(self, blocks: int) -> list[tuple[str, float]]:
        """The evaluated cells of a level, by rank, and their rewards."""
        cells = self.levels[blocks - 1].cells
        return [(cell.net, self._rewards[cell.net]) for cell in cells if cell.net in self._rewards]

    def trials(self) -> dict[str, tuple[int, float | None]]:
        """The trial of every cell that was proposed, the first one, and its reward; None while it is open."""
        found: dict[str, tuple[int, float | None]] = {}
        for row in self.ledger.rows:
            found.setdefault(row.net, (row.number, row.reward))
        for proposal in self.ledger.open.values():
            found.setdefault(proposal.net, (proposal.number, None))
        return found

    def outcomes(self, blocks: int) -> list[tuple[float, float]]:
        """What was predicted of the evaluated cells of a level, to the digits that count, and what came of them."""
        return [
            (round(cell.prediction, DIGITS), self._rewards[cell.net])
            for cell in self.levels[blocks - 1].cells
            if cell.prediction is not None and cell.net in self._rewards
        ]

    def correlation(self, blocks: int) -> float | None:
        """Spearman's, between what was predicted of a level and what came of it; None: too little is known."""
        found = self.outcomes(blocks)
        if len(found) < 2:
            return None
        predictions, rewards = zip(*found, strict=True)
        return round(rank_correlation(predictions, rewards), 6)

    @property
    def ended_early(self) -> str | None:
        """Why the search ended with nothing to show for its last level, in one sentence; None: it did not."""
        if not self.finished or any(cell.net in self._rewards for cell in self.levels[-1].cells):
            return None
        said = f"No cell of {blocks_text(len(self.levels))} could be evaluated"
        return f"{said}." if len(self.levels) == self.blocks else f"{said}: there is nothing to expand."

    def _propose(self) -> Proposal:
        level, place = self.levels[-1], self._next
        candidate = level.cells[place]
        facts: dict[str, Any] = {"level": level.blocks, "rank": place + 1}
        if candidate.prediction is not None:
            facts |= {"prediction": candidate.prediction, "spread": candidate.spread}
        self._next += 1
        return self.ledger.propose(self.space.parse(candidate.net), stage_label(level.blocks), facts)

    @property
    def _closed(self) -> bool:
        return self._next == len(self.levels[-1].cells) and not self.ledger.open

    def _parents(self) -> tuple[str, ...]:
        """The cells of the last level that were evaluated, in its order."""
        return tuple(cell.net for cell in self.levels[-1].cells if cell.net in self._rewards)

    def _notes(self) -> tuple[str, ...]:
        """What `status` says of it."""
        level = self.levels[-1]
        trained = f"{self._done.get(level.blocks, 0):,} of {len(level.cells):,} trained"
        space = f"{self.space.count(self.blocks):,} cells of {blocks_text(self.blocks)} in the space"
        said = [f"level {level.blocks} of {self.blocks}: {trained}, {level.scored:,} scored, {space}"]
        closed = range(2, len(self.levels) + self._closed)
        for blocks in closed:
            if blocks not in self._correlations:
                self._correlations[blocks] = self.correlation(blocks)
        if told := [f"b={b} {self._correlations[b]:.2f}" for b in closed if self._correlations[b] is not None]:
            said.append(f"rank correlation of prediction and outcome: {', '.join(told)}")
        return (*said, reason) if (reason := self.ended_early) else tuple(said)

    def _add(self, level: Level) -> None:
        if level.blocks != len(self.levels) + 1 or level.blocks > self.blocks:
            raise ValueError(
                f"a ranking of cells of {blocks_text(level.blocks)} does not follow {len(self.levels)} levels"
            )
        for cell in level.cells:
            try:
                self.space.parse(cell.net)
            except GrammarError as error:
                raise ValueError(f"a ranked cell is none of this space: {error}") from error
        self.levels.append(level)
        self._next = len(self._taken)
        self._taken = ()

    def _take(self, levels: tuple[tuple[str, ...], ...]) -> None:
        """Begin with what another search has evaluated: only its last level is filled up."""
        *closed, last = levels
        self.levels = [Level(blocks, _unranked(nets)) for blocks, nets in enumerate(closed, start=1)]
        if not closed:
            rest = tuple(net for net in self.space.cells(1) if net not in last)
            self.levels, self._next = [Level(1, _unranked((*last, *rest)), 0)], len(last)
        elif self.search.k is not None and len(last) >= self.search.k:
            self.levels.append(Level(len(levels), _unranked(last)))
            self._next = len(last)
        else:
            self._taken, self._next = last, len(closed[-1])

    def _note(self, row: Row) -> None:
        blocks, counts = row.net.count("("), self._done if row.reward > 0 else self._lost
        counts[blocks] = counts.get(blocks, 0) + 1
        if row.reward > 0:
            self._rewards.setdefault(row.net, row.reward)

    def _expected(self, blocks: int) -> int:
        """Cells of a level that is not ranked yet, at most."""
        if self.finished:
            return 0
        cells = self.space.count(blocks)
        return cells if self.search.k is None else min(self.search.k, cells)


def stage_label(blocks: int) -> str:
    """Of the cells of so many blocks."""
    return f"b={blocks}"


def _unranked(nets: Iterable[str]) -> tuple[Candidate, ...]:
    return tuple(map(Candidate, nets))
