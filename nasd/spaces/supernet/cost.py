"""What a network takes: parameters, bytes on disk, operations, and how long it is assumed to take."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nasd.config import SupernetConfig
from nasd.errors import ConfigError
from nasd.spaces.supernet.layers import Conv, Path, Skeleton, Unit

BITS = 64  # binary products that a processor does in the time of a float one


class Size(NamedTuple):
    """What has to be stored of a network: a bit a binary weight, four bytes for each other parameter.

    Attributes:
        binary_weights: Number of weights of one bit.
        float_parameters: Number of all others, those of batch norms and biases among them.
        bytes: On disk.
    """

    binary_weights: int
    float_parameters: int
    bytes: int


def paths(skeleton: Skeleton, choices: tuple[str, ...]) -> Iterator[Path]:
    """What each unit does under its choice."""
    for unit, choice in zip(skeleton.units, choices, strict=True):
        yield unit.paths[choice]


def size(skeleton: Skeleton, choices: tuple[str, ...]) -> Size:
    """Of the network of these choices."""
    convs, norms = [*skeleton.stem.convs], [*skeleton.stem.norms]
    for path in paths(skeleton, choices):
        convs += path.convs
        norms += path.norms
    for step in skeleton.steps:
        if not isinstance(step, Unit):
            convs.append(step.conv)
            norms += step.norms
    if skeleton.head.norm:
        norms.append(skeleton.head.features)
    binary = sum(conv.weights for conv in convs if conv.binary)
    floats = sum(conv.weights for conv in convs if not conv.binary) + 2 * sum(norms) + skeleton.head.parameters
    return Size(binary, floats, -(-binary // 8) + 4 * floats)


def multiply_adds(convs: Iterable[Conv], image: int) -> int:
    """For one image, of convolutions whose outputs have this side; a binary one counts as 1/64."""
    binary = sum(conv.weights for conv in convs if conv.binary) * image**2
    return sum(conv.weights for conv in convs if not conv.binary) * image**2 + -(-binary // BITS)


def latencies(config: SupernetConfig, skeleton: Skeleton) -> tuple[tuple[float, ...], ...]:
    """What each choice of each unit takes, in the order of its choices.

    As measured (`space.latencies`), else by a table: for residual units LightNAS's, 3 for 32 bits and
    3 * (0.25 + 0.75 * bits / 32) for fewer, of no unit; for the others millions of multiply-adds, a binary one 1/64.

    Raises:
        ConfigError: `space.latencies` has not an entry for each choice, or is still to be measured.
    """
    units = skeleton.units
    if config.latencies is None:
        return tuple(tuple(_by_table(unit, choice) for choice in unit.choices) for unit in units)
    if config.latencies == "measured":
        raise ConfigError("space.latencies: `measured` is for a new run, which then holds the numbers; give those here")
    if [len(one) for one in config.latencies] != [len(unit.choices) for unit in units]:
        raise ConfigError(
            f"space.latencies: {config.base} has {len(units)} units of two choices, and needs as many pairs of numbers"
        )
    return config.latencies


def _by_table(unit: Unit, choice: str) -> float:
    if unit.kind in ("residual", "residual_v2"):
        bits = int(choice)
        return 3.0 if bits == 32 else 3 * (0.25 + 0.75 * bits / 32)
    return multiply_adds(unit.paths[choice].convs, unit.size) / 1e6
