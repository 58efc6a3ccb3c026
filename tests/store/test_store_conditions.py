"""Filters as SQL: the same trials as a loop over them finds, and no words of a person's in the SQL."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nasd import filters
from nasd.runs.filtering import conditions
from store import MARK, Condition, Delta, Run, Trial
from store.conditions import compile as as_sql
from tests.helpers.store_samples import beginning, step, trial


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run.create(tmp_path / "run", "name: run\n", name="run", version="0")
    made.commit(beginning())
    for number in range(1, 41):
        status = ("evaluated", "failed", "infeasible", "early_stopped")[number % 4]
        made.commit(
            step(
                number,
                trial=trial(
                    number, embedding=None, reward=number / 40, status=status, seconds=float(number), stage="e=0.1",
                    reason="out of 100% memory_" if status == "failed" else None, facts={"epsilon": 0.1 * (number % 3)},
                    duplicate_of=1 if number % 10 == 0 else None,
                ),
            )
        )  # fmt: skip
    made.commit(Delta(flags={f"{MARK}7": {"star": True, "note": "Again, with 100 epochs"}, "paused": False}))
    return made


CASES = {
    "reward>0.5": lambda t: t.reward > 0.5,
    "reward>=50% time<30": lambda t: t.reward >= 0.5 and t.seconds < 30,
    "status:failed | reward<0.1": lambda t: t.status == "failed" or t.reward < 0.1,
    "!status:failed dup:no": lambda t: t.status != "failed" and t.duplicate_of is None,
    "eps=0.1": lambda t: abs(t.facts["epsilon"] - 0.1) < 1e-9,
    "100% memory_": lambda t: "100%" in (t.reason or "") and "memory_" in (t.reason or ""),
    "memory%": lambda t: False,
    "reason:MEMORY": lambda t: "memory" in (t.reason or ""),
    "!reason:memory": lambda t: "memory" not in (t.reason or ""),
    "star:yes": lambda t: t.number == 7,
    "star:no trial<10": lambda t: t.number < 10 and t.number != 7,
    "note:again": lambda t: t.number == 7,
    "stage:e=0.1 trial!=3": lambda t: t.number != 3,
    "layers>5": lambda t: t.number > 20,
    "params=10": lambda t: True,
}


@pytest.mark.parametrize("text", CASES)
def test_finds_what_a_loop_finds(run: Run, text: str) -> None:
    run.know_sizes(lambda net: (0, 10))
    if "layers" in text:
        numbers = {one.net: one.number for one in run.trials()}
        run._connection.execute("DROP TABLE temp.size")
        run.know_sizes(lambda net: (6 if numbers[net] > 20 else 5, 10))
    where = conditions(filters.parse(text))
    wanted = [one.number for one in run.trials() if CASES[text](one)]
    assert [one.number for one in run.trials(where=where)] == wanted
    assert [one.number for one in run.trials(where=where, sort="reward", descending=True)] == wanted[::-1]
    assert run.page(where=where, limit=1)[0] == len(wanted)


def test_distinct_leaves_duplicates_out_and_counts_them(run: Run) -> None:
    rows: list[Trial] = run.trials(distinct=True)
    assert all(row.duplicate_of is None for row in rows)
    assert run.page(distinct=True, limit=1)[0] == len(rows) == 36
    assert run.times_proposed([1, 2]) == {1: 5, 2: 1}


def test_sizes_are_noted_once_and_for_new_trials(run: Run) -> None:
    asked: list[str] = []
    run.know_sizes(lambda net: (len(asked), asked.append(net) or 1))  # type: ignore[func-returns-value]
    assert len(asked) == 40
    run.know_sizes(lambda net: (0, 0))
    assert len(asked) == 40


def test_who_asks_for_sizes_at_the_same_time_waits_for_them(run: Run) -> None:
    asked: list[str] = []
    together = threading.Barrier(2, timeout=30)

    def know() -> None:
        together.wait()
        run.know_sizes(lambda net: (len(asked), asked.append(net) or 1))  # type: ignore[func-returns-value]
        assert len(run.trials(where=(((Condition("params", "=", 1),),)))) == 40

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(know), pool.submit(know)]:
            done.result(60)
    assert len(asked) == 40, "each was read once"


def test_marks_are_sealed(run: Run) -> None:
    assert run.marks() == {7: {"star": True, "note": "Again, with 100 epochs"}}
    path = run.path
    run.close()
    with Run.open(path, writable=True) as again:  # which compares all seals
        assert again.marks()[7]["star"]


def test_what_is_typed_is_bound() -> None:
    sql, bound = as_sql(((Condition("", "contains", "'; DROP TABLE trial --"), Condition('facts.a"b', "=", "x'y")),))
    assert "DROP" not in sql
    assert "x'y" not in sql
    assert any("DROP" in str(value) for value in bound)
    with pytest.raises(ValueError, match="no field"):
        as_sql(((Condition("reward; DROP", "=", 1.0),),))
    with pytest.raises(ValueError, match="no operator"):
        as_sql(((Condition("reward", "= 1 OR", 1.0),),))
