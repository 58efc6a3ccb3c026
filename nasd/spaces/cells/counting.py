"""How many cells there are, without making them.

Numberings of the blocks are permutations that act on all ways to wire numbered blocks without a circle; cells are the
orbits, and Burnside's lemma counts these: the mean, over all permutations, of the wirings that one leaves unchanged.
Such a wiring is settled by one block of each of the permutation's cycles, and reads no circle of cycles; circle-free
wirings are counted by taking away the cycles that nobody reads (Robinson 1973).
"""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import comb, factorial, gcd
from typing import Literal

Combine = Literal["add", "concat"]


@cache
def count(
    lookback: int, operators: int, blocks: int, *, lookforward: int | None = None, combine: Combine = "add"
) -> int:
    """Cells of `blocks` blocks, equal ones counted once.

    Args:
        lookback: Earlier cells that a block may read.
        operators: How many there are.
        blocks: Exactly so many.
        lookforward: Blocks of a cell that others may read; None: all of them.
        combine: `concat` makes a difference where no block may read another, see `canonical_flat`.
    """
    terms = lookback * operators
    if lookforward == 0 and combine == "concat":
        return comb(terms + 2 * blocks - 1, 2 * blocks)
    readable = blocks if lookforward is None else lookforward
    total = Fraction(0)
    for cycles in _cycle_types(blocks, blocks):
        total += Fraction(_invariant(terms, operators, cycles, readable), _centraliser(cycles))
    return int(total)


def candidates(lookback: int, operators: int, block: int) -> int:
    """Ways to choose block number `block` (from 1) where it may read all that come before: unordered pairs of terms."""
    terms = (lookback + block - 1) * operators
    return terms * (terms + 1) // 2


def _cycle_types(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    """The ways to write `total` as a sum of parts, the largest first."""
    if total == 0:
        yield ()
    for part in range(min(total, largest), 0, -1):
        for rest in _cycle_types(total - part, part):
            yield (part, *rest)


def _centraliser(cycles: tuple[int, ...]) -> int:
    """blocks! divided by the number of permutations with such cycles."""
    size = 1
    for length in set(cycles):
        times = cycles.count(length)
        size *= length**times * factorial(times)
    return size


def _invariant(terms: int, operators: int, cycles: tuple[int, ...], readable: int) -> int:
    """Circle-free wirings that a permutation with these cycles leaves unchanged, at most `readable` blocks read."""
    everything = frozenset(range(len(cycles)))
    if readable >= len(everything) and readable >= sum(cycles) - 1:
        return _wirings(terms, operators, cycles, everything)
    total = 0
    for read in _subsets(everything):
        if sum(cycles[cycle] for cycle in read) <= readable:  # exactly these are read: inclusion and exclusion
            total += sum((-1) ** len(read - some) * _wirings(terms, operators, cycles, some) for some in _subsets(read))
    return total


def _wirings(terms: int, operators: int, cycles: tuple[int, ...], readable: frozenset[int]) -> int:
    """The same where only blocks of the cycles `readable` may be read."""

    def choices(cycle: int, among: frozenset[int]) -> int:
        """Blocks of a cycle that read cells and these cycles, and stay the same when it has been gone round once."""
        fixed, swapped = terms, 0
        for other in among & readable:
            turns = cycles[other] // gcd(cycles[cycle], cycles[other])
            fixed += cycles[other] * operators if turns == 1 else 0
            swapped += cycles[other] // 2 * operators if turns == 2 else 0
        return fixed * (fixed + 1) // 2 + swapped

    @cache
    def of(some: frozenset[int]) -> int:
        if not some:
            return 1
        total = 0
        for unread in _subsets(some):
            if unread:
                rest = some - unread
                product = 1
                for cycle in unread:
                    product *= choices(cycle, rest)
                total += (-1) ** (len(unread) + 1) * product * of(rest)
        return total

    return of(frozenset(range(len(cycles))))


def _subsets(of: frozenset[int]) -> Iterator[frozenset[int]]:
    for size in range(len(of) + 1):
        yield from map(frozenset, combinations(sorted(of), size))
