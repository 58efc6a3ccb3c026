"""The reads of `run.db`. Each takes a connection and raises what `sqlite3` raises; `Run` adds locking and sentences."""

import itertools
import json
import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypedDict, get_args

from store import codec
from store.conditions import Condition, Parameter, Where
from store.conditions import compile as conditions_as_sql
from store.records import Checkpoint, Job, Learned, LearnedFile, OpenProposal, Step, Trial, TrialStatus

TrialSort = Literal[
    "number", "reward", "best_validation", "test_accuracy", "layers", "parameters", "embedding_dim", "seconds",
    "finished_at",
]  # fmt: skip
_OF_SIZE = {
    name: f"(SELECT {name} FROM temp.size WHERE size.number = trial.number)"  # noqa: S608
    for name in ("layers", "parameters")
}

_COLUMNS = ", ".join("trial." + name for name in codec.TRIAL_COLUMNS.split(", "))
_TRIALS = f"SELECT {_COLUMNS}, validation, train, metrics.value"


@dataclass(frozen=True, slots=True)
class Rewards:
    """The trials that counted, by number, as compact arrays."""

    numbers: "array[int]"
    rewards: "array[float]"
    stages: "array[int]"  # of each trial, an index into `labels`
    labels: tuple[str, ...]  # the stages that occur, in the order of their first trial

    @property
    def of_stages(self) -> list[str]:
        """The stage's label of each trial."""
        return [self.labels[stage] for stage in self.stages]


def checkpoint(connection: sqlite3.Connection) -> Checkpoint:
    """Read everything needed to go on besides what was learned. The caller holds a read transaction."""
    (trials,) = connection.execute("SELECT coalesce(max(ordinal), 0) FROM trial").fetchone()
    return Checkpoint(
        trials=trials,
        learned=connection.execute("SELECT coalesce(max(id), 0) FROM learned").fetchone()[0],
        position=position(connection),
        open=open_proposals(connection),
        jobs=[
            codec.job_from(row)
            for row in connection.execute(f"SELECT {codec.JOB_COLUMNS} FROM job ORDER BY id")  # noqa: S608
        ],
        flags=flags(connection),
        arrived=dict(connection.execute("SELECT number, outcome FROM arrived ORDER BY number").fetchall()),
    )


def position(connection: sqlite3.Connection, after: int | None = None) -> dict[str, object] | None:
    """The strategy's position as the last commit left it, or as it was after `after` observed trials."""
    if after is None:
        row = connection.execute("SELECT value FROM position ORDER BY after DESC LIMIT 1").fetchone()
    else:
        row = connection.execute("SELECT value FROM position WHERE after = ?", (after,)).fetchone()
    return None if row is None else json.loads(row[0])


def flags(connection: sqlite3.Connection) -> dict[str, object]:
    """All flags."""
    return {name: json.loads(value) for name, value in connection.execute("SELECT name, value FROM flag ORDER BY name")}


def open_proposals(connection: sqlite3.Connection) -> list[OpenProposal]:
    """Proposals without a trial, by number."""
    # A proposal that is far behind the last trial cannot be open in practice, but nothing forbids it: compare all.
    rows = connection.execute(
        f"SELECT {codec.PROPOSAL_COLUMNS} FROM proposal "  # noqa: S608
        "WHERE number NOT IN (SELECT number FROM trial) ORDER BY number"
    )
    return [codec.proposal_from(row) for row in rows]


def proposals(connection: sqlite3.Connection, after: int) -> list[OpenProposal]:
    """Proposals that were open when the trial after the `after`-th was to be observed, by number."""
    rows = connection.execute(
        f"SELECT {codec.PROPOSAL_COLUMNS} FROM proposal WHERE opened_after <= :after "  # noqa: S608
        "AND number NOT IN (SELECT number FROM trial WHERE ordinal <= :after) ORDER BY number",
        {"after": after},
    )
    return [codec.proposal_from(row) for row in rows]


