"""Images with several labels each, listed in a CSV file: `path`, a column for each label, and `split` if wanted."""

import csv
from pathlib import Path

import numpy as np

from nasd.config import DataConfig
from nasd.data._source import LabelledFiles, Listing, faulty
from nasd.errors import DataMissingError

MAX_CSV = 256 << 20  # bytes
PARTS = ("train", "val", "test")


class ImageCsv:
    """A line an image: its path within the data set's folder, and 0 or 1 for each label.

    A column `split` holds train, val or test. Without a `val` the validation split is taken from the training images,
    as of any other data set; without the column the test split is too: `validation_fraction` of all images, the same
    ones whatever the run's seed.
    """

    def listing(self, root: Path, config: DataConfig) -> Listing:
        """All lines, checked.

        Raises:
            DataMissingError: The file, an image or a label is not there, a path leads out of the folder, or the file is
                not what it should be; with its line.
        """
        path = root / config.csv
        names, rows = _read(path)
        columns = [name for name in names if name not in ("path", "split")]
        inside, seen = root.resolve(), set()
        found: dict[str, list[tuple[Path, list[bool]]]] = {part: [] for part in PARTS}
        for line, row in rows:
            where = f"line {line}"
            image = root / row["path"]
            if row["path"] in {"", "."} or "\0" in row["path"] or not image.resolve().is_relative_to(inside):
                raise faulty(path, f"the path {row['path']!r} in {where} is not one within {root}")
            if not image.is_file():
                raise DataMissingError(
                    f"{image} is not there, but {path} has it in {where}; put it there, or remove the line"
                )
            if image in seen:
                raise faulty(path, f"{row['path']} is in it a second time, in {where}")
            seen.add(image)
            for name in columns:
                if row[name] not in ("0", "1"):
                    what = f"is {row[name]!r}, not 0 or 1" if row[name] else "is missing"
                    raise faulty(path, f"the label {name} of {row['path']} {what}, in {where}")
            part = row.get("split", "train")
            if part not in PARTS:
                raise faulty(path, f"the split of {row['path']} is {part!r}, not train, val or test, in {where}")
            found[part].append((image, [row[name] == "1" for name in columns]))
        if "split" not in names:
            found["test"], found["train"] = _held_out(found["train"], config.validation_fraction)
        for part in ("train", "test"):
            if not found[part]:
                raise faulty(path, f"it has no image of the split {part}")
        validation = _files(found["val"]) if found["val"] else None
        return Listing(_files(found["train"]), _files(found["test"]), tuple(columns), validation)


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The names of the columns, and each line's number and cells."""
    try:
        if (size := path.stat().st_size) > MAX_CSV:
            raise faulty(path, f"it has {size:,} bytes, at most {MAX_CSV:,} are read")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            names = [name.strip() for name in next(reader, [])]
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except OSError as error:
        raise DataMissingError(
            f"{path} cannot be read ({error.strerror}): image_csv needs a file of the columns path and one for each "
            "label; data.csv says what it is called"
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise faulty(path, f"it is no CSV file in UTF-8 ({error})") from error
    if "path" not in names or len(set(names)) != len(names) or "" in names or not set(names) - {"path", "split"}:
        raise faulty(path, f"its columns are {', '.join(names) or 'none'}, not path and one of its own for each label")
    for line, cells in lines:
        if len(cells) != len(names):
            raise faulty(path, f"line {line} has {len(cells)} cells, the header {len(names)}")
    return names, [(line, dict(zip(names, map(str.strip, cells), strict=True))) for line, cells in lines]


def _held_out(
    rows: list[tuple[Path, list[bool]]], fraction: float
) -> tuple[list[tuple[Path, list[bool]]], list[tuple[Path, list[bool]]]]:
    """A share of the rows, and the others, each in the file's order."""
    import torch  # noqa: PLC0415 - whose random numbers these have always been

    count = max(1, int(fraction * len(rows)))
    taken = set(torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:count].tolist())
    return [rows[at] for at in sorted(taken)], [row for at, row in enumerate(rows) if at not in taken]


def _files(rows: list[tuple[Path, list[bool]]]) -> LabelledFiles:
    return LabelledFiles(tuple(path for path, _ in rows), np.array([labels for _, labels in rows], bool))
