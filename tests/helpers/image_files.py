"""Image files written by hand, of kinds that Pillow reads but does not write."""

import struct
import zlib
from pathlib import Path

import numpy as np

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def write_png(path: Path, values, bits=8, kind=GREY, palette=None, interlaced=False):
    """A PNG of values (H, W) or (H, W, channels), (https://www.w3.org/TR/png-3)."""
    values = values if values.ndim == 3 else values[..., None]
    height, width = values.shape[:2]
    passes = [values[top::down, left::right] for top, left, down, right in ADAM7] if interlaced else [values]
    lines = b"".join(b"\0" + packed(line.ravel(), bits) for part in passes if part.size for line in part)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced))]
    if palette is not None:
        chunks.append((b"PLTE", np.asarray(palette, np.uint8).tobytes()))
    chunks += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(map(chunk, chunks)))


def chunk(named):
    name, content = named
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def packed(values, bits):
    """Samples of that many bits, the first in the highest ones, filled up to a byte."""
    if bits == 16:
        return values.astype(">u2").tobytes()
    return np.packbits(np.unpackbits(values.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :].ravel()).tobytes()


def write_tiff(path: Path, content: bytes, width, height, bits, *, sample_format=1, black_is_zero=True, extra=()):
    """An uncompressed little-endian TIFF of one channel, or of as many as `bits` has (TIFF 6.0)."""
    bits = bits if isinstance(bits, tuple) else (bits,)
    photometric = int(black_is_zero) if len(bits) < 3 else 2
    entries, after = [], b""
    tags = [
        (256, (width,)), (257, (height,)), (258, bits), (259, (1,)), (262, (photometric,)), (273, (0,)),
        (277, (len(bits),)), (278, (height,)), (279, (len(content),)), *([(338, extra)] if extra else []),
        (339, (sample_format,) * len(bits)),
    ]  # fmt: skip
    end = 8 + 2 + 12 * len(tags) + 4
    for tag, given in tags:
        if len(given) > 2:
            field, after = struct.pack("<I", end + len(after)), after + struct.pack(f"<{len(given)}H", *given)
        else:
            field = struct.pack(f"<{len(given)}H", *given).ljust(4, b"\0")
        entries.append((tag, len(given), field))
    pixels = end + len(after)
    directory = b"".join(
        struct.pack("<HHI", tag, 4 if tag == 273 else 3, count) + (struct.pack("<I", pixels) if tag == 273 else field)
        for tag, count, field in entries
    )
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + struct.pack("<I", 0) + after + content)