class Wanted(TypedDict, total=False):
    """Which trials are wanted, and in which order."""

    offset: int  # matching trials to skip
    limit: int | None  # how many at most; None: all
    sort: TrialSort  # the column; layers and parameters after `know_sizes`
    descending: bool  # highest first
    text: str  # looked for in the architecture, the status and the reason, whatever the case of ASCII letters
    status: Sequence[TrialStatus]  # only these; empty: all
    where: Where  # only those that fulfil one of these conjunctions; of conditions on sizes after `know_sizes`
    distinct: bool  # leave duplicates out


def page(connection: sqlite3.Connection, wanted: Wanted) -> tuple[int, list[Trial]]:
    """How many trials match, and one page of them."""
    sort = wanted.get("sort", "number")
    if sort not in get_args(TrialSort):
        raise ValueError(f"trials cannot be sorted by {sort!r}; choose from {', '.join(get_args(TrialSort))}")
    where, parameters = _matching(wanted)
    matching = f"SELECT number, {_OF_SIZE.get(sort, sort)} AS key FROM trial"  # noqa: S608
    if wanted.get("text") or wanted.get("where"):
        # The table is read once, from end to end, for the page and the count. By an index SQLite would jump to and fro
        # in it, which takes five times as long.
        matching = f"MATERIALIZED ({matching} NOT INDEXED {where})"
        total = "SELECT count(*) AS total FROM matching"
    elif where:
        matching = f"({matching} {where})"
        total = f"SELECT count(*) AS total FROM trial {where}"  # noqa: S608
        parameters *= 2
    else:
        matching = f"({matching})"
        total = "SELECT coalesce(max(ordinal), 0) AS total FROM trial"
    direction = "DESC" if wanted.get("descending") else "ASC"
    # Only the rows of the page are read whole. Behind the last one there is still the total.
    query = (  # the parts are our own words; what a person typed is bound
        f"WITH matching AS {matching} SELECT total, {_COLUMNS}, validation, train, metrics.value FROM ({total}) "  # noqa: S608
        f"LEFT JOIN (SELECT * FROM matching ORDER BY key {direction}, number {direction} LIMIT ? OFFSET ?) AS page "
        "LEFT JOIN trial ON trial.number = page.number LEFT JOIN curves ON curves.number = page.number "
        f"LEFT JOIN metrics ON metrics.number = page.number ORDER BY page.key {direction}, page.number {direction}"
    )
    limit = wanted.get("limit")
    bound = (*parameters, -1 if limit is None else limit, wanted.get("offset", 0))
    found = connection.execute(query, bound).fetchall()
    return found[0][0], [codec.trial_from(row[1:]) for row in found if row[1] is not None]


def count(connection: sqlite3.Connection) -> int:
    """How many trials there are."""
    (number,) = connection.execute("SELECT coalesce(max(ordinal), 0) FROM trial").fetchone()
    return int(number)


def counted(connection: sqlite3.Connection) -> int:
    """How many trials counted."""
    (number,) = connection.execute("SELECT count(*) FROM trial WHERE counted").fetchone()
    return int(number)


def _matching(wanted: Wanted) -> tuple[str, list[Parameter]]:
    """A WHERE, or nothing, and what is bound in it."""
    parts = []
    parameters: list[Parameter] = []
    if status := wanted.get("status"):
        parts.append(f"status IN ({','.join('?' * len(status))})")
        parameters += status
    if wanted.get("distinct"):
        parts.append("+duplicate_of IS NULL")  # the + keeps its index out: most are none, and would have to be sorted
    text = wanted.get("text")
    for conditions in (((Condition("", "contains", text),),) if text else (), wanted.get("where", ())):
        expression, bound = conditions_as_sql(conditions)
        if expression:
            parts.append(expression)
            parameters += bound
    return ("WHERE " + " AND ".join(parts) if parts else ""), parameters


class Evaluated(NamedTuple):
    """What was measured of one architecture, in short."""

    order: int
    number: int
    net: str
    reward: float
    embedding_dim: int | None
    seconds: float  # 0 if it was stopped early: it took less for that alone


