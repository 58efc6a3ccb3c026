"""Which trials are worth a full evaluation: those whose quick score is among the best of the search so far.

One rung of successive halving (arXiv 1603.06560) against the search's own past instead of a bracket, so that it needs
no trial to wait for others.
"""

from bisect import bisect_right


class Screen:
    """The quick scores of a search.

    Args:
        keep: Share of the scores so far, in (0, 1], to which a trial must belong.
        after: Scores that there must be before any trial is held back.
    """

    def __init__(self, keep: float, after: int) -> None:
        self._keep, self._after = keep, after
        self._orders: list[int] = []
        self._scores: list[float] = []

    def add(self, order: int, score: float) -> None:
        """Add the score of a trial that was observed as the `order`-th; later ones have higher orders."""
        self._orders.append(order)
        self._scores.append(score)

    def floor(self, observed: int) -> float | None:
        """The lowest score worth a full evaluation, by the trials up to that order; None: any is.

        A function of what was observed by then and of nothing that came later, so that a trial that is evaluated again
        after a crash is held to the same.
        """
        scores = self._scores[: bisect_right(self._orders, observed)]
        if len(scores) < self._after or self._keep >= 1:
            return None
        return sorted(scores, reverse=True)[max(1, int(self._keep * len(scores))) - 1]
