"""Numbers as blobs (little-endian arrays), JSON as text, and rows as records."""

import json
import sys
from array import array
from collections.abc import Iterable
from typing import Any

from store.records import Job, OpenProposal, Trial

_SWAP = sys.byteorder == "big"


def pack_floats(values: Iterable[float]) -> bytes:
    """Pack as float64."""
    return _pack(array("d", values))


def pack_ints(values: Iterable[int]) -> bytes:
    """Pack as int32.

    Raises:
        OverflowError: A value does not fit.
    """
    return _pack(array("i", values))


def unpack_floats(blob: bytes) -> tuple[float, ...]:
    """Undo `pack_floats`."""
    return tuple(_unpack("d", blob))


def unpack_ints(blob: bytes) -> tuple[int, ...]:
    """Undo `pack_ints`."""
    return tuple(_unpack("i", blob))


def _pack(values: "array[Any]") -> bytes:
    if _SWAP:
        values.byteswap()
    return values.tobytes()


def _unpack(code: str, blob: bytes) -> "array[Any]":
    values: array[Any] = array(code)
    values.frombytes(blob)
    if _SWAP:
        values.byteswap()
    return values


def to_json(value: object) -> str:
    """Write compact JSON, keys in the order given.

    Raises:
        TypeError: A part of it has no JSON form.
        ValueError: It holds a NaN or an infinity.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


TRIAL_COLUMNS = (
    "number, ordinal, net, status, epsilon, reward, counted, duplicate_of, reason, seed, best_validation, "
    "test_accuracy, embedding_dim, micro_batch, imported, finished_at, seconds, encode_seconds, train_seconds, "
    "peak_memory, device, embedding"
)


def trial_row(trial: Trial) -> tuple[Any, ...]:
    """A trial as `TRIAL_COLUMNS`."""
    return (
        trial.number,
        trial.order,
        trial.net,
        trial.status,
        trial.epsilon,
        trial.reward,
        trial.counted,
        trial.duplicate_of,
        trial.reason,
        None if trial.seed is None else str(trial.seed),  # a seed may use all 64 bits, SQLite's integers have 63
        trial.best_validation,
        trial.test_accuracy,
        trial.embedding_dim,
        trial.micro_batch,
        trial.imported,
        trial.finished_at,
        trial.seconds,
        trial.encode_seconds,
        trial.train_seconds,
        trial.peak_memory,
        trial.device,
        trial.embedding,
    )


def trial_from(row: tuple[Any, ...]) -> Trial:
    """A trial from `TRIAL_COLUMNS` followed by the two curves and the metrics (None where it has none)."""
    return Trial(
        number=row[0],
        order=row[1],
        net=row[2],
        status=row[3],
        epsilon=row[4],
        reward=row[5],
        counted=bool(row[6]),
        duplicate_of=row[7],
        reason=row[8],
        seed=None if row[9] is None else int(row[9]),
        test_accuracy=row[11],
        embedding_dim=row[12],
        micro_batch=row[13],
        imported=bool(row[14]),
        finished_at=row[15],
        seconds=row[16],
        encode_seconds=row[17],
        train_seconds=row[18],
        peak_memory=row[19],
        device=row[20],
        embedding=row[21],
        validation_accuracies=() if row[22] is None else unpack_floats(row[22]),
        train_accuracies=() if row[23] is None else unpack_floats(row[23]),
        metrics=None if row[24] is None else json.loads(row[24]),
    )


JOB_COLUMNS = "id, kind, params, status, priority, progress, result, reason, created_at, started_at, finished_at"


def job_row(job: Job) -> tuple[Any, ...]:
    """A job as `JOB_COLUMNS`; id 0 becomes NULL, which SQLite numbers."""
    return (
        job.id or None,
        job.kind,
        to_json(job.params),
        job.status,
        job.priority,
        job.progress,
        None if job.result is None else to_json(job.result),
        job.reason,
        job.created_at,
        job.started_at,
        job.finished_at,
    )


def job_from(row: tuple[Any, ...]) -> Job:
    """A job from `JOB_COLUMNS`."""
    return Job(
        id=row[0],
        kind=row[1],
        params=json.loads(row[2]),
        status=row[3],
        priority=row[4],
        progress=row[5],
        result=None if row[6] is None else json.loads(row[6]),
        reason=row[7],
        created_at=row[8],
        started_at=row[9],
        finished_at=row[10],
    )


PROPOSAL_COLUMNS = "number, net, epsilon, kind, reason"


def proposal_row(proposal: OpenProposal) -> tuple[Any, ...]:
    """A proposal as `PROPOSAL_COLUMNS`."""
    return (proposal.number, proposal.net, proposal.epsilon, proposal.kind, proposal.reason)


def proposal_from(row: tuple[Any, ...]) -> OpenProposal:
    """A proposal from `PROPOSAL_COLUMNS`."""
    return OpenProposal(*row)