def evaluated(connection: sqlite3.Connection, after: int, count: int) -> list[Evaluated]:
    """The next `count` trials behind an order that were evaluated, each of an architecture of its own."""
    rows = connection.execute(
        "SELECT ordinal, number, net, reward, embedding_dim, iif(status = 'evaluated', seconds, 0) FROM trial "
        "WHERE ordinal > ? AND status IN ('evaluated', 'early_stopped') ORDER BY ordinal LIMIT ?",
        (after, count),
    )
    return list(map(Evaluated._make, rows))


def rank(connection: sqlite3.Connection, reward: float) -> tuple[int, int]:
    """How many evaluated trials have a higher reward, and how many there are."""
    evaluated = "FROM trial INDEXED BY trial_reward WHERE status IN ('evaluated', 'early_stopped')"
    (better,) = connection.execute(f"SELECT count(*) {evaluated} AND reward > ?", (reward,)).fetchone()
    (all,) = connection.execute("SELECT count(*) FROM trial WHERE status IN ('evaluated', 'early_stopped')").fetchone()
    return int(better), int(all)


def nets(connection: sqlite3.Connection, after: int, count: int) -> list[tuple[int, int, str]]:
    """Number, order and architecture of the next `count` trials behind an order."""
    return connection.execute(
        "SELECT number, ordinal, net FROM trial WHERE ordinal > ? ORDER BY ordinal LIMIT ?", (after, count)
    ).fetchall()


def times_proposed(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, int]:
    """How often the architecture of each trial, which is no duplicate, was proposed."""
    marks = ",".join("?" * len(numbers))
    query = f"SELECT duplicate_of, count(*) FROM trial WHERE duplicate_of IN ({marks}) GROUP BY duplicate_of"  # noqa: S608
    return dict.fromkeys(numbers, 1) | {number: 1 + more for number, more in connection.execute(query, numbers)}


def trial(connection: sqlite3.Connection, number: int) -> Trial | None:
    """One trial."""
    query = f"{_TRIALS} FROM trial LEFT JOIN curves USING (number) LEFT JOIN metrics USING (number) WHERE number = ?"
    found = connection.execute(query, (number,)).fetchone()
    return None if found is None else codec.trial_from(found)


def best(connection: sqlite3.Connection, k: int) -> list[Trial]:
    """The k best architectures, each once."""
    # Without the hint SQLite prefers the index on status, and sorts every trial.
    rows = connection.execute(
        "SELECT net, number FROM trial INDEXED BY trial_reward "
        "WHERE status IN ('evaluated', 'early_stopped') ORDER BY reward DESC, number"
    )
    found: dict[str, int] = {}
    while len(found) < k and (row := rows.fetchone()) is not None:
        found.setdefault(*row)
    rows.close()
    return [candidate for number in found.values() if (candidate := trial(connection, number)) is not None]


def duplicates(connection: sqlite3.Connection, number: int, limit: int) -> list[int]:
    """The first trials that took over another's reward."""
    rows = connection.execute(
        "SELECT number FROM trial WHERE duplicate_of = ? ORDER BY number LIMIT ?", (number, limit)
    )
    return [found for (found,) in rows]


def repeats(connection: sqlite3.Connection, number: int) -> int:
    """How many trials took over another's reward."""
    (found,) = connection.execute("SELECT count(*) FROM trial WHERE duplicate_of = ?", (number,)).fetchone()
    return int(found)


def rewards(connection: sqlite3.Connection, after: int) -> Rewards:
    """The trials above a number that counted."""
    numbers, values, stages = array("i"), array("d"), array("i")
    labels: dict[str, int] = {}
    for number, reward, stage in connection.execute(
        "SELECT number, reward, stage FROM trial WHERE counted AND number > ? ORDER BY number", (after,)
    ):
        numbers.append(number)
        values.append(reward)
        stages.append(labels.setdefault(stage, len(labels)))
    return Rewards(numbers, values, stages, tuple(labels))


