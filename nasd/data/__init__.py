"""Data sets behind one registry, resident in memory as tensors.

`describe` says the shape without loading images, `prepare` makes sure that the files are there, `load` reads them.
"""

from nasd.data._load import describe, load, prepare, root
from nasd.data._record import Data, Description, Split

__all__ = ["Data", "Description", "Split", "describe", "load", "prepare", "root"]
