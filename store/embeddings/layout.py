"""What an embedding is made of: its splits, their arrays, and how these are cut."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS = ("train", "val", "test")
PARTS = ("x", "y", "index")
DTYPES = ("float16", "float32", "float64", "int16", "int32", "int64", "uint8", "bool")
SHARD_BYTES = 64 << 20
CHUNK_ROWS = 64  # measured: 512 reads random rows half as fast, and packs no better


@dataclass(frozen=True, slots=True)
class Split:
    """One split of an embedded data set."""

    x: "NDArray[Any]"  # rows by values
    y: "NDArray[Any]"  # a class a row, or for multi-label data a row of zeros and ones
    index: "NDArray[Any]"  # the row's place in its data set


def shard_rows(rows: int, row_bytes: int) -> int:
    """How many rows go into a shard: whole chunks, about `SHARD_BYTES`."""
    shard = max(min(SHARD_BYTES // max(row_bytes, 1), rows) // CHUNK_ROWS, 1) * CHUNK_ROWS
    # no shard for a few last rows
    return shard + CHUNK_ROWS if shard < rows <= shard + CHUNK_ROWS else shard
