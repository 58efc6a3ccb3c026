"""What was learned of each trial, as the store keeps it, and which files of the run are still of use."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from nasd.outcome import SupernetEpoch


class Row(msgspec.Struct, frozen=True, array_like=True, tag="epoch"):
    """A trial. `file` is what it left: shared weights and controller; one that failed left nothing."""

    number: int  # the trial's
    reward: float  # validation accuracy of the derived architecture, with shared weights
    file: str | None = None
    epoch: SupernetEpoch | None = None


class Best(NamedTuple):
    """A derived architecture and the best trial that derived it."""

    net: str
    number: int
    reward: float


_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Row)


def encode(row: Row) -> bytes:
    """The payload of a row."""
    return _encoder.encode(row)


def decode(payload: bytes) -> Row:
    """Read a payload.

    Raises:
        ValueError: It is none.
    """
    try:
        row = _decoder.decode(payload)
    except ValueError as error:  # msgspec's errors are such
        raise ValueError(f"what was learned is no row of an epoch: {error}") from error
    if not (math.isfinite(row.reward) and row.reward >= 0) or (row.file is None) != (row.epoch is None):
        raise ValueError(f"what was learned of trial {row.number} contradicts itself")
    return row


def file_of(number: int) -> str:
    """The name of the file that a trial leaves."""
    return f"supernet-{number:06}.safetensors"


def kept(trained: Sequence[Row], newest: int, every: int | None) -> set[str]:
    """The files that stay: of the newest epochs, of the best one (the first of equals), and of every so manieth."""
    if not trained:
        return set()
    best = max(trained, key=lambda row: row.reward)
    regular = trained[every - 1 :: every] if every else ()
    return {row.file for row in (*trained[-newest:], best, *regular) if row.file is not None}


def best_derived(trained: Sequence[Row], count: int) -> tuple[Best, ...]:
    """The best distinct architectures of all epochs, each with its best reward, the best first."""
    found: dict[str, Best] = {}
    for row in trained:
        assert row.epoch is not None
        net = row.epoch.net
        if net not in found or row.reward > found[net].reward:
            found[net] = Best(net, row.number, row.reward)
    return tuple(sorted(found.values(), key=lambda one: (-one.reward, one.number))[:count])
