"""What makes two data sets the same: their classes in order, and their files' names, sizes and contents.

Of data sets that are read from a few files into arrays, the arrays count instead of the files: the same images packed
otherwise are the same data.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasd.config import DataConfig
from nasd.data import _hashes
from nasd.data._codebrim import KINDS
from nasd.data._folder import ImageFolder
from nasd.data._registry import LABELLED, root, source_of
from nasd.data._source import Part
from nasd.errors import DataChangedError, DataMissingError

MAX_LISTED = 200_000  # files; of more, only their number is kept
_MAX_TEXT = 64 << 20  # bytes of an unpacked list
_SHORT = 16  # digits of a hash in the list; the digest is over whole ones


@dataclass(frozen=True)
class Fingerprint:
    """The identity of a data set.

    Attributes:
        digest: SHA-256 over everything below.
        classes: Their names, in order.
        count: Of files, or of parts.
        size: Bytes of all of them.
        entries: Name to (size, beginning of the SHA-256); None where there are too many to list.
        unit: What the entries are: `file`, or `part` of a data set that is read into arrays.
    """

    digest: str
    classes: tuple[str, ...]
    count: int
    size: int
    entries: Mapping[str, tuple[int, str]] | None
    unit: str

    def summary(self) -> dict[str, Any]:
        """What goes into the attributes of embeddings and weights, as plain JSON values."""
        return {"sha256": self.digest, "files": self.count, "bytes": self.size}

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values; the list is packed."""
        packed = None
        if self.entries is not None:
            text = json.dumps([[name, *entry] for name, entry in self.entries.items()])
            packed = base64.b64encode(zlib.compress(text.encode(), 6)).decode()
        return {
            "sha256": self.digest, "classes": list(self.classes), "count": self.count, "bytes": self.size,
            "unit": self.unit, "entries": packed,
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Any) -> "Fingerprint":
        """Raises ValueError if it is not what `to_json` gives."""
        try:
            entries: dict[str, tuple[int, str]] | None = None
            if value["entries"] is not None:
                text = zlib.decompressobj().decompress(base64.b64decode(value["entries"]), _MAX_TEXT)
                entries = {str(name): (int(size), str(digest)) for name, size, digest in json.loads(text)}
            classes, unit = tuple(map(str, value["classes"])), str(value["unit"])
            return cls(str(value["sha256"]), classes, int(value["count"]), int(value["bytes"]), entries, unit)
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise ValueError(f"it is no fingerprint of a data set ({error})") from error


def fingerprint(config: DataConfig) -> Fingerprint:
    """The identity of the data that a config names, as they are now. Seconds for 60,000 images, less the next time.

    Raises:
        DataMissingError: They are not there, or damaged.
    """
    folder = root(config)
    if config.name in LABELLED:
        listed = LABELLED[config.name].listing(folder, config)
        tables = [folder / config.csv] if config.name == "image_csv" else [folder / f"metadata/{k}.xml" for k in KINDS]
        return _of_files(folder, (*tables, *listed.paths), listed.classes)
    source = source_of(config)
    if isinstance(source, ImageFolder):
        found = source.listing(folder, config)
        return _of_files(folder, found.paths, found.classes)
    source.prepare(folder, config)

    def work_out() -> Any:
        raw = source.read(folder, config)
        parts = {"training": raw.train, "test": raw.test, "validation": raw.validation}
        entries = {f"{name} images": _of_part(part) for name, part in parts.items() if part is not None}
        return _made(raw.classes, entries, "part").to_json()

    if not (files := source.files(folder, config)):
        return Fingerprint.from_json(work_out())
    try:
        return Fingerprint.from_json(_hashes.remembered_of(files, folder / config.name, work_out))
    except ValueError:  # somebody else wrote into the cache
        return Fingerprint.from_json(work_out())
    except OSError as error:
        raise DataMissingError(f"{error.filename or folder} cannot be read ({error.strerror})") from error


def require_same(frozen: Fingerprint | None, config: DataConfig) -> Fingerprint:
    """The fingerprint of the data as they are now, which must be the frozen one (None: any).

    Raises:
        DataChangedError: It is another; the message says what changed.
        DataMissingError: The data are not there, or damaged.
    """
    now = fingerprint(config)
    if frozen is not None and now.digest != frozen.digest:
        raise DataChangedError(
            f"{root(config)} does not hold the data that this was made with: {difference(frozen, now)}; put back what "
            "was there, say where it lies with `nasd data RUN --root FOLDER`, or make a new run of these"
        )
    return now


def difference(before: Fingerprint, now: Fingerprint) -> str:
    """What changed from one to the other, in part of a sentence."""
    said = [
        *_named("class", "classes", "new", [name for name in now.classes if name not in before.classes]),
        *_named("class", "classes", "gone", [name for name in before.classes if name not in now.classes]),
    ]
    if not said and before.classes != now.classes:
        said.append("the classes have another order")
    if before.entries is not None and now.entries is not None:
        old, new, unit = before.entries, now.entries, before.unit
        said += [
            *_counted(unit, "new", [name for name in new if name not in old]),
            *_counted(unit, "gone", [name for name in old if name not in new]),
            *_counted(unit, "changed", [name for name in new if name in old and new[name] != old[name]]),
        ]
    elif (before.count, before.size) != (now.count, now.size):
        said.append(f"{before.count:,} files of {before.size:,} bytes were {now.count:,} of {now.size:,} bytes")
    text = "; ".join(said) or "the contents of files changed"
    return text.encode(errors="backslashreplace").decode()  # names need not be UTF-8


def _named(singular: str, plural: str, what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    listed = ", ".join(f"`{name}`" for name in names[:3])
    if len(names) == 1:
        return [f"{singular} {listed} is {what}"]
    return [f"{len(names)} {plural} are {what}{', such as' if len(names) > 3 else ':'} {listed}"]


def _counted(unit: str, what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    if len(names) == 1:
        return [f"{unit} {names[0]} {'has changed' if what == 'changed' else f'is {what}'}"]
    verb = "have changed" if what == "changed" else f"are {what}"
    return [f"{len(names):,} {unit}s {verb}, such as {min(names)}"]


def _of_files(folder: Path, paths: tuple[Path, ...], classes: tuple[str, ...]) -> Fingerprint:
    try:
        found = _hashes.of_files(paths, folder)
    except OSError as error:
        raise DataMissingError(f"{error.filename or folder} cannot be read ({error.strerror})") from error
    names = [str(path).removeprefix(f"{folder}/") for path in paths]  # `relative_to` takes half a second of 60,000
    return _made(classes, dict(zip(names, found, strict=True)), "file")


def _of_part(part: Part) -> tuple[int, str]:
    digest = hashlib.sha256(json.dumps(part.images.shape).encode())
    for array in (part.images, part.labels):
        digest.update(np.ascontiguousarray(array).data)
    return part.images.nbytes, digest.hexdigest()


def _made(classes: tuple[str, ...], entries: dict[str, tuple[int, str]], unit: str) -> Fingerprint:
    said = json.dumps([list(classes), sorted([name, *entry] for name, entry in entries.items())])
    listed = {name: (size, digest[:_SHORT]) for name, (size, digest) in entries.items()}
    return Fingerprint(
        hashlib.sha256(said.encode()).hexdigest(),
        classes,
        len(entries),
        sum(size for size, _ in entries.values()),
        listed if len(listed) <= MAX_LISTED else None,
        unit,
    )
