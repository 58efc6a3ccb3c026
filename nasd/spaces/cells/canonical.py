"""Which cells are the same network: those that differ in the numbering of blocks and the order of terms alone.

Terms of a block are sorted. Of all numberings in which every block comes after those that it reads, the one counts
whose list of blocks is the least. Two equal blocks stay two blocks: a sum of two outputs is not one output twice.
"""

from nasd.spaces.cells.cell import FIRST_BLOCK, Block, Term

_Order = tuple[int, ...]
"""Blocks as they were numbered, in the order of their new numbers."""


def canonical(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """The least list of the same blocks.

    The list grows by one block at a time: the least of those that read nothing that is still to come. Where several are
    least, all are followed that may lead to different lists.
    """
    reads = [frozenset(term.block for term in block if term.block is not None) for block in blocks]
    least: list[Block] = []
    orders: list[_Order] = [()]
    while len(least) < len(blocks):
        best: Block | None = None
        followed: dict[object, _Order] = {}
        for order in orders:
            number = {old: new for new, old in enumerate(order)}
            for old, block in enumerate(blocks):
                if old in number or not reads[old] <= number.keys():
                    continue
                renumbered = _renumbered(block, number)
                if best is None or renumbered < best:
                    best, followed = renumbered, {}
                if renumbered == best:
                    longer = (*order, old)
                    followed.setdefault(_future(longer, reads), longer)
        assert best is not None  # blocks read only earlier ones, so one is always free
        least.append(best)
        orders = list(followed.values())
    return tuple(least)


def canonical_flat(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """The least list where no block reads another and all outputs are concatenated: terms may change places then."""
    terms = sorted(term for block in blocks for term in block)
    return tuple(zip(terms[::2], terms[1::2], strict=True))


def _renumbered(block: Block, number: dict[int, int]) -> Block:
    first, second = (
        term if term.source < FIRST_BLOCK else Term(FIRST_BLOCK + number[term.source - FIRST_BLOCK], term.operator)
        for term in block
    )
    return (first, second) if first <= second else (second, first)


def _future(order: _Order, reads: list[frozenset[int]]) -> object:
    """What the rest of the list depends on: the blocks that are left, and the numbers of those that they read."""
    left = [old for old in range(len(reads)) if old not in order]
    wanted = frozenset[int]().union(*(reads[old] for old in left))
    shown = tuple((old, new) for new, old in enumerate(order) if old in wanted)
    return frozenset(left), frozenset(shown)
