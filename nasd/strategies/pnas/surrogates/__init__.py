"""What predicts a cell's reward from those of other cells: fitted from nothing at each level, in numpy."""

from nasd.strategies.pnas.surrogates.base import Surrogate, Tell, make
from nasd.strategies.pnas.surrogates.rows import Rows

__all__ = ["Rows", "Surrogate", "Tell", "make"]
