"""What an embedding is made of: its splits, their arrays, and how these are cut."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPLITS = ("train", "val", "test")
PARTS = ("x", "y", "index")
DIMENSIONS = {"x": ("sample", "value"), "y": ("sample", "label"), "index": ("sample",)}
"""Names of each array's dimensions, as zarr's `dimension_names`; embeddings of older versions have none."""
DTYPES = ("float16", "float32", "float64", "int16", "int32", "int64", "uint8", "bool")
SHARD_BYTES = 64 << 20
CHUNK_ROWS = 64  # measured: 512 reads random rows half as fast, and packs no better


@dataclass(frozen=True, slots=True)
class Split:
    """One split of an embedded data set."""

    x: "NDArray[Any]"  # rows by values
    y: "NDArray[Any]"  # a class a row, or for multi-label data a row of zeros and ones
    index: "NDArray[Any]"  # the row's place in its data set


class Rows(Protocol):
    """What writing asks of an array: its rows may come from elsewhere, a shard at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        ...

    @property
    def dtype(self) -> "np.dtype[Any]":
        """As of an array."""
        ...

    def __len__(self) -> int:
        """Number of rows."""
        ...

    def __getitem__(self, rows: "NDArray[np.intp]", /) -> "NDArray[Any]":
        """The rows of these numbers."""
        ...


@dataclass(frozen=True, slots=True)
class Unwritten:
    """One split that is about to be written; as a `Split`, whose values need not be in memory."""

    x: Rows
    y: "NDArray[Any]"
    index: "NDArray[Any]"


def shard_rows(rows: int, row_bytes: int) -> int:
    """How many rows go into a shard: whole chunks, about `SHARD_BYTES`."""
    shard = max(min(SHARD_BYTES // max(row_bytes, 1), rows) // CHUNK_ROWS, 1) * CHUNK_ROWS
    # no shard for a few last rows
    return shard + CHUNK_ROWS if shard < rows <= shard + CHUNK_ROWS else shard
