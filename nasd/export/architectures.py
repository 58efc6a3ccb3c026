"""The architecture that a file of weights says it is of."""

from typing import Any

from nasd.config import CellsConfig, SupernetConfig
from nasd.evaluators.networks.build import Trainable
from nasd.spaces.cells import CellSpace
from nasd.spaces.layers.parse import parse
from nasd.spaces.supernet import SupernetSpace


def architecture_of(described: dict[str, Any]) -> Trainable:
    """Read what `nasd.evaluators.provenance` wrote.

    Raises:
        KeyError, TypeError, ValueError, NasdError: It is something else.
    """
    text, space = described["architecture"], described.get("space")
    if space is None:
        return parse(text, described["data"]["image_size"], len(described["data"]["classes"]))
    if space["kind"] == "cells":
        return CellSpace(CellsConfig.model_validate(space)).parse(text)
    return SupernetSpace(SupernetConfig.model_validate(space)).parse(text)
