"""Numeric arrays of MATLAB's MAT-files, level 5 (https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf).

Enough for data sets that were published so: arrays of numbers, compressed or not. Nothing else is read, and nothing in
a file can make more memory be taken than `MAX_BYTES`.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 4 << 30  # of one array, unpacked
_HEADER = 128
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}


class MatError(ValueError):
    """It is no MAT-file of level 5, or cut off; the message says what is wrong with it."""


def read(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of numbers in a file, by name; others (text, cells, structures) are left out.

    Raises:
        MatError: It is no such file.
        OSError: It cannot be read.
    """
    content = path.read_bytes()
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if len(content) < _HEADER or order is None or struct.unpack_from(f"{order}H", content, 124)[0] != 0x0100:
        raise MatError("no MAT-file of level 5 (since version 7.3 MATLAB writes HDF5: save it with -v7)")
    found = {}
    try:
        for kind, body in _elements(memoryview(content)[_HEADER:], order, padded=False):
            if kind == _COMPRESSED:
                unpacker = zlib.decompressobj()
                inner = memoryview(unpacker.decompress(body, MAX_BYTES))
                if unpacker.unconsumed_tail:
                    raise MatError(f"an array of more than {MAX_BYTES:,} bytes")
                elements = list(_elements(inner, order))
            else:
                elements = [(kind, body)]
            for inner_kind, matrix in elements:
                if inner_kind == _MATRIX and (named := _matrix(matrix, order)) is not None:
                    found[named[0]] = named[1]
    except (struct.error, zlib.error, ValueError, StopIteration) as error:
        raise MatError(str(error) or "cut off") from error
    return found


def _elements(content: memoryview, order: str, *, padded: bool = True) -> Iterator[tuple[int, memoryview]]:
    """Type and body of each data element; small ones lie in their tag. Compressed ones are not padded to 8 bytes."""
    at = 0
    while at + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        if kind >> 16:
            yield kind & 0xFFFF, content[at + 4 : at + 4 + min(kind >> 16, 4)]
            at += 8
            continue
        if at + 8 + size > len(content):
            raise MatError("cut off")
        yield kind, content[at + 8 : at + 8 + size]
        at += 8 + size + (-size % 8 if padded or kind != _COMPRESSED else 0)


def _matrix(content: memoryview, order: str) -> tuple[str, NDArray[Any]] | None:
    parts = _elements(content, order)
    _, flags = next(parts)
    kind = struct.unpack_from(f"{order}I", flags)[0]
    if kind & 0xFF not in _CLASSES or kind & 0x800:  # complex numbers are no pixels
        return None
    _, sizes = next(parts)
    shape = tuple(int(size) for size in np.frombuffer(sizes, f"{order}i4"))
    _, name = next(parts)
    stored, numbers = next(parts)
    if stored not in _TYPES:
        raise MatError(f"numbers of the type {stored}")
    values: NDArray[Any] = np.frombuffer(numbers, order + _TYPES[stored])
    if min(shape, default=0) < 0 or math.prod(shape) != len(values):
        raise MatError(f"{len(values)} numbers for an array of shape {shape}")
    return bytes(name).decode("latin-1"), values.reshape(shape, order="F").astype(_CLASSES[kind & 0xFF], copy=False)
