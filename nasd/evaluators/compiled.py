"""What loops compiled by numba have in common: how they are compiled, and bfloat16, which they know by its bits.

Importing this takes half a second. A loop is compiled when it is first called, once for each dtype.
"""

from typing import Any

import numpy as np
import torch
from numba import njit, types
from numba.extending import overload
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]
Values = NDArray[np.float32] | NDArray[np.uint16]
"""float32, or bfloat16, which numpy does not know, as its bits: the upper half of those of a float32."""

# Other threads run meanwhile.
compiled = njit(nogil=True, error_model="numpy")
# Additions may be reordered and fused with products, without which a sum has no vectors.
compiled_sums = njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})


def values_of(x: Tensor) -> Values:
    """The memory of a float32 or bfloat16 tensor on the CPU."""
    values: Values = (x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).detach().numpy()
    return values


def widen(value: Any) -> Any:
    """The float32 of a value."""
    raise NotImplementedError  # only compiled code calls it


@overload(widen)
def _widen(value):  # type: ignore[no-untyped-def]
    if value == types.uint16:
        return lambda value: np.uint32(np.uint32(value) << 16).view(np.float32)
    return lambda value: value


def narrow(value: Any, like: Any) -> Any:
    """A float32 as a value of the same kind as another one: of the two nearest bfloat16 the even one."""
    raise NotImplementedError


@overload(narrow)
def _narrow(value, like):  # type: ignore[no-untyped-def]
    if like == types.uint16:
        return lambda value, like: _rounded(value)
    return lambda value, like: value


@compiled
def _rounded(value: Any) -> Any:
    bits = np.float32(value).view(np.uint32)
    rounded = np.uint32(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
    return np.uint16((bits if value != value else rounded) >> np.uint32(16))  # noqa: PLR0124 - NaN
