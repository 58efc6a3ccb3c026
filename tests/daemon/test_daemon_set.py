"""`nasd set`, `nasd fork --set`: a run goes on under another config, and a replay still gives the same."""

import pytest

from nasd.cli import cli
from nasd.errors import ConfigError
from nasd.runs import changes
from nasd.runs.changing import change
from nasd.runs.forking import fork
from store import Run, snapshot
from tests.daemon.test_daemon_snapshot import restore
from tests.helpers.nasd_harness import Process, living, make, rows, sound, tell, until

LONGER = {
    "qlearning": "search.epsilon_schedule=[[1.0, 6], [0.5, 2], [0.1, 6]]",
    "random": "search.trials=14",
    "evolution": "search.trials=14",
}


def set_(directory, *settings):
    with Run.open(directory, writable=True) as run:
        return change(run, settings)


def hanging(first):
    """Orders under which evaluations from the `first` trial on do not end."""
    return dict.fromkeys(range(first, 60), "hang")


def config_of(directory):
    with Run.open(directory) as run:
        return changes.config_of(run)


async def to_the_end(directory):
    async with living(directory) as live:
        await live.state("finished")
        return live.status.progress


@pytest.mark.parametrize("strategy", LONGER)
@pytest.mark.parametrize("lookahead", [1, 3])
async def test_a_finished_search_is_lengthened(home, strategy, lookahead):
    directory = make(home, 8, strategy, search={"lookahead": lookahead})
    created = (directory / "config.yaml").read_text()
    assert (await to_the_end(directory)).counted == 8
    before = rows(directory)
    lines = set_(directory, LONGER[strategy])
    assert len(lines) == 1
    assert lines[0].startswith(LONGER[strategy].partition("=")[0])
    with Run.open(directory) as run:
        assert {"total": 14, "finished": False}.items() <= run.flags().items()
    sound(directory)
    progress = await to_the_end(directory)
    assert (progress.counted, progress.total) == (14, 14)
    assert rows(directory)[: len(before)] == before
    assert (directory / "config.yaml").read_text() == created
    sound(directory)


@pytest.mark.parametrize("strategy", ["random", "evolution"])
async def test_lengthened_or_long_from_the_start_is_the_same_search(home, strategy):
    short, long = make(home / "a", 8, strategy), make(home / "b", 14, strategy)
    await to_the_end(short)
    set_(short, "search.trials=14")
    await to_the_end(short)
    await to_the_end(long)
    assert rows(short) == rows(long)
    assert sound(short) == sound(long)


def test_set_after_a_kill_and_killed_again(home):
    """The same end as when nobody kills."""
    strategy = "qlearning"
    ends = []
    for kills in (True, False):
        directory = make(home / str(kills), 8, strategy, search={"lookahead": 2})
        tell(directory, trials=hanging(5) if kills else {})
        with Process(directory).ready() as daemon:
            if kills:
                until(lambda directory=directory: len(rows(directory)) >= 4, "four trials")
                daemon.kill()
            else:
                daemon.state("finished")
        if kills:
            tell(directory, trials={})
            with Process(directory).ready() as daemon:
                daemon.state("finished")
        set_(directory, LONGER[strategy])
        if kills:
            tell(directory, trials=hanging(10))
            with Process(directory).ready() as daemon:
                until(lambda directory=directory: len(rows(directory)) >= 9, "a trial of the new ones")
                daemon.kill()
            sound(directory)
            tell(directory, trials={})
        with Process(directory).ready() as daemon:
            daemon.state("finished")
        ends.append((rows(directory), sound(directory)))
    assert ends[0] == ends[1]


async def test_before_anything_was_proposed(home):
    directory = make(home, 8)
    set_(directory, "search.epsilon_schedule=[[0.7, 5]]")
    set_(directory, "search.lookahead=2")
    assert (await to_the_end(directory)).counted == 5
    assert {row["stage"] for row in rows(directory)} == {"e=0.7"}
    sound(directory)


def test_in_the_middle_with_other_proposals_in_flight(home):
    directory = make(home, 12, search={"lookahead": 4})
    for lookahead, first in ((2, 4), (5, 8)):
        tell(directory, trials=hanging(first))
        with Process(directory).ready() as daemon:
            until(lambda first=first: len(rows(directory)) >= first - 1, "the trials before")
            daemon.kill()
        set_(directory, f"search.lookahead={lookahead}")
        sound(directory)
    tell(directory, trials={})
    with Process(directory).ready() as daemon:
        daemon.state("finished")
    sound(directory)


