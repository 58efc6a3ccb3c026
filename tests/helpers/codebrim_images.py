"""A small data set of CODEBRIM's layout, with labels that a small network can learn.

    python tests/codebrim_images.py FOLDER [--crops 24] [--side 48]

Every defect is a texture or tint all over the image, so that any cut of it shows them.
"""

import argparse
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
from PIL import Image

LABELS = ("Background", "Crack", "Spallation", "ExposedBars", "Efflorescence", "CorrosionStain")
SPLITS = {"train": 1.0, "val": 0.5, "test": 0.5}  # share of `crops`, for each of the two kinds


def generate(root: Path, crops: int = 24, side: int = 48, seed: int = 1, copies: int = 2) -> None:
    """Write the data set.

    Args:
        root: The folder that `data.root` is to name.
        crops: Of background and of defects each in the training split; half as many in the others.
        side: The shorter side of the images in pixels; the longer one differs.
        seed: Of everything.
        copies: How many training crops with defects there are a second time, named `X_-_1.png`.
    """
    random = np.random.default_rng(seed)
    labels: dict[str, dict[str, tuple[bool, ...]]] = {"background": {}, "defects": {}}
    for split, share in SPLITS.items():
        for kind, of_kind in labels.items():
            folder = root / split / kind
            folder.mkdir(parents=True)
            for number in range(max(1, int(share * crops))):
                name = f"image_{len(labels['background']) + len(labels['defects']):07}_crop_{number:07}.png"
                of_kind[name] = _draw_labels(kind, random)
                Image.fromarray(_picture(of_kind[name], side, random)).save(folder / name)
                if split == "train" and kind == "defects" and number < copies:
                    copy = Image.fromarray(_picture(of_kind[name], side, random))
                    copy.save(folder / name.replace(".png", "_-_1.png"))
    (root / "metadata").mkdir()
    for kind, of_kind in labels.items():
        (root / "metadata" / f"{kind}.xml").write_text(metadata(of_kind), encoding="utf-8")


def metadata(labels: dict[str, tuple[bool, ...]]) -> str:
    """The XML: an element a crop, with its name, a child a label."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<Annotation>"]
    for name, values in labels.items():
        children = "".join(f"<{label}>{int(value)}</{label}>" for label, value in zip(LABELS, values, strict=True))
        lines.append(f"  <Defect name={quoteattr(name)}>{children}</Defect>")
    return "\n".join([*lines, "</Annotation>", ""])


def _draw_labels(kind: str, random: np.random.Generator) -> tuple[bool, ...]:
    if kind == "background":
        return (True, *[False] * 5)
    defects = np.zeros(5, dtype=bool)
    defects[random.choice(5, size=random.integers(1, 3), replace=False)] = True
    return (False, *defects.tolist())


def _picture(labels: tuple[bool, ...], side: int, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """(H, W, 3): grey concrete, and what is wrong with it."""
    height, width = (side, side + int(random.integers(0, side // 2)))[:: random.choice([1, -1])]
    _, crack, spallation, bars, efflorescence, stain = labels
    rows, columns = np.mgrid[:height, :width]
    image = np.full((height, width, 3), 120.0)
    if crack:
        image[(rows + columns) % 8 == 0] -= 110
    if spallation:
        image[(rows // 8 + columns // 8) % 2 == 0] -= 60
    if bars:
        image[columns % 6 < 2] += [70, 30, -20]
    if efflorescence:
        image[random.random((height, width)) < 0.15] = 250
    if stain:
        image += [60, -10, -70]
    image += random.normal(0, 8, image.shape)
    return image.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--crops", type=int, default=24)
    parser.add_argument("--side", type=int, default=48)
    options = parser.parse_args()
    generate(options.folder, options.crops, options.side)
