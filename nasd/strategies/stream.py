"""A strategy's random stream, and its state as JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def position(random: np.random.Generator) -> dict[str, Any]:
    """The state of a PCG64 stream; its large integers as hexadecimal text, which any JSON reader keeps."""
    state: Any = random.bit_generator.state
    return {
        "state": hex(state["state"]["state"]),
        "inc": hex(state["state"]["inc"]),
        "has_uint32": state["has_uint32"],
        "uinteger": state["uinteger"],
    }


def restored(position: Mapping[str, Any]) -> np.random.Generator:
    """The stream of a `position`.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    generator = np.random.PCG64()
    generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": int(position["state"], 16), "inc": int(position["inc"], 16)},
        "has_uint32": position["has_uint32"],
        "uinteger": position["uinteger"],
    }
    return np.random.Generator(generator)
