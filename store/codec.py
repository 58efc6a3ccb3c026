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
    packed = array("d", values)
    if _SWAP:
        packed.byteswap()
    return packed.tobytes()


def unpack_floats(blob: bytes) -> tuple[float, ...]:
    """Undo `pack_floats`."""
    values = array("d")
    values.frombytes(blob)
    if _SWAP:
        values.byteswap()
    return tuple(values)


def to_json(value: object) -> str:
    """Write compact JSON, keys in the order given.

    Raises:
        TypeError: A part of it has no JSON form.
        ValueError: It holds a NaN or an infinity.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


TRIAL_COLUMNS = (
    "number, ordinal, net, status, reward, counted, duplicate_of, reason, seed, best_validation, test_accuracy, "
    "embedding_dim, micro_batch, imported, finished_at, seconds, encode_seconds, train_seconds, peak_memory, device, "
    "embedding, stage, facts"
)


def trial_row(trial: Trial) -> tuple[Any, ...]:
    """A trial as `TRIAL_COLUMNS`."""
    return (
        trial.number,
        trial.order,
        trial.net,
        trial.status,
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
        trial.stage,
        to_json(trial.facts),
    )


def trial_from(row: tuple[Any, ...]) -> Trial:
    """A trial from `TRIAL_COLUMNS` followed by the two curves and the metrics (None where it has none)."""
    return Trial(
        number=row[0],
        order=row[1],
        net=row[2],
        status=row[3],
        reward=row[4],
        counted=bool(row[5]),
        duplicate_of=row[6],
        reason=row[7],
        seed=None if row[8] is None else int(row[8]),
        test_accuracy=row[10],
        embedding_dim=row[11],
        micro_batch=row[12],
        imported=bool(row[13]),
        finished_at=row[14],
        seconds=row[15],
        encode_seconds=row[16],
        train_seconds=row[17],
        peak_memory=row[18],
        device=row[19],
        embedding=row[20],
        stage=row[21],
        facts=json.loads(row[22]),
        validation_accuracies=() if row[23] is None else unpack_floats(row[23]),
        train_accuracies=() if row[24] is None else unpack_floats(row[24]),
        metrics=None if row[25] is None else json.loads(row[25]),
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


PROPOSAL_COLUMNS = "number, net, kind, reason, stage, facts"


def proposal_row(proposal: OpenProposal) -> tuple[Any, ...]:
    """A proposal as `PROPOSAL_COLUMNS`."""
    return (
        proposal.number,
        proposal.net,
        proposal.kind,
        proposal.reason,
        proposal.stage,
        to_json(proposal.facts),
    )


def proposal_from(row: tuple[Any, ...]) -> OpenProposal:
    """A proposal from `PROPOSAL_COLUMNS`."""
    number, net, kind, reason, stage, facts = row
    return OpenProposal(number, net, kind, reason, stage, json.loads(facts))
