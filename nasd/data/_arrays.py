"""Images of one's own as numpy arrays: one `.npz`, or `.npy` files, in `data.root`.

`x_train`, `y_train`, `x_test`, `y_test` and, if wanted, `x_val`, `y_val` and `classes` (names), as Keras has them, are
the arrays of the `.npz` or the names of the `.npy` files. MedMNIST's names (`train_images`, `train_labels`, ...) are
read too, and a pair `x`, `y`, of which `data.validation_fraction` is taken for testing, always the same images.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasd.config import DataConfig
from nasd.data._source import Description, Part, Raw, damaged, faulty
from nasd.errors import DataMissingError

PARTS = ("train", "test", "val")


class _Named(NamedTuple):
    """Where an array came from, for errors, and what it holds."""

    where: Path
    name: str
    values: NDArray[Any]


class Arrays:
    """8 bits as they are, of 16 the upper 8, truth values and floats from 0 to 1 scaled to 255; nothing is clipped."""

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Shape of the images: all arrays are read for it."""
        raw = self.read(root, config)
        return Description(raw.train.images.shape[-1], raw.train.images.shape[1], len(raw.classes))

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Check that there are arrays."""
        self.files(root, config)

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """The `.npz`, or else the `.npy` files. Raises DataMissingError where there is neither, or several `.npz`."""
        packed = sorted(root.glob("[!.]*.npz")) if root.is_dir() else []
        if len(packed) > 1:
            raise DataMissingError(f"{root} holds {len(packed)} .npz files: leave the one that is meant")
        single = sorted(root.glob("[!.]*.npy")) if root.is_dir() else []
        if not packed and not single:
            raise DataMissingError(
                f"{root} holds neither an .npz nor .npy files: put x_train, y_train, x_test and y_test there"
            )
        return tuple(packed or single)

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Read all arrays, checked. Raises DataMissingError with the array's name and what is wrong with it."""
        found = _load(self.files(root, config))
        if {"x", "y"} <= found.keys() and not _has(found, "train"):
            found |= _held_out(found, config.validation_fraction)
        labels = {part: _labels(_find(found, root, part, "y")) for part in PARTS if part != "val" or _has(found, part)}
        classes = _classes(found, labels)
        parts = {}
        for part, given in labels.items():
            x = _find(found, root, part, "x")
            images, numbers = _images(x), _numbered(given, classes)
            if len(images) != len(numbers) or not len(images):
                raise faulty(x.where, f"{x.name} has {len(images)} images, {given.name} {len(numbers)} labels")
            parts[part] = Part(images, numbers)
        if len({part.images.shape[1:] for part in parts.values()}) != 1:
            shapes = ", ".join(f"{name} {part.images.shape}" for name, part in parts.items())
            raise faulty(self.files(root, config)[0], f"its parts have images of different shapes: {shapes}")
        return Raw(parts["train"], parts["test"], classes, validation=parts.get("val"))


def _load(files: tuple[Path, ...]) -> dict[str, _Named]:
    found = {}
    for path in files:
        try:
            opened = np.load(path, allow_pickle=False)
            if isinstance(opened, np.ndarray):
                found[path.stem] = _Named(path, path.stem, opened)
                continue
            with opened:
                found |= {name: _Named(path, name, opened[name]) for name in opened.files}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError) as error:
            raise damaged(path, f"it holds no plain arrays that can be read ({error})") from error
    return found


def _held_out(found: Mapping[str, _Named], fraction: float) -> dict[str, _Named]:
    """A pair as a training and a test part."""
    x, y = found["x"], found["y"]
    if x.values.ndim < 1 or len(x.values) != len(y.values):
        raise faulty(x.where, f"x has the shape {x.values.shape}, y {y.values.shape}: not a label an image")
    order = np.random.default_rng(0).permutation(len(y.values))
    count = max(1, int(fraction * len(order)))
    rows = {"test": np.sort(order[:count]), "train": np.sort(order[count:])}
    return {
        f"{which}_{part}": given._replace(values=given.values[taken])
        for part, taken in rows.items()
        for which, given in (("x", x), ("y", y))
    }


