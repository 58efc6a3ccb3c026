"""An embedding as a map-style data set: what torch's DataLoader takes, without torch."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.embeddings.layout import CHUNK_ROWS, SHARD_BYTES
from store.embeddings.reading import Embedding

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


class EmbeddingDataset:
    """One split of an embedding: `len(dataset)`, and `dataset[i]` gives `(x, y)`.

    Rows are read in chunks of 64, of which as many are held as a shard has bytes. Reading row after row, or in the
    order of `shuffled`, so decodes each chunk once; another order works but may decode a chunk for every row. What fits
    into memory is best taken whole, by `tensors` or `arrays`. Each worker process of a DataLoader reads for itself.

    Attributes:
        targets: The class of each row (for multi-label data a row of zeros and ones), as a list.
        classes: The classes' names.
        index: Each row's place in its data set, (N,) int64.
        attributes: How the embedding was made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        split: str = "train",
        *,
        transform: "Callable[[NDArray[Any]], Any] | None" = None,
        memory: int = SHARD_BYTES,
    ) -> None:
        """Open a split.

        Args:
            path: The embedding's folder.
            split: `train`, `val` or `test`.
            transform: Applied to each row, such as `torch.from_numpy`; rows are arrays (values,) otherwise.
            memory: Bytes of decoded rows to hold.

        Raises:
            EmbeddingError: It is missing, incomplete or damaged, or has no such split.
            DiskError: It cannot be read.
        """
        self.path, self.split, self.transform = Path(path), split, transform
        self._embedding = Embedding(self.path)
        self.attributes = self._embedding.attributes
        y, self.index = self._embedding.labels(split)
        self.targets: list[Any] = y.tolist()
        data = self.attributes.get("data")
        named = data.get("classes") if isinstance(data, dict) else None
        highest = y.shape[1] if y.ndim == 2 else int(y.max(initial=-1)) + 1
        self.classes: list[str] = [str(name) for name in named or range(highest)]
        row_bytes = self._embedding.bytes(split) // max(len(y), 1)
        self._held = max(memory // (CHUNK_ROWS * max(row_bytes, 1)), 1)  # chunks
        self._chunks: OrderedDict[int, NDArray[Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, row: int) -> tuple[Any, Any]:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        chunk, place = divmod(row % len(self), CHUNK_ROWS)
        x = self._chunk(chunk)[place].copy()  # what is done to it must not be done to the chunk
        return x if self.transform is None else self.transform(x), self.targets[row]

    def shuffled(self, seed: int = 0) -> "Shuffled":
        """A sampler for a DataLoader: all rows, in another random order each epoch."""
        return Shuffled(len(self), self._held, seed)

    def arrays(self) -> "tuple[NDArray[Any], NDArray[Any]]":
        """All of it as numpy arrays, x (N, values) and y. Errors as for opening."""
        whole = self._embedding.read(self.split)
        return whole.x, whole.y

    def tensors(self) -> "tuple[torch.Tensor, torch.Tensor]":
        """All of it as torch tensors, x (N, values) and y. Errors as for opening."""
        import torch  # noqa: PLC0415 - the one thing here that needs it

        x, y = self.arrays()
        return torch.from_numpy(x), torch.from_numpy(y)

    def _chunk(self, number: int) -> "NDArray[Any]":
        found = self._chunks.get(number)
        if found is None:
            if len(self._chunks) >= self._held:
                self._chunks.popitem(last=False)
            found = self._embedding.rows(self.split, number * CHUNK_ROWS, (number + 1) * CHUNK_ROWS)
            self._chunks[number] = found
        self._chunks.move_to_end(number)
        return found

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_chunks": OrderedDict()}  # a worker that is spawned reads for itself


class Shuffled:
    """Rows in a random order in which those read soon after each other lie in few chunks.

    Rows are sorted by class, so that a shard has one class or two: chunks are drawn from everywhere, as many as memory
    holds, and the rows of these are shuffled. Every row comes once an epoch; each epoch, that is each iteration, has
    another order, told by the seed.
    """

    def __init__(self, rows: int, held: int, seed: int) -> None:
        """Args: the number of rows, of chunks that are held at a time, and a seed."""
        self._rows, self._held, self._seed, self.epoch = rows, held, seed, 0

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> "Iterator[int]":
        import numpy as np  # noqa: PLC0415

        draw = np.random.default_rng((self._seed, self.epoch))
        self.epoch += 1
        chunks = draw.permutation(-(-self._rows // CHUNK_ROWS))
        for start in range(0, len(chunks), self._held):
            window: NDArray[np.int64] = chunks[start : start + self._held, None] * CHUNK_ROWS + np.arange(CHUNK_ROWS)
            yield from draw.permutation(window[window < self._rows]).tolist()
