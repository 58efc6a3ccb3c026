"""Image files of any shape, from which squares are cut: at random in training, from the centre else."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from nasd.box import limits
from nasd.data._pixels import fitted, read, scaled, size
from nasd.data._record import Images

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2  # mini-batches that are fetched while one is worked on


class Pictures:
    """Image files, the shorter side scaled to `side` (bilinear, antialiased), in three channels.

    All of them are decoded here and kept in memory, if they take at most `limit` bytes; else each is decoded when it is
    asked for. Where they are kept changes nothing about what comes out.

    Args:
        paths: At least one.
        side: In pixels.
        limit: In bytes.

    Raises:
        DataMissingError: A file is no image, or, where all are decoded, a damaged one.
    """

    def __init__(self, paths: Sequence[Path], side: int, limit: int) -> None:
        self.side = side
        self._paths = paths
        # Turned or not, as EXIF may say: an image takes as many bytes.
        counts = [3 * width * height for width, height in (scaled(*found, side) for found in _each(size, paths))]
        ends = np.cumsum(counts)
        self.nbytes = int(ends[-1]) if ends[-1] <= limit else 0
        self._kept: list[Tensor] | None = None
        if self.nbytes:
            memory = torch.empty(self.nbytes, dtype=torch.uint8)
            self._kept = []
            each = _each(lambda path: _decode(path, side), paths)
            for end, count, picture in zip(ends.tolist(), counts, each, strict=True):
                self._kept.append(memory[end - count : end].view(picture.shape).copy_(picture))

    def pick(self, rows: Sequence[int]) -> Iterable[Tensor]:
        """The pictures at `rows`, (3, H, W) uint8 each, one of H and W being `side`.

        Raises:
            DataMissingError: A file is damaged, or gone.
        """
        if self._kept is not None:
            return [self._kept[row] for row in rows]
        return _each(lambda row: _decode(self._paths[row], self.side), rows)


class Crops:
    """Squares cut out of pictures: the centres, or, as `drawn`, other parts.

    Args:
        pictures: Of the whole data set.
        rows: (N,) int64, those of them that are meant.
        draws: (N, 3) in [0, 1): how far down and right each is cut, and below 1/2 if it is mirrored; None: the centres.
        augment: Whether `drawn` draws anything.
    """

    def __init__(self, pictures: Pictures, rows: Tensor, draws: Tensor | None = None, *, augment: bool = True) -> None:
        self._pictures, self._rows, self._draws, self._augment = pictures, rows, draws, augment

    def __getitem__(self, rows: Tensor) -> Tensor:
        """(N, 3, side, side) uint8, on the CPU. Raises DataMissingError for a damaged image."""
        side = self._pictures.side
        out = torch.empty((len(rows), 3, side, side), dtype=torch.uint8)
        draws = torch.full((len(rows), 3), 0.5) if self._draws is None else self._draws[rows]
        pictures = self._pictures.pick(self._rows[rows].tolist())
        for place, (picture, (down, right, mirror)) in enumerate(zip(pictures, draws.tolist(), strict=True)):
            spare_down, spare_right = picture.shape[1] - side, picture.shape[2] - side
            top, left = int(down * (spare_down + 1)), int(right * (spare_right + 1))
            square = picture[:, top : top + side, left : left + side]
            out[place] = square.flip(2) if mirror < 0.5 else square
        return out

    def drawn(self, stream: torch.Generator) -> "Crops":
        """Each picture cut at random and mirrored with probability 1/2; all have their draws, asked for or not.

        The centres as before where there is nothing to augment.
        """
        if not self._augment:
            return self
        draws = torch.rand((len(self._rows), 3), generator=stream, dtype=torch.float64)
        return Crops(self._pictures, self._rows, draws)


def fetched(images: Images, batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """The images of each mini-batch of rows, in order; what is not a tensor is asked ahead of time, in a thread."""
    if isinstance(images, Tensor):
        for rows in batches:
            yield images[rows.to(images.device)]
        return
    todo = iter(batches)
    with ThreadPoolExecutor(1, "mini-batches") as thread:
        waiting: list[Future[Tensor]] = [thread.submit(images.__getitem__, rows) for rows in islice(todo, AHEAD)]
        try:
            while waiting:
                images_now = waiting.pop(0).result()
                waiting += [thread.submit(images.__getitem__, rows) for rows in islice(todo, 1)]
                yield images_now
        finally:
            for one in waiting:
                one.cancel()


def _each(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results in order, worked out in as many threads as there are cores."""
    with ThreadPoolExecutor(limits.cores().counts, "images") as threads:
        yield from threads.map(work, items)


def _decode(path: Path, side: int) -> Tensor:
    return torch.from_numpy(np.array(fitted(read(path), side))).permute(2, 0, 1)
