"""Embeddings on disk: sharded zarr against one .npy a sample, and the memory that a large export takes.

    python -m benchmarks.embeddings [--rows 60000] [--values 12800] [--folder DIR] [--skip-npy]

Both ways write the same half-zero float16 rows in the order of shuffled mini-batches of 128, then read them all back
once. Compare the ratios: both run in the same minutes on the same disk. Then a whole `nasd.export.deep_prior` of
FashionMNIST, with an architecture of as many values, in a process of its own, whose peak memory is what the kernel
says it was.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from store.embeddings import Draft, Embedding, EmbeddingDataset

BATCH = 128
NETS = {
    12800: "[C(32,5,1,2,1), P(4,4,0,0), C(512,3,1,0,1), SM(10)]",
    3200: "[C(32,5,1,2,1), P(4,4,0,0), C(128,3,1,0,1), SM(10)]",
}


def batches(rows, values):
    """Row numbers and their embeddings, as a pass makes them; ReLU leaves half of them zero."""
    draw = np.random.default_rng(1)
    block = np.maximum(draw.normal(size=(4 * BATCH, values)), 0).astype(np.float16)
    for start in range(0, rows, BATCH):
        order = draw.permutation(len(block))[: min(BATCH, rows - start)]
        yield np.arange(start, start + len(order)), block[order]


def peak():
    """Bytes of memory that this program took at most; getrusage would count the process that started it too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def timed(name, count, work):
    begun = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - begun
    print(f"{name:<34}{seconds:8.1f} s {count / seconds / 1e6:8.0f} MB/s", flush=True)
    return seconds, result


def write_zarr(folder, rows, values, labels):
    with Draft(folder / "e.zarr", {}, {"train": (labels, np.arange(rows))}, values, "float16") as draft:
        for numbers, x in batches(rows, values):
            draft.put("train", numbers, x)
            if draft.due:
                draft.save({})
        draft.finish({})


def write_npy(folder, rows, values, labels):
    for label in range(10):
        (folder / "npy" / str(label)).mkdir(parents=True)
    for numbers, x in batches(rows, values):
        for number, row in zip(numbers.tolist(), x, strict=True):
            np.save(folder / "npy" / str(labels[number]) / f"{number:06}.npy", row)
    os.sync()


def read_npy(folder):
    paths = [entry.path for sub in sorted((folder / "npy").iterdir()) for entry in os.scandir(sub)]
    np.random.default_rng(1).shuffle(paths)
    for path in paths:
        np.load(path)


def read_whole(folder):
    EmbeddingDataset(folder / "e.zarr").arrays()


def read_shuffled(folder):
    data = EmbeddingDataset(folder / "e.zarr")
    for row in data.shuffled():
        data[row]


def forget(folder):
    """Have the kernel forget what it holds of these files, so that reading means the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def compare(folder, rows, values, npy):
    count, labels = rows * values * 2, np.random.default_rng(2).integers(0, 10, rows)
    print(f"{rows:,} rows of {values:,} float16: {count / 1e9:.2f} GB")
    seconds = {"zarr write": timed("zarr: write, by class", count, lambda: write_zarr(folder, rows, values, labels))[0]}
    print(f"{'':<34}peak memory so far {peak() / 1e6:.0f} MB")
    if npy:
        seconds["npy write"] = timed(".npy: write", count, lambda: write_npy(folder, rows, values, labels))[0]
        forget(folder / "npy")
        seconds["npy read"] = timed(".npy: read, shuffled, cold", count, lambda: read_npy(folder))[0]
    forget(folder / "e.zarr")
    seconds["zarr shuffled"] = timed("zarr: read, shuffled, cold", count, lambda: read_shuffled(folder))[0]
    forget(folder / "e.zarr")
    seconds["zarr read"] = timed("zarr: read, all at once, cold", count, lambda: read_whole(folder))[0]
    size = sum(p.stat().st_blocks * 512 for p in (folder / "e.zarr").rglob("*"))
    files = sum(p.is_file() for p in (folder / "e.zarr").rglob("*"))
    print(f"zarr: {size / 1e9:.2f} GB in {files} files")
    assert Embedding(folder / "e.zarr").splits["train"] == (rows, values)
    if npy:
        size = sum(p.stat().st_blocks * 512 for p in (folder / "npy").rglob("*"))
        print(f".npy: {size / 1e9:.2f} GB in {rows} files")
        print(f"ratios: write {seconds['npy write'] / seconds['zarr write']:.1f}, "
              f"read shuffled {seconds['npy read'] / seconds['zarr shuffled']:.1f}, "
              f"all at once {seconds['npy read'] / seconds['zarr read']:.1f}")  # fmt: skip


def embed_large(folder, values):
    """In a process of its own: a whole FashionMNIST through an encoder of so many values."""
    from nasd.config import Config
    from nasd.export.deep_prior import DeepPrior, write_embedding
    from nasd.spaces.layers.parse import parse

    begun = time.perf_counter()
    config = Config.model_validate({"data": {"name": "fashion_mnist"}, "space": {"patch_size": 28}})
    write_embedding(DeepPrior(parse(NETS[values], 28, 10), 1, config), folder / "fashion.zarr", dtype="float16")
    rows = {name: shape[0] for name, shape in Embedding(folder / "fashion.zarr").splits.items()}
    print(f"nasd.export.deep_prior of FashionMNIST {rows}, {values:,} float16: {time.perf_counter() - begun:.0f} s, "
          f"peak memory {peak() / 1e6:.0f} MB, torch and images included")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--values", type=int, default=12_800, choices=sorted(NETS))
    parser.add_argument("--folder", type=Path, help="on the disk that is measured")
    parser.add_argument("--skip-npy", action="store_true")
    parser.add_argument("--embed-only", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="embeddings-", dir=options.folder))
    try:
        if options.embed_only:
            embed_large(folder, options.values)
            return
        compare(folder, options.rows, options.values, not options.skip_npy)
        command = [sys.executable, "-m", "benchmarks.embeddings", "--embed-only", "--values", str(options.values)]
        subprocess.run([*command, "--folder", str(folder)], check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
