"""CODEBRIM: six defects of concrete bridges, several of which may be on one image (https://zenodo.org/record/2620293).

As published: `train|val|test/<background|defects>/IMAGE`, and `metadata/background.xml` and `metadata/defects.xml`, one
element for each crop, with a `name` and one child for each label that holds 0 or 1. A copy named `X_-_k.png`, as the
balanced version has them, has the labels of `X.png`.
"""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from nasd.config import DataConfig
from nasd.data._source import LabelledFiles, Listing, faulty
from nasd.data._walk import is_image
from nasd.errors import DataMissingError

PARTS = ("train", "val", "test")
KINDS = ("background", "defects")
IMAGE_SIZE = 224
COPY = "_-_"  # between a crop's name and the number of a copy
MAX_XML = 256 << 20  # bytes

_LAYOUT = "CODEBRIM holds train|val|test/<background|defects>/IMAGE and metadata/<background|defects>.xml"

_Labels = dict[str, bool]


class Codebrim:
    """The data set's own validation part is used."""

    def listing(self, root: Path, config: DataConfig) -> Listing:
        """All crops with their labels.

        Raises:
            DataMissingError: A part or a metadata file is not there or not what it should be; a crop has no labels or
                not all of them; labels belong to no crop.
        """
        crops = {kind: _read_metadata(root / "metadata" / f"{kind}.xml") for kind in KINDS}
        names = _label_names({root / "metadata" / f"{kind}.xml": labels for kind, labels in crops.items()})
        used: dict[str, set[str]] = {kind: set() for kind in KINDS}
        parts = {}
        for part in PARTS:
            paths, rows = [], []
            for kind in KINDS:
                for path in _images(root / part / kind):
                    crop = _original(path)
                    labels = crops[kind].get(crop)
                    if labels is None:
                        raise DataMissingError(
                            f"{path} has no labels: {root / 'metadata' / kind}.xml has no element named {crop}; "
                            "add it there, or remove the image"
                        )
                    used[kind].add(crop)
                    paths.append(path)
                    rows.append([labels[name] for name in names])
            if not paths:
                raise DataMissingError(
                    f"{root / part} holds no images: put them into {part}/background, {part}/defects"
                )
            parts[part] = LabelledFiles(tuple(paths), np.array(rows, bool))
        for kind, labels_of in crops.items():
            for crop in labels_of:
                if crop not in used[kind]:
                    raise DataMissingError(
                        f"{root / 'metadata' / kind}.xml has labels of {crop}, but no such image is in "
                        f"{'|'.join(PARTS)}/{kind} of {root}; put it there, or remove the element"
                    )
        return Listing(parts["train"], parts["test"], names, parts["val"])


class _NoDoctype(ElementTree.TreeBuilder):
    """Entities can only be declared in a document type; without one nothing can be expanded or fetched."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError(f"it has a document type ({name}), which metadata needs none of")


def _read_metadata(path: Path) -> dict[str, _Labels]:
    """The labels of each crop, by name, in the file's order."""
    try:
        if (size := path.stat().st_size) > MAX_XML:
            raise faulty(path, f"it has {size:,} bytes, at most {MAX_XML:,} are read")
        parser = ElementTree.XMLParser(target=_NoDoctype())  # noqa: S314 - it refuses what could expand
        root = ElementTree.parse(path, parser).getroot()  # noqa: S314
    except OSError as error:
        raise DataMissingError(f"{path} cannot be read ({error.strerror}): {_LAYOUT}") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # the last two for encodings it does not know
        raise faulty(path, f"it is no XML that can be read ({error})") from error
    crops: dict[str, _Labels] = {}
    for element in root:
        name = element.get("name")
        if not name:
            raise faulty(path, f"element {len(crops) + 1} has no name")
        if name in crops:
            raise faulty(path, f"it has two elements named {name}")
        labels: _Labels = {}
        for child in element:
            value = (child.text or "").strip()
            if value not in ("0", "1"):
                raise faulty(path, f"the label {child.tag} of {name} is {value!r}, not 0 or 1")
            if child.tag in labels:
                raise faulty(path, f"{name} has the label {child.tag} twice")
            labels[child.tag] = value == "1"
        crops[name] = labels
    return crops


def _label_names(files: dict[Path, dict[str, _Labels]]) -> tuple[str, ...]:
    """The labels' names, which all crops must have, as the first crop orders them."""
    names: dict[str, str] = {}
    for crops in files.values():
        for crop, labels in crops.items():
            for label in labels:
                names.setdefault(label, crop)
    for path, crops in files.items():
        for crop, labels in crops.items():
            for label, other in names.items():
                if label not in labels:
                    raise faulty(path, f"{crop} has no label {label}, which {other} has")
    if not names:
        raise faulty(next(iter(files)), "it has no labels")
    return tuple(names)


def _images(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if is_image(path.name) and path.is_file())
    except OSError as error:
        raise DataMissingError(f"{folder} cannot be read ({error.strerror}): {_LAYOUT}") from error


def _original(path: Path) -> str:
    """The crop's name, also of a copy."""
    name, copy, number = path.stem.rpartition(COPY)
    return f"{name}{path.suffix}" if copy and number.isdecimal() else path.name
