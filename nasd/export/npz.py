"""One .npz file, for numpy alone: `x_train`, `y_train`, `index_train`, the same for val and test, and `attributes`."""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasd.export.place import unfinished
from store.embeddings import Embedding


def npz(embedding: Embedding, target: Path) -> None:
    """Write a whole embedding into one file, a shard at a time; not compressed, so that it opens quickly.

    `attributes` is JSON text that says how it was made.

    Raises:
        NasdError: The target exists, or another process writes it.
        EmbeddingError: The embedding is damaged.
        DiskFullError: No space.
        DiskError: The disk refused.
    """
    with unfinished(target) as whole, zipfile.ZipFile(whole, "x", zipfile.ZIP_STORED) as archive:
        for split, shape in embedding.splits.items():
            _member(archive, f"x_{split}", shape, (shard.x for shard in embedding.shards(split)))
            y, index = embedding.labels(split)
            _member(archive, f"y_{split}", y.shape, [y])
            _member(archive, f"index_{split}", index.shape, [index])
        text = np.array(json.dumps(embedding.attributes))
        _member(archive, "attributes", (), [text])


def _member(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], blocks: Iterable[NDArray[Any]]) -> None:
    """One array, of blocks that follow each other."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
        for number, block in enumerate(blocks):
            if number == 0:
                described = np.lib.format.header_data_from_array_1_0(block) | {"shape": shape, "fortran_order": False}
                np.lib.format.write_array_header_1_0(stream, described)
            stream.write(np.ascontiguousarray(block).data)
