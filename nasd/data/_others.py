"""Data sets of other packages: an entry point in the group `nasd.datasets` (docs/data.md, docs/examples)."""

from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from nasd.config import DataConfig
from nasd.config.data import ENTRY_POINTS
from nasd.data._source import Description, Part, Raw, Source
from nasd.errors import NasdError


def other(name: str) -> Source:
    """The data set that an installed package calls so.

    Raises:
        NasdError: There is none, or it cannot be imported; with the package's name and what was raised.
    """
    found = entry_points(group=ENTRY_POINTS, name=name)
    if not found:
        raise NasdError(f"no package here has the data set {name}: install the one that the run was made with")
    point = next(iter(found))
    try:
        source = point.load()
        return _Other(name, source() if isinstance(source, type) else source)
    except Exception as error:
        raise NasdError(f"the data set {name} ({point.value}) cannot be used: {_said(error)}") from error


class _Other:
    """Somebody else's data set, whose mistakes become sentences."""

    def __init__(self, name: str, source: Source) -> None:
        self._name, self._source = name, source

    def describe(self, root: Path, config: DataConfig) -> Description:
        try:
            return Description(*self._source.describe(root, config))
        except Exception as error:
            raise self._fault("describe", error) from error

    def prepare(self, root: Path, config: DataConfig) -> None:
        try:
            self._source.prepare(root, config)
        except Exception as error:
            raise self._fault("prepare", error) from error

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        try:
            return tuple(map(Path, self._source.files(root, config)))
        except Exception as error:
            raise self._fault("files", error) from error

    def read(self, root: Path, config: DataConfig) -> Raw:
        try:
            raw = self._source.read(root, config)
        except Exception as error:
            raise self._fault("read", error) from error
        parts = {"training": raw.train, "test": raw.test, "validation": raw.validation}
        for part, held in parts.items():
            if held is not None and (wrong := _wrong(held, len(raw.classes), raw.train.images.shape[1:])):
                raise NasdError(
                    f"the data set {self._name} gives a {part} part with {wrong}; correct it in its package"
                )
        return raw

    def _fault(self, what: str, error: Exception) -> NasdError:
        if isinstance(error, NasdError):
            return error
        return NasdError(f"the data set {self._name} failed in `{what}`: {_said(error)}")


def _wrong(part: Part, classes: int, shape: tuple[int, ...]) -> str | None:
    images, labels = part.images, part.labels
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
        return "images that are no array (N, C, H, W) of uint8"
    if images.shape[1] not in (1, 3) or images.shape[2] != images.shape[3] or images.shape[1:] != shape:
        return f"images of the shape {images.shape[1:]}, not (1 or 3, side, side), the same in all parts"
    if not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.shape != (len(images),):
        return "labels that are no array (N,) of int64, one an image"
    if not len(labels) or labels.min() < 0 or labels.max() >= classes:
        return f"no images, or labels that are not 0 to {classes - 1}"
    return None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
