"""Probabilities over the epochs as a small PNG without a plotting library, for TensorBoard: a stripe a unit."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CELL = 12
"""Pixels, both ways."""
FIRST, UNDECIDED, OTHER = (84, 39, 136), (247, 247, 247), (179, 88, 6)  # purple, white, orange: as `nasd plot choices`


def stripes(epochs: Sequence[Sequence[float]]) -> tuple[bytes, int, int]:
    """A row a unit, a column an epoch; purple where the first of its choices is certain, orange where it is out.

    Args:
        epochs: Of each epoch: the probability of each unit's first choice.

    Returns:
        The file, and its width and height in pixels.
    """
    share = np.array(epochs, dtype=np.float64).T[:, :, None]  # units, epochs, 1
    white, first, other = (np.array(colour, dtype=np.float64) for colour in (UNDECIDED, FIRST, OTHER))
    sure = np.abs(2 * share - 1)
    colours = (1 - sure) * white + sure * np.where(share >= 0.5, first, other)
    pixels = np.rint(colours).astype(np.uint8).repeat(CELL, axis=0).repeat(CELL, axis=1)
    return _png(pixels), pixels.shape[1], pixels.shape[0]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """(height, width, 3) -> a file (W3C PNG, 8 bits of red, green and blue, no filter)."""
    height, width, _ = pixels.shape
    lines = np.concatenate((np.zeros((height, 1), np.uint8), pixels.reshape(height, 3 * width)), axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
