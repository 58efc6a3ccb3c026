"""Folders of .npy files, the layout of the published DP-NAS code: `SPLIT/CLASS/%06d.npy`, one file a sample.

torchvision's DatasetFolder reads a split. It numbers classes by the order of their folders' names, so these are the
class numbers with leading zeros, and an empty folder where a split lacks a class. A file's number is the sample's place
in its data set.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from nasd.errors import NasdError
from nasd.export.place import unfinished
from store import files
from store.embeddings import Embedding


def npy_folder(embedding: Embedding, target: Path) -> None:
    """Write every sample to a file of its own.

    Killed, it leaves a hidden folder that the next call goes on with, from the last whole shard.

    Raises:
        NasdError: The target exists, another process writes it, or the samples have several classes each.
        EmbeddingError: The embedding is damaged.
        DiskFullError: No space.
        DiskError: The disk refused.
    """
    labels = {split: embedding.labels(split)[0] for split in embedding.splits}
    if any(y.ndim != 1 for y in labels.values()):
        raise NasdError(f"{embedding.path} has several classes a sample, a folder of a class each cannot hold them")
    classes = 1 + max((int(y.max(initial=0)) for y in labels.values()), default=0)
    width = len(str(classes - 1))
    with unfinished(target, resumable=True) as whole:
        progress = whole.with_name("progress.json")
        written: dict[str, Any] = {"embedding": str(embedding.path.absolute()), "shards": 0}
        if progress.is_file():
            found = json.loads(progress.read_bytes())
            written = found if found["embedding"] == written["embedding"] else written
        if not written["shards"]:
            files.remove(whole)
        for split in embedding.splits:
            for number in range(classes):
                (whole / split / f"{number:0{width}}").mkdir(parents=True, exist_ok=True)
        shards = ((name, shard) for name in embedding.splits for shard in embedding.shards(name))
        for number, (name, shard) in enumerate(shards, 1):
            if number <= written["shards"]:
                continue
            for x, y, index in zip(shard.x, shard.y.tolist(), shard.index.tolist(), strict=True):
                np.save(whole / name / f"{y:0{width}}" / f"{index:06}.npy", x, allow_pickle=False)
            os.sync()  # one call; syncing file by file takes a hundred times as long
            written["shards"] = number
            files.write_atomically(progress, json.dumps(written).encode())
