"""Data sets behind one registry, resident in memory as tensors.

`describe` says the shape without loading images, `prepare` makes sure that the files are there, `load` reads them,
`stream` reads what fits into memory and the rest as it is asked for.
"""

from nasd.data._load import describe, load, prepare, root, stream
from nasd.data._pictures import Crops, fetched
from nasd.data._record import Data, Images, Split, Streamed, StreamedSplit
from nasd.data._source import Description

__all__ = [
    "Crops",
    "Data",
    "Description",
    "Images",
    "Split",
    "Streamed",
    "StreamedSplit",
    "describe",
    "fetched",
    "load",
    "prepare",
    "root",
    "stream",
]
