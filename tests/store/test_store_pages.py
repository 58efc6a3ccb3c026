"""Pages of trials, sorted and searched, and what the daemon asks besides."""

import pytest

from store import Condition, Delta, Run
from store import queries as store_queries
from tests.helpers import store_samples as samples


@pytest.fixture
def mixed(tmp_path):
    with Run.create(tmp_path / "mixed", "", name="a", version="1") as run:
        for number, (status, reward, validation, test) in enumerate(
            [
                ("evaluated", 0.5, (0.4, 0.6), 0.55),
                ("infeasible", 0.0, (), None),
                ("early_stopped", 0.1, (0.1, 0.12), None),
                ("duplicate", 0.5, (), None),
                ("evaluated", 0.9, (0.9, 0.8), 0.85),
                ("failed", 0.0, (), None),
                ("evaluated", 0.5, (0.5,), 0.5),
            ],
            1,
        ):
            made = samples.trial(
                number,
                status=status,
                reward=reward,
                validation_accuracies=validation,
                test_accuracy=test,
                counted=reward > 0,
                net=samples.net(1) if status == "duplicate" else samples.net(number),
                duplicate_of=1 if status == "duplicate" else None,
                reason="100% too_large" if status == "infeasible" else None,
                seconds=10.0 - number,
            )
            run.commit(Delta(trial=made))
        yield run


def numbers(trials):
    return [trial.number for trial in trials]


def test_sorting(mixed):
    assert numbers(mixed.trials()) == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(mixed.trials(descending=True, limit=2, offset=1)) == [6, 5]
    assert numbers(mixed.trials(sort="reward", descending=True)) == [5, 7, 4, 1, 3, 6, 2]
    assert numbers(mixed.trials(sort="best_validation", descending=True))[:4] == [5, 1, 7, 3]
    assert numbers(mixed.trials(sort="test_accuracy", descending=True))[:3] == [5, 1, 7]
    assert numbers(mixed.trials(sort="seconds")) == [7, 6, 5, 4, 3, 2, 1]
    assert numbers(mixed.trials(sort="finished_at")) == [1, 2, 3, 4, 5, 6, 7]
    mixed.know_sizes(lambda net: (net.count("("), 100 - len(net)))
    for sort, size in (("layers", lambda trial: trial.net.count("(")), ("parameters", lambda trial: -len(trial.net))):
        wanted = sorted(mixed.trials(), key=lambda trial, size=size: (size(trial), trial.number))
        assert numbers(mixed.trials(sort=sort)) == numbers(wanted)
    with pytest.raises(ValueError, match="cannot be sorted"):
        mixed.trials(sort="number; DROP TABLE trial")


def test_searching(mixed):
    assert numbers(mixed.trials(text="EARLY")) == [3]
    assert numbers(mixed.trials(text="c(1,")) == [1, 4]
    assert numbers(mixed.trials(text="0% too_l", sort="reward")) == [2]
    assert numbers(mixed.trials(text="%")) == [2]
    assert numbers(mixed.trials(text="_l")) == [2]
    assert numbers(mixed.trials(text="\\")) == []
    assert numbers(mixed.trials(text="'")) == []
    assert numbers(mixed.trials(status=("failed", "duplicate"))) == [4, 6]
    assert numbers(mixed.trials(text="c(1,", status=("duplicate",))) == [4]
    assert [mixed.page(**wanted)[0] for wanted in ({}, {"text": "c(1,"}, {"status": ("failed", "duplicate")})] == [
        7,
        2,
        2,
    ]


@pytest.mark.parametrize("wanted", [{}, {"text": "c(1,"}, {"distinct": True}, {"status": ("evaluated",)}])
def test_a_page_behind_the_last_one_is_empty_and_knows_how_many_there_are(mixed, wanted):
    total, found = mixed.page(offset=1, limit=1, **wanted)
    assert len(found) == 1
    assert mixed.page(offset=50, limit=1, **wanted) == (total, [])


def test_summaries(mixed):
    assert numbers(mixed.best(2)) == [5, 1]
    assert numbers(mixed.best(99)) == [5, 1, 7, 3]
    assert mixed.best(0) == []
    assert mixed.by_status() == {"evaluated": 3, "infeasible": 1, "early_stopped": 1, "duplicate": 1, "failed": 1}
    found = mixed.rewards()
    assert mixed.counted() == len(found.numbers)
    assert list(found.numbers) == [1, 3, 4, 5, 7]
    assert list(found.rewards) == [0.5, 0.1, 0.5, 0.9, 0.5]
    assert found.of_stages == ["e=1"] * 5
    assert list(mixed.rewards(after=4).numbers) == [5, 7]


@pytest.mark.parametrize("sort", ["reward", "best_validation", "test_accuracy", "seconds", "finished_at"])
@pytest.mark.parametrize("descending", [False, True])
def test_a_page_is_chosen_from_an_index(run, sort, descending):
    direction = "DESC" if descending else "ASC"
    order = f"{sort} {direction}, number {direction}"
    plan = run._connection.execute(
        f"EXPLAIN QUERY PLAN SELECT number FROM trial ORDER BY {order} LIMIT 100 OFFSET 9"
    ).fetchall()
    assert [step[3] for step in plan] == [f"SCAN trial USING COVERING INDEX trial_{sort}"]


def test_a_filter_reads_the_table_once_from_end_to_end(run):
    """By an index each row would be looked up for itself, and for the count once more: five times as long."""
    asked = []
    run._connection.set_trace_callback(asked.append)
    run.page(sort="reward", where=((Condition("reward", ">", 0.1), Condition("time", ">", 1.0)),), limit=10)
    run._connection.set_trace_callback(None)
    (query,) = (statement for statement in asked if "FROM trial" in statement)
    plan = [step[3] for step in run._connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    of_trials = [step for step in plan if " trial" in step]
    assert of_trials == ["SCAN trial", "SEARCH trial USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN"]


def test_the_sort_keys_are_the_protocols():
    protocol = pytest.importorskip("nasd.protocol")
    assert store_queries.TrialSort == protocol.TrialSort


def test_what_the_daemon_asks_besides(mixed, run):
    assert mixed.duplicates(1, limit=20) == [4]
    assert mixed.duplicates(5, limit=20) == []
    assert run.position(after=0) == samples.beginning().position
    assert run.position(after=4) == samples.step(4).position
    assert run.position(after=99) is None
    assert run.sync() == 6
    assert not (run.path / "run.db-wal").stat().st_size