def _names(part: str, which: str) -> tuple[str, str]:
    return f"{which}_{part}", f"{part}_{'images' if which == 'x' else 'labels'}"


def _has(found: Mapping[str, _Named], part: str) -> bool:
    return any(name in found for name in _names(part, "x"))


def _find(found: Mapping[str, _Named], root: Path, part: str, which: str) -> _Named:
    names = _names(part, which)
    for name in names:
        if name in found:
            return found[name]
    raise DataMissingError(f"{root} has no array {' or '.join(names)}; there are {', '.join(sorted(found)) or 'none'}")


def _images(given: _Named) -> NDArray[np.uint8]:
    """(N, C, H, W), from (N, H, W), (N, H, W, C) or (N, C, H, W)."""
    x = given.values
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and (x.shape[1] in (1, 3)) != (x.shape[3] in (1, 3)):
        x = x if x.shape[1] in (1, 3) else x.transpose(0, 3, 1, 2)
    else:
        wanted = "(N, H, W), (N, H, W, C) or (N, C, H, W) of 1 or 3 channels"
        raise faulty(given.where, f"{given.name} has the shape {x.shape}, not {wanted}")
    if x.shape[2] != x.shape[3] or not x.shape[2]:
        raise faulty(given.where, f"{given.name} has images of {x.shape[2]}x{x.shape[3]}, not square ones")
    return np.ascontiguousarray(_bytes(given, x))


def _bytes(given: _Named, x: NDArray[Any]) -> NDArray[np.uint8]:
    match x.dtype.kind, x.dtype.itemsize:
        case "u", 1:
            return x.view(np.uint8)
        case "u", 2:
            return (x >> 8).astype(np.uint8)
        case "b", _:
            return x.astype(np.uint8) * np.uint8(255)
        case "f", _:
            low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
            if not (low >= 0.0 and high <= 1.0):  # NaN is neither
                raise faulty(given.where, f"{given.name} has floats from {low:g} to {high:g}, and 0 to 1 are read")
            scaled: NDArray[Any] = np.rint(x * np.asarray(255, np.promote_types(x.dtype, np.float32)))
            return scaled.astype(np.uint8)
    raise faulty(given.where, f"{given.name} has the dtype {x.dtype}: save it as uint8, uint16, or floats from 0 to 1")


def _labels(given: _Named) -> _Named:
    y = given.values
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or y.dtype.kind not in "iuU":
        raise faulty(
            given.where,
            f"{given.name} has the shape {y.shape} and the dtype {y.dtype}, not a number or a name an image",
        )
    return given._replace(values=y)


def _classes(found: Mapping[str, _Named], labels: Mapping[str, _Named]) -> tuple[str, ...]:
    """The names given; else the labels' own names, sorted; else numbers up to the highest."""
    if "classes" in found:
        return tuple(map(str, found["classes"].values.ravel().tolist()))
    every = [given.values for given in labels.values() if len(given.values)]
    if every and all(values.dtype.kind == "U" for values in every):
        return tuple(sorted({name for values in every for name in values.tolist()}))
    highest = max((int(values.max()) for values in every if values.dtype.kind in "iu"), default=-1)
    return tuple(map(str, range(min(highest, 100_000) + 1)))


def _numbered(given: _Named, classes: tuple[str, ...]) -> NDArray[np.int64]:
    y = given.values
    if y.dtype.kind == "U":
        places = {name: place for place, name in enumerate(classes)}
        if unknown := sorted(set(y.tolist()) - places.keys()):
            raise faulty(given.where, f"{given.name} has the class {unknown[0]!r}, which `classes` does not name")
        return np.array([places[name] for name in y.tolist()], np.int64)
    if len(y) and (y.min() < 0 or y.max() >= len(classes)):
        raise faulty(given.where, f"{given.name} has labels from {y.min()} to {y.max()}, not 0 to {len(classes) - 1}")
    return y.astype(np.int64)
