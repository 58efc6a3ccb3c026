"""The seam of a surrogate, and which there are."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from nasd.config.pnas import PnasConfig
from nasd.spaces.cells.arrays import Codes
from nasd.strategies.pnas.surrogates.lstm import LstmMember
from nasd.strategies.pnas.surrogates.mlp import MlpMember
from nasd.strategies.pnas.surrogates.ridge import Ridge
from nasd.strategies.pnas.surrogates.rows import Prediction, Rows

Tell = Callable[[int, int], None]
"""Told how many of how many steps are done."""


class Surrogate(Protocol):
    """Predicts rewards; bit for bit the same for the same rows, in any order of them, and seed."""

    def predict(self, codes: Codes) -> Prediction:
        """Of cells of equally many blocks, in canonical form."""
        ...


class Ensemble:
    """Members that each learned from all rows but their own share of them (PNAS, section 4.2)."""

    def __init__(self, members: Sequence[LstmMember] | Sequence[MlpMember]) -> None:
        self._members = members

    def predict(self, codes: Codes) -> Prediction:
        """Mean and standard deviation over the members."""
        each = np.stack([member.predict(codes) for member in self._members])
        return Prediction(each.mean(0), each.std(0))


def make(config: PnasConfig, rows: Rows, seed: int, tell: Tell) -> Surrogate:
    """Fit a surrogate.

    Args:
        config: Which, and how many members.
        rows: At least one.
        seed: Of this fit.
        tell: Told of the members that are fitted.
    """
    tell(0, config.ensemble)
    if config.surrogate == "ridge":
        return Ridge(rows)
    kind = MlpMember if config.surrogate == "mlp" else LstmMember
    members = []
    for number in range(config.ensemble):
        kept = np.arange(len(rows)) % config.ensemble != number if len(rows) >= config.ensemble > 1 else slice(None)
        random = np.random.Generator(np.random.PCG64([seed, number]))
        members.append(kind(rows[kept], random))
        tell(number + 1, config.ensemble)
    return Ensemble(members)  # type: ignore[arg-type]
