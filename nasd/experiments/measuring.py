"""Have jobs done for a selection of architectures, and read what came of them."""

import csv
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from nasd import protocol
from nasd.client import Client
from nasd.errors import NasdError
from nasd.experiments.selection import Choice, candidates, select
from nasd.protocol import JobPage, JobRow, JobsParams, QueueJobParams

if TYPE_CHECKING:
    from store import Job, Run

POLL = 1.0  # seconds
COLUMNS = (
    "group",
    "trial",
    "net",
    "search_reward",
    "job",
    "repeat",
    "seed",
    "reward",
    "best_validation",
    "test_accuracy",
)


@dataclass(frozen=True)
class Measured:
    """One architecture, what the search saw of it, and each repeat of its job. Accuracies are fractions."""

    group: str
    trial: int | None
    net: str
    search_reward: float
    job: int
    repeats: tuple[dict[str, Any], ...]

    @property
    def rewards(self) -> tuple[float, ...]:
        """Of the repeats."""
        return tuple(repeat["reward"] for repeat in self.repeats)


def measure(
    client: Client,
    label: str,
    choice: Choice,
    params: QueueJobParams,
    *,
    again: bool = False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> tuple[Measured, ...]:
    """Queue a job for each architecture of a selection and wait until all have ended.

    Jobs that an equal call queued before are waited for instead, whatever the search has found since.

    Args:
        client: Connected to the run's daemon.
        label: What the jobs are for; tells them from others.
        choice: Which architectures.
        params: All but what names an architecture.
        again: Queue new jobs in any case.
        on_progress: Told the share that is done.

    Raises:
        NasdError: Too few architectures, or too few jobs came to their end.
    """
    batch = None if again else _find(client, label, choice, params)
    if batch is None:
        chosen = select(candidates(client), choice)
        first: JobRow = client.call("queue_job", structs.replace(params, selection=chosen, label=label))
        batch = first.batch
    while True:
        jobs = sorted((job for job in _jobs(client) if job.batch == batch), key=lambda job: job.id)
        on_progress(sum(job.progress if _open(job) else 1.0 for job in jobs) / len(jobs))
        if not any(map(_open, jobs)):
            break
        time.sleep(POLL)
    done = [job for job in jobs if job.status == "done"]
    if {job.group for job in done} != set(choice.groups):
        reasons = [f"job {job.id} {job.status}" + (f" ({job.reason})" if job.reason else "") for job in jobs]
        raise NasdError(f"of the {label} jobs too few are done: {', '.join(reasons)}; ask with --again for new ones")
    return tuple(Measured(j.group, j.trial, j.net, j.reward or 0.0, j.id, _repeats(j)) for j in done)


def measured(run: "Run", label: str) -> tuple[Measured, ...]:
    """What the newest experiment has measured whose jobs have all ended, as `measure` gave it.

    Raises:
        NasdError: There is none.
    """
    batches: dict[int, list[Job]] = {}
    for job in sorted(run.jobs(), key=lambda job: -job.id):
        if job.params.get("label") == label and job.params.get("batch") is not None:
            batches.setdefault(job.params["batch"], []).insert(0, job)
    for jobs in batches.values():
        done = [job for job in jobs if job.status == "done"]
        ended = not any(job.status in ("queued", "running") for job in jobs)
        if ended and {job.params["group"] for job in done} == {job.params["group"] for job in jobs}:
            return tuple(_of_store(job) for job in done)
    name = run.path.name
    raise NasdError(f"{name} has no finished experiment {label}: make one with nasd experiment {label} {name}")


def write_csv(path: Path, rows: Sequence[Measured]) -> None:
    """One line a repeat; accuracies are fractions. Raises DiskError."""
    from store import files  # noqa: PLC0415 - only once all is measured
    from store.errors import disk_errors  # noqa: PLC0415

    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        for number, repeat in enumerate(row.repeats, 1):
            of_repeat = (repeat[name] for name in COLUMNS[6:])
            writer.writerow((row.group, row.trial, row.net, row.search_reward, row.job, number, *of_repeat))
    with disk_errors(path, "write a table"):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, text.getvalue().encode())


def _find(client: Client, label: str, choice: Choice, params: QueueJobParams) -> int | None:
    """The newest batch of jobs that asked for the same; a cancelled one is not wanted any more."""
    batches: dict[int, list[JobRow]] = {}
    for job in _jobs(client):
        if job.label == label and job.batch is not None:
            batches.setdefault(job.batch, []).append(job)
    for batch, jobs in sorted(batches.items(), reverse=True):
        same = all(
            (job.repeats, job.full) == (params.repeats, params.full) and params.epochs in (None, job.epochs)
            for job in jobs
        )
        groups = sorted(group for group in choice.groups for _ in range(choice.each))
        wanted = not any(job.status == "cancelled" for job in jobs)
        if same and wanted and sorted(job.group for job in jobs) == groups:
            return batch
    return None


def _jobs(client: Client) -> list[JobRow]:
    rows: dict[int, JobRow] = {}
    offset = 0
    while True:
        page: JobPage = client.call("jobs", JobsParams(offset=offset, limit=protocol.MAX_PAGE))
        rows |= {row.id: row for row in page.rows}
        offset += len(page.rows)
        if not page.rows or offset >= page.total:
            return list(rows.values())


def _open(job: JobRow) -> bool:
    return job.status in ("queued", "running")


def _of_store(job: "Job") -> Measured:
    of = job.params
    return Measured(of["group"], of["trial"], of["net"], of["reward"] or 0.0, job.id, _repeats(job))


def _repeats(job: "JobRow | Job") -> tuple[dict[str, Any], ...]:
    assert job.result is not None  # it is done
    return tuple(job.result["repeats"])
