"""Image files as pixels of 8 bits, by one rule for each kind of image (docs/data.md), or refused by name.

Nothing is clipped: what has no rule is refused.
"""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import ExifTags, Image, ImageOps

from nasd.data._source import damaged
from nasd.errors import DataMissingError

MAX_PIXELS = 128 << 20
"""Width times height of an image; as RGB it takes 400 MB, for each core that decodes one."""
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "DIB", "PPM", "GIF")
"""What is looked for in a file, whatever its name says. Some others would make Pillow start programs."""

_DIRECT = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"}
_ALPHA = {"LA": "LA", "PA": "PA", "RGBA": "RGBA", "La": "LA", "RGBa": "RGBA"}  # to what premultiplied ones are undone
_NO_RULE = "save it with 8 or 16 bits a channel"

# The limit is ours (MAX_PIXELS): Pillow's names no file, and warns long before it refuses.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
_unlimited = threading.Lock()

File = Path | IO[bytes]


def size(path: Path) -> tuple[int, int]:
    """Width and height as the file's beginning says them, before any orientation is applied.

    Raises:
        DataMissingError: It is no image that is read, or a huge one.
    """
    with opened(path, path) as image:
        return image.size


def read(path: Path) -> Image.Image:
    """The image in RGB, 8 bits a channel, the way up that it is shown.

    Raises:
        DataMissingError: It is no image that is read, or a damaged or huge one, or there is no rule for its kind.
    """
    return decode(path, path)


def decode(file: File, name: Path | str) -> Image.Image:
    """As `read`, of a file that may be in memory; errors call it `name`."""
    with opened(file, name) as image:
        _require_one_picture(image, name)
        with _faults(name, "it cannot be decoded"):
            image.load()
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        converted = _rgb(image, name)
    if orientation in range(2, 9):
        converted.getexif()[ExifTags.Base.Orientation] = orientation
        converted = ImageOps.exif_transpose(converted)
    return converted


def scaled(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height with the shorter one `side`; as torchvision rounds."""
    shorter = min(width, height)
    return side * width // shorter, side * height // shorter


def fitted(image: Image.Image, side: int) -> Image.Image:
    """The image with its shorter side scaled to `side`: bilinear, antialiased."""
    return image.resize(scaled(*image.size, side), Image.Resampling.BILINEAR)


def centre(image: Image.Image, side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(3, side, side): the middle of the fitted image, rounded as torchvision does it."""
    image = fitted(image, side)
    left, top = round((image.width - side) / 2), round((image.height - side) / 2)
    return np.asarray(image)[top : top + side, left : left + side].transpose(2, 0, 1)


@contextmanager
def opened(file: File, name: Path | str) -> Iterator[Image.Image]:
    """An image whose header was read. Raises DataMissingError."""
    try:
        stream = file.open("rb") if isinstance(file, Path) else file
    except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError) as error:
        raise DataMissingError(f"{name} cannot be read ({error.strerror}): put the image there, readable") from error
    with stream:
        try:
            with _faults(name, "it is no image that can be read"):
                image: Image.Image = Image.open(stream, formats=FORMATS)
        except Image.DecompressionBombError:
            image = _open_any_size(stream)
        with image:
            _require_usual_size(image, name)
            yield image


def _open_any_size(stream: IO[bytes]) -> Image.Image:
    """Read the header once more, to say how large the image is."""
    with _unlimited:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            stream.seek(0, os.SEEK_SET)
            return Image.open(stream, formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _require_usual_size(image: Image.Image, name: Path | str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataMissingError(
            f"{name} has {width} x {height} pixels, {width * height:,} together, and at most {MAX_PIXELS:,} are read: "
            "scale it down, or remove it"
        )
    if not width or not height:
        raise damaged(Path(str(name)), "it has no pixels")


def _require_one_picture(image: Image.Image, name: Path | str) -> None:
    """Of several in one file nobody has said which is meant; but the first of a camera's (MPO) is the photograph."""
    if image.format != "MPO" and getattr(image, "is_animated", False):
        count = getattr(image, "n_frames", 2)
        raise DataMissingError(f"{name} holds {count} pictures (an animation, or pages): save the one that is meant")


def _rgb(image: Image.Image, name: Path | str) -> Image.Image:
    _require_plain_tiff(image, name)
    if image.mode in _DIRECT:
        return image.convert("RGB")
    if image.mode in _ALPHA:  # colours as stored: what is transparent is left out of account
        return image.convert(_ALPHA[image.mode]).convert("RGB")
    if image.mode.startswith("I;16"):
        return _grey(np.asarray(image).astype(np.uint16) >> (_bits(image) - 8))
    if image.mode == "I" and image.format == "PPM":  # which Pillow has scaled to 65535
        return _grey(np.asarray(image) >> 8)
    if image.mode == "F":
        values = np.asarray(image)
        low, high = float(values.min()), float(values.max())
        if not (low >= 0.0 and high <= 1.0):  # NaN is neither
            raise DataMissingError(
                f"{name} has floating-point pixels from {low:g} to {high:g}, and 0 to 1 are read: scale them, or "
                f"{_NO_RULE}"
            )
        return _grey(np.rint(values.astype(np.float64) * 255))
    raise DataMissingError(f"{name} has pixels of a kind that has no rule ({_kind(image)}): {_NO_RULE}")


def _grey(values: np.ndarray[Any, Any]) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def _tags(image: Image.Image) -> Any:
    return getattr(image, "tag_v2", {})


def _bits(image: Image.Image) -> int:
    """Of a grey image that Pillow holds in 16 bits; TIFF also has 12."""
    bits = _tags(image).get(258, (16,))
    return int(bits[0] if isinstance(bits, tuple) else bits)


def _require_plain_tiff(image: Image.Image, name: Path | str) -> None:
    """Refuse what Pillow reads as something else: signed values, and negatives of more than 8 bits."""
    tags = _tags(image)
    formats = tags.get(339, (1,))
    if 2 in (formats if isinstance(formats, tuple) else (formats,)):
        raise DataMissingError(f"{name} has signed pixels, of which none says what is black: {_NO_RULE}, unsigned")
    if tags.get(262) == 0 and image.mode not in {"1", "L"}:
        raise DataMissingError(f"{name} is a negative ({_kind(image)}, white is 0): save it with black as 0")


def _kind(image: Image.Image) -> str:
    named = {"I": "integers of 32 bits", "LAB": "CIE L*a*b*", "HSV": "HSV", "F": "floats"}
    return named.get(image.mode, f"Pillow's mode {image.mode}")


@contextmanager
def _faults(name: Path | str, what: str) -> Iterator[None]:
    try:
        yield
    except (MemoryError, Image.DecompressionBombError):
        raise
    except OSError as error:
        if error.errno is not None:  # of the disk, or of this process: not the image's fault
            raise
        raise damaged(Path(str(name)), f"{what} ({error})") from error
    except Exception as error:  # Pillow raises whatever broken bytes lead it to
        raise damaged(Path(str(name)), f"{what} ({error})") from error
