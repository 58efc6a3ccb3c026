"""Cells of blocks, stacked into networks (PNAS, arXiv 1712.00559). Pure; no torch, no I/O."""

from nasd.spaces.cells.cell import OPERATORS, Cell, Term
from nasd.spaces.cells.counting import count
from nasd.spaces.cells.space import CellSpace

__all__ = ["OPERATORS", "Cell", "CellSpace", "Term", "count"]
