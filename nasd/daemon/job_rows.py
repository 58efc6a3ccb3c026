"""Jobs as clients see them, and the order in which they are worked off."""

from collections.abc import Iterable

from nasd.daemon.retrain import Retrain, without_curves
from nasd.protocol import JOB_LISTING, MAX_FRAME, MAX_PAGE, JobPage, JobRow, JobsParams, encode
from nasd.runs.from_scratch import ranking
from store import Job


def page(jobs: Iterable[Job], params: JobsParams) -> JobPage:
    """Open jobs in the order in which they are worked off, then the ended ones, newest first.

    Fewer than asked for where they would not fit into a frame.

    Raises:
        FilterError: The filter is none.
    """
    jobs = tuple(jobs)
    ordered = sorted(jobs, key=lambda job: (0, urgency(job)) if is_open(job) else (1, -job.id))
    if params.where:
        matches = JOB_LISTING.matching(params.where)
        ordered = [job for job in ordered if matches(to_row(job))]
    start, count = max(0, params.offset), max(1, min(params.limit, MAX_PAGE))
    rows: list[JobRow] = []
    taken = 0
    for job in ordered[start : start + count]:
        row = to_row(job)
        taken += len(encode(row))
        if rows and taken > MAX_FRAME // 2:
            break
        rows.append(row)
    return JobPage(total=len(ordered), offset=start, rows=tuple(rows), notes=ranking(jobs).sentences)


def to_row(job: Job) -> JobRow:
    """A job as clients see it."""
    retrain = Retrain.of(job)
    return JobRow(
        id=job.id,
        kind=job.kind,
        summary=retrain.summary,
        status=job.status,
        priority=job.priority,
        progress=job.progress,
        reason=job.reason,
        result=without_curves(job.result),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        paused=job.status == "queued" and bool(job.params.get("paused")),
        net=retrain.net,
        trial=retrain.trial,
        repeats=retrain.repeats,
        epochs=retrain.epochs,
        batch=retrain.batch,
        group=retrain.group,
        reward=retrain.reward,
        label=retrain.label,
        full=retrain.full,
        device=retrain.device,
    )


def urgency(job: Job) -> tuple[bool, bool, int, int]:
    """What comes first is done first: what runs, what is not paused, priority, age."""
    return (job.status != "running", not waits(job), -job.priority, job.id)


def waits(job: Job) -> bool:
    """Whether it is to be worked off, or is being so."""
    return job.status in ("queued", "running") and not job.params.get("paused")


def is_open(job: Job) -> bool:
    """Whether it waits, is paused, or runs."""
    return job.status in ("queued", "running")