def looks(connection: sqlite3.Connection) -> list[tuple[int, float, dict[str, Any]]]:
    """Order, reward and metrics of the trials that were looked at before they were evaluated fully, in order."""
    query = (
        "SELECT ordinal, reward, value FROM metrics JOIN trial USING (number) WHERE "
        "json_extract(value, '$.screening') IS NOT NULL OR json_extract(value, '$.rungs') IS NOT NULL ORDER BY ordinal"
    )
    return [(int(order), float(reward), json.loads(value)) for order, reward, value in connection.execute(query)]


def by_status(connection: sqlite3.Connection) -> dict[TrialStatus, int]:
    """How many trials of each status; statuses without a trial are left out."""
    return dict(connection.execute("SELECT status, count(*) FROM trial GROUP BY status").fetchall())


def jobs(connection: sqlite3.Connection, offset: int, limit: int | None) -> list[Job]:
    """Jobs: running, then queued by priority and age, then those that ended, newest first."""
    rows = connection.execute(
        f"SELECT {codec.JOB_COLUMNS} FROM job ORDER BY "  # noqa: S608
        "CASE status WHEN 'running' THEN 0 WHEN 'queued' THEN 1 ELSE 2 END, "
        "CASE WHEN status IN ('running', 'queued') THEN -priority END, "
        "CASE WHEN status IN ('running', 'queued') THEN id ELSE -coalesce(finished_at, 0) END, -id LIMIT ? OFFSET ?",
        (-1 if limit is None else limit, offset),
    )
    return [codec.job_from(row) for row in rows]


def observed(connection: sqlite3.Connection, first: int, last: int) -> Iterator[Trial]:
    """Trials by order, from `first` to `last`, both included."""
    rows = connection.execute(
        f"{_TRIALS} FROM trial LEFT JOIN curves USING (number) LEFT JOIN metrics USING (number) "
        "WHERE ordinal BETWEEN ? AND ? ORDER BY ordinal",
        (first, last),
    )
    return map(codec.trial_from, rows)


def payloads(connection: sqlite3.Connection, after: int, count: int) -> list[tuple[int, bytes]]:
    """The next `count` payloads behind the one with the id `after`, with their ids."""
    return connection.execute(
        "SELECT id, payload FROM learned WHERE id > ? ORDER BY id LIMIT ?", (after, count)
    ).fetchall()


def steps(connection: sqlite3.Connection, first: int, last: int, newest: int | None) -> Iterator[Step]:
    """What was observed and learned from the `first` to the `last` observed trial, and thought out after each; 0 stands
    for what was thought out before the first trial. What was learned after payload `newest` is left out.
    """
    trials = {trial.order: trial for trial in observed(connection, first, last)}
    files: dict[int, list[LearnedFile]] = {}
    for id, name, sha256 in connection.execute(
        "SELECT learned, name, sha256 FROM blob JOIN learned ON learned.id = blob.learned "
        "WHERE ordinal BETWEEN ? AND ? ORDER BY blob.rowid",
        (first, last),
    ):
        files.setdefault(id, []).append(LearnedFile(name, sha256))
    rows = connection.execute(
        "SELECT ordinal, number, id, payload FROM learned WHERE ordinal BETWEEN ? AND ? AND id <= ? "
        "ORDER BY ordinal, id",
        (first, last, 2**62 if newest is None else newest),
    )
    learned = {order: list(group) for order, group in itertools.groupby(rows, key=lambda row: row[0])}
    for order in range(first, last + 1):
        made = [(row[1], Learned(row[3], tuple(files.get(row[2], ())))) for row in learned.get(order, ())]
        trial = trials.get(order)
        if trial is not None:  # what was learned of a trial came with it, before what was thought out after it
            yield Step(trial, made.pop(0)[1] if made and made[0][0] == trial.number else None)
        for _, thought in made:
            yield Step(None, thought)
