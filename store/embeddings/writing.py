"""Writing an embedding whose values are there."""

import contextlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store import files
from store.embeddings.description import seal
from store.embeddings.layout import CHUNK_ROWS, DIMENSIONS, DTYPES, PARTS, SPLITS, Rows, Split, Unwritten, shard_rows
from store.errors import disk_errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def stage(directory: Path, splits: Mapping[str, Split | Unwritten], attributes: Mapping[str, Any]) -> Path:
    """Write an embedding under a temporary name, synced; `Embeddings.adopt` gives it its name.

    Needs no run and no lock, so that a worker process can write what the daemon then adopts.

    Args:
        directory: The run's `embeddings` folder, or another on the same file system.
        splits: Any of `SPLITS`; `x` of two dimensions, equally many rows in `x`, `y` and `index`.
        attributes: JSON-able: architecture, seed, data set and transforms, statistics mode, dtype, nasd version.

    Raises:
        ValueError: A split has another name, shape or dtype, or the attributes are not JSON.
        DiskFullError: No space; nothing is left behind.
        DiskError: The disk refused; nothing is left behind.
    """
    import zarr  # noqa: PLC0415

    _check_splits(splits)
    json.dumps(attributes, allow_nan=False)
    temporary = files.temporary_beside(directory / "any")
    try:
        with disk_errors(directory, "write an embedding"):
            group = zarr.create_group(temporary, attributes=dict(attributes))
            for name, split in splits.items():
                order = by_class(split.y)
                for part in PARTS:
                    _write(group, f"{name}/{part}", getattr(split, part), order)
            seal(temporary)
            files.sync_tree(temporary)
    except BaseException:
        with contextlib.suppress(OSError):
            files.remove(temporary)
        raise
    return temporary


def _check_splits(splits: Mapping[str, Split | Unwritten]) -> None:
    for name, split in splits.items():
        if name not in SPLITS:
            raise ValueError(f"there is no split {name!r}; choose from {', '.join(SPLITS)}")
        for part, dimensions in (("x", (2,)), ("y", (1, 2)), ("index", (1,))):
            array = getattr(split, part)
            if len(array.shape) not in dimensions or array.dtype.name not in DTYPES:
                raise ValueError(f"{name}/{part} has shape {array.shape} and dtype {array.dtype}")
        if not len(split.x) == len(split.y) == len(split.index):
            raise ValueError(f"{name} has {len(split.x)} rows in x, {len(split.y)} in y, {len(split.index)} in index")


def by_class(labels: "NDArray[Any]") -> "NDArray[np.intp]":
    """The order in which rows are stored: by class, within a class as given."""
    import numpy as np  # noqa: PLC0415

    # lexsort takes the most significant key last.
    return np.argsort(labels, kind="stable") if labels.ndim == 1 else np.lexsort(labels.T[::-1])


def _write(group: Any, name: str, values: "NDArray[Any] | Rows", order: "NDArray[np.intp]") -> None:
    array = create(group, name, values.shape, values.dtype)
    rows = array.shards[0]
    for start in range(0, len(values), rows):
        array[start : start + rows] = values[order[start : start + rows]]


def create(group: Any, name: str, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Any:
    """Make one zarr array in our layout, without any values yet."""
    from zarr.codecs import ZstdCodec  # noqa: PLC0415

    rest = tuple(max(length, 1) for length in shape[1:])
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        shards=(shard_rows(shape[0], dtype.itemsize * math.prod(rest)), *rest),
        chunks=(CHUNK_ROWS, *rest),
        compressors=ZstdCodec(level=1, checksum=True),  # without the checksum flipped bits go unnoticed
        dimension_names=DIMENSIONS[name.rpartition("/")[2]][: len(shape)],  # xarray refuses arrays without
        config={"write_empty_chunks": True},  # so that a chunk of zeros is told from a missing one
    )