async def test_what_decides_no_reward_may_be_anything(home):
    directory = make(home, 4)
    free = (
        "executor.trial_timeout=30m", "executor.workers_per_device=2", "executor.memory_limit=2GB",
        "store.disk_quota=1GB", "store.keep_embeddings=2", "snapshots.every=2", "log.level=debug",
    )  # fmt: skip
    assert len(set_(directory, *free)) == len(free)
    config = config_of(directory)
    assert (config.executor.trial_timeout, config.store.disk_quota) == (1800.0, 1_000_000_000)
    async with living(directory) as live:
        await live.state("finished")
        assert len(live.status.workers) == 2
    sound(directory)
    assert set_(directory, "executor.trial_timeout=1800") == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("search.epsilon_schedule=[[1.0, 3]]", "4 trials have counted already, and it asks for 3"),
        ("search.epsilon_schedule=[[0.5, 9]]", "their phases must stay as they were"),
        ("search.learning_rate=0.5", "learned so far rests on it; a copy of the run may go on with it: nasd fork"),
        ("training.epochs=3", "the rewards so far were measured with it"),
        ("space.min_conv=2", "the architectures so far were drawn from it"),
        ("data.train_samples=50", "the rewards so far were measured on it"),
        ("seed=2", "every draw so far rests on it"),
        ("name=other", "nasd fork --name"),
        ("data.root=elsewhere", "nasd data RUN --root FOLDER"),
        ("search.trials=20", "epsilon_schedule"),
        ("executor.trial_timeout=soon", "trial_timeout"),
        ("nonsense", "section.key=value"),
    ],
)  # fmt: skip
async def test_the_past_stays(home, setting, said):
    directory = make(home, 4)
    await to_the_end(directory)
    with pytest.raises(ConfigError) as error:
        set_(directory, setting)
    assert said in str(error.value)
    with Run.open(directory) as run:
        assert changes.FLAG not in run.flags()


async def test_snapshots_and_forks_take_it_along(home, monkeypatch):
    monkeypatch.setenv("NASD_HOME", str(home))
    directory = make(home, 8, "random")
    await to_the_end(directory)
    set_(directory, "search.trials=12")
    await to_the_end(directory)
    snapshot.write(directory, home / "kept.tar")
    restored = restore(home / "kept.tar", home)
    assert config_of(restored).search.trials == 12
    assert sound(restored) == sound(directory)
    with Run.open(directory) as run:
        before, after = fork(run, 5, "before"), fork(run, 10, "after")
    assert config_of(before).search.trials == 8
    assert config_of(after).search.trials == 12
    await to_the_end(after)
    assert sound(after) == sound(directory)


async def test_a_fork_may_change_what_the_past_rests_on(home, monkeypatch):
    monkeypatch.setenv("NASD_HOME", str(home))
    directory = make(home, 8)
    await to_the_end(directory)
    with Run.open(directory) as run:
        target = fork(run, 5, "bolder", ("search.learning_rate=0.5", "training.epochs=3"))
        with pytest.raises(ConfigError, match="cannot go on with this"):
            fork(run, 5, "other", ("search={strategy: random, trials: 20}",))
    assert not (home / "other").exists()
    assert rows(target) == rows(directory)[:5]
    await to_the_end(target)
    sound(target)
    with Run.open(target) as run:
        assert changes.config_of(run, 5).training.epochs != 3
        assert changes.config_of(run, 6).training.epochs == 3


def test_a_running_one_has_to_be_stopped_first(home, monkeypatch, capsys):
    monkeypatch.setenv("NASD_HOME", str(home))
    directory = make(home, 4)
    with Process(directory).ready() as daemon:
        daemon.state("finished")
        with pytest.raises(Exception, match="nasd stop stub, then set it") as error:
            cli.main(["set", "stub", "executor.trial_timeout=1h"], standalone_mode=False)
        assert error.value.exit_code == 4
    cli.main(["set", "executor.trial_timeout=2h"], standalone_mode=False)
    assert "executor.trial_timeout: 3600.0 before, 7200.0 from now on" in capsys.readouterr().out
    assert config_of(directory).executor.trial_timeout == 7200
