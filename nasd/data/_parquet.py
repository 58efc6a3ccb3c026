"""Images in parquet files, as Hugging Face's hub has them: `train*.parquet`, `test*.parquet` and, if wanted,
`val*.parquet`, anywhere under `data.root`; needs `nasd[parquet]`.

The images are a column `image` (or `img`) of encoded files (PNG, JPEG, ...), plain or as `{bytes, path}`, the classes a
column `label` of numbers or names.
"""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasd.box import limits
from nasd.config import DataConfig
from nasd.data._pixels import centre, decode
from nasd.data._source import Description, Part, Raw, damaged, faulty
from nasd.data._walk import is_hidden
from nasd.errors import DataMissingError, NasdError

IMAGES, LABEL = ("image", "img"), "label"
PARTS = ("train", "test", "val")
_ROWS = 256  # decoded at a time


class Parquet:
    """Colour images of any size: the shorter side is scaled to `image_size`, then the centre is cut out."""

    def describe(self, root: Path, config: DataConfig) -> Description:
        """Read the labels, no image."""
        files = self._parts(root)
        return Description(config.image_size or 0, 3, len(_classes(files)))

    def prepare(self, root: Path, config: DataConfig) -> None:
        """Check that both parts are there, with their columns."""
        for paths in self._parts(root).values():
            for path in paths:
                _opened(path)

    def files(self, root: Path, config: DataConfig) -> tuple[Path, ...]:
        """All parts'."""
        return tuple(path for paths in self._parts(root).values() for path in paths)

    def read(self, root: Path, config: DataConfig) -> Raw:
        """Decode all images."""
        files, side = self._parts(root), config.image_size or 0
        classes = _classes(files)
        parts = {name: _part(paths, side, classes) for name, paths in files.items() if paths}
        transforms = (f"shorter side scaled to {side} (bilinear, antialiased)", f"centre {side}x{side} cut out")
        return Raw(parts["train"], parts["test"], classes, transforms, parts.get("val"))

    def _parts(self, root: Path) -> dict[str, list[Path]]:
        found = sorted(
            path for path in root.rglob("*.parquet") if not any(map(is_hidden, path.relative_to(root).parts))
        )
        parts = {part: [path for path in found if path.name.startswith(part)] for part in PARTS}
        for part in ("train", "test"):
            if not parts[part]:
                raise DataMissingError(f"{root} holds no {part}*.parquet: put the images of the {part} part there")
        return parts


def _part(paths: list[Path], side: int, classes: tuple[str, ...]) -> Part:
    places = {name: place for place, name in enumerate(classes)}
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    with ThreadPoolExecutor(limits.cores().counts, "images") as threads:
        for path in paths:
            for first, rows in _batches(path):

                def one(row: int, path: Path = path, first: int = first, rows: list[Any] = rows) -> NDArray[np.uint8]:
                    where = f"{path}, row {first + row}"
                    image = rows[row][0]
                    content = image.get("bytes") if isinstance(image, dict) else image
                    if not isinstance(content, bytes):
                        raise DataMissingError(
                            f"{where} holds no image, but {type(content).__name__}: correct it there"
                        )
                    return centre(decode(io.BytesIO(content), where), side)

                images.append(np.stack(list(threads.map(one, range(len(rows))))))
                for place, (_, label) in enumerate(rows):
                    number = label if isinstance(label, int) else places.get(str(label), -1)
                    if not 0 <= number < len(classes):
                        raise faulty(path, f"row {first + place} has the label {label!r}, which is no class")
                    labels.append(number)
    if not images:
        raise faulty(paths[0], "it holds no rows")
    return Part(np.concatenate(images), np.array(labels, np.int64))


def _batches(path: Path) -> Iterator[tuple[int, list[tuple[Any, Any]]]]:
    """The first row's number, and image and label of each."""
    file, image = _opened(path)
    first = 0
    try:
        for batch in file.iter_batches(_ROWS, columns=[image, LABEL]):
            rows = list(zip(batch.column(image).to_pylist(), batch.column(LABEL).to_pylist(), strict=True))
            if rows:
                yield first, rows
            first += len(rows)
    except (OSError, ValueError) as error:  # pyarrow's own errors are both
        raise damaged(path, f"it cannot be read ({error})") from error


def _classes(files: dict[str, list[Path]]) -> tuple[str, ...]:
    """Names that the hub wrote into the files; else the labels' own, sorted; else numbers up to the highest."""
    for paths in files.values():
        for path in paths:
            if (names := _hub_names(_opened(path)[0].schema_arrow.metadata or {})) is not None:
                return names
    found: set[Any] = set()
    for paths in files.values():
        for path in paths:
            found |= set(_opened(path)[0].read([LABEL]).column(LABEL).unique().to_pylist())
    if all(isinstance(label, int) for label in found) and found:
        return tuple(map(str, range(min(max(found), 100_000) + 1)))
    return tuple(sorted(map(str, found)))


def _hub_names(metadata: dict[bytes, bytes]) -> tuple[str, ...] | None:
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"][LABEL]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) else None


def _opened(path: Path) -> tuple[Any, str]:
    """A parquet file, and the name of its column of images."""
    try:
        from pyarrow import parquet  # noqa: PLC0415 - an extra, and half a second
    except ImportError as error:
        raise NasdError("images in parquet need pyarrow: pip install 'nasd[parquet]'") from error
    try:
        file = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise damaged(path, f"it is no parquet file ({error})") from error
    columns = file.schema_arrow.names
    image = next((name for name in IMAGES if name in columns), None)
    if image is None or LABEL not in columns:
        raise faulty(path, f"its columns are {', '.join(columns)}, and image and {LABEL} are needed")
    return file, image
