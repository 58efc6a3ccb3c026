"""Data sets behind one registry, resident in memory as tensors.

`describe` says the shape without loading images, `prepare` makes sure that the files are there, `load` reads them,
`stream` reads what fits into memory and the rest as it is asked for; `fingerprint` says which data they are. Importing
this needs no torch, asking for what does brings it in.
"""

from typing import TYPE_CHECKING, Any

from nasd.data._fingerprint import Fingerprint, difference, fingerprint, require_same
from nasd.data._registry import is_there, root
from nasd.data._source import Description, Part, Raw, Source

if TYPE_CHECKING:
    from nasd.data._load import describe, load, prepare, stream
    from nasd.data._pictures import Crops, fetched
    from nasd.data._record import Data, Images, ImageSplit, Streamed, StreamedSplit

__all__ = [
    "Crops",
    "Data",
    "Description",
    "Fingerprint",
    "ImageSplit",
    "Images",
    "Part",
    "Raw",
    "Source",
    "Streamed",
    "StreamedSplit",
    "describe",
    "difference",
    "fetched",
    "fingerprint",
    "is_there",
    "load",
    "prepare",
    "require_same",
    "root",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nasd.data import _load, _pictures, _record  # noqa: PLC0415 - torch, two seconds

    return next(getattr(module, name) for module in (_load, _pictures, _record) if hasattr(module, name))
