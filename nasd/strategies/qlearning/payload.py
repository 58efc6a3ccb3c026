"""What one trial taught a Q-table, as the bytes that a run keeps of it. The form is frozen: it lies on people's disks.

Little-endian: trial number, counts of path, states, transitions and Q-values (int32 each), the reward (float64); the
path (int32); the states (9 int32 each, the layer type as its place in `LAYER_TYPES`); the transitions (2 int32 each);
the numbers of the transitions that were written (int32), and their Q-values (float64).
"""

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasd.spaces.layers import State

LAYER_TYPES = ("start", "conv", "wrn", "max_pool", "spp", "fc")
_HEAD = struct.Struct("<5id")
_INT, _FLOAT = np.dtype("<i4"), np.dtype("<f8")


class Update(NamedTuple):
    """What one observation changed in a Q-table.

    Transitions are (state, action) pairs, numbered from 0 in the order in which they were first updated; `states` and
    `transitions` list those that this observation numbered, `q_ids` and `q_values` every Q-value that it touched, with
    its final value. `path` is the observed architecture as transition numbers: its row of the replay buffer.
    """

    number: int
    reward: float
    path: tuple[int, ...]
    states: tuple[State, ...]
    transitions: tuple[tuple[int, int], ...]
    q_ids: "NDArray[np.int32]"  # (touched,)
    q_values: "NDArray[np.float64]"  # (touched,)


def pack(update: Update) -> bytes:
    """As bytes."""
    codes = [(LAYER_TYPES.index(state.layer_type), *state[1:]) for state in update.states]
    counts = (len(update.path), len(update.states), len(update.transitions), len(update.q_ids))
    return b"".join(
        (
            _HEAD.pack(update.number, *counts, update.reward),
            np.asarray(update.path, _INT).tobytes(),
            np.asarray(codes, _INT).tobytes(),
            np.asarray(update.transitions, _INT).tobytes(),
            np.asarray(update.q_ids, _INT).tobytes(),
            np.asarray(update.q_values, _FLOAT).tobytes(),
        )
    )


def unpack(payload: bytes) -> Update:
    """Undo `pack`.

    Raises:
        ValueError: These are not the bytes of an update.
    """
    try:
        return _read(payload)
    except (struct.error, ValueError) as error:
        raise ValueError(f"what was learned of a trial is damaged: {error}") from error


def _read(payload: bytes) -> Update:
    number, *counts, reward = _HEAD.unpack_from(payload)
    if min(counts) < 0:
        raise ValueError("a count is negative")
    path, states, transitions, touched = counts
    plain = path + 9 * states + 2 * transitions
    if len(payload) != _HEAD.size + 4 * plain + 12 * touched:
        raise ValueError(f"{len(payload)} bytes do not hold what it counts")
    ints = np.frombuffer(payload, _INT, plain + touched, _HEAD.size)
    head = ints[:plain].tolist()
    return Update(
        number=number,
        reward=reward,
        path=tuple(head[:path]),
        states=tuple(_state(head[at : at + 9]) for at in range(path, path + 9 * states, 9)),
        transitions=tuple((head[at], head[at + 1]) for at in range(path + 9 * states, plain, 2)),
        q_ids=ints[plain:],
        q_values=np.frombuffer(payload, _FLOAT, touched, _HEAD.size + ints.nbytes),
    )


def _state(numbers: list[Any]) -> State:
    if not 0 <= numbers[0] < len(LAYER_TYPES):
        raise ValueError(f"there is no layer type {numbers[0]}")
    return State(LAYER_TYPES[numbers[0]], *numbers[1:])  # type: ignore[arg-type]
