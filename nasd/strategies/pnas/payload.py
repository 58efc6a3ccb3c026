"""What PNAS keeps of its search, as bytes: rows of the ledger, and its own records. The form is frozen."""

import msgspec

from nasd.strategies.ledger import Row


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A cell that was chosen."""

    net: str
    prediction: float | None = None  # None: it was not ranked
    spread: float | None = None


class Level(msgspec.Struct, frozen=True, array_like=True, tag="level"):
    """The answer of ranking: the cells of a level, the best first."""

    blocks: int
    cells: tuple[Candidate, ...]
    scored: int = 0  # different cells that were ranked
    scores: tuple[float, float, tuple[int, ...]] | None = None  # their lowest and highest, and counts in equal bins


class Taken(msgspec.Struct, frozen=True, array_like=True, tag="taken"):
    """The last row of another search that goes on here, and the levels that it has evaluated: the last is filled up."""

    row: Row
    levels: tuple[tuple[str, ...], ...]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker has to know to rank a level."""

    blocks: int
    parents: tuple[str, ...]
    rows: tuple[tuple[str, float], ...]  # evaluated cells and their rewards, by trial number
    known: tuple[str, ...] = ()  # of the level, evaluated elsewhere
    wanted: int | None = None  # how many; None: all


Record = Row | Level | Taken

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)
_requests = msgspec.msgpack.Decoder(Request)


def encode(record: Record | Request) -> bytes:
    """As bytes."""
    return _encoder.encode(record)


def decode(payload: bytes) -> Record:
    """Undo `encode`.

    Raises:
        ValueError: It is something else.
    """
    try:
        record: Record = _decoder.decode(payload)
    except ValueError as error:  # msgspec's errors are such
        raise ValueError(f"what was learned is no record of this search: {error}") from error
    return record


def decode_request(payload: bytes) -> Request:
    """Undo `encode` of a request. Raises ValueError."""
    return _requests.decode(payload)
