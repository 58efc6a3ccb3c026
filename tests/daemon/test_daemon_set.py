"""`nasd set`, `nasd fork --set`: a run goes on under another config, and a replay still gives the same."""

import pytest

from nasd.cli import cli
from nasd.client.session import RemoteError
from nasd.errors import ConfigError, NasdError
from nasd.protocol import SetParams, WorkerChanged
from nasd.runs import changes
from nasd.runs.changing import change
from nasd.runs.forking import fork
from store import Run, snapshot
from tests.daemon.test_daemon_snapshot import restore
from tests.helpers.nasd_harness import CELLS, Process, living, make, rows, soon, sound, tell, until

LONGER = {
    "qlearning": "search.epsilon_schedule=[[1.0, 6], [0.5, 2], [0.1, 6]]",
    "random": "search.trials=14",
    "evolution": "search.trials=14",
    "enas": "search.epochs=14",
}
MORE_BLOCKS = "space.blocks=3"  # of a search for cells of two


def set_(directory, *settings):
    with Run.open(directory, writable=True) as run:
        return change(run, settings)


def hanging(first):
    """Orders under which evaluations from the `first` trial on do not end."""
    return dict.fromkeys(range(first, 60), "hang")


def config_of(directory):
    with Run.open(directory) as run:
        return changes.config_of(run)


async def ask(live, *settings):
    connection = await live.connect()
    try:
        return (await connection.call("set", SetParams(settings=settings), timeout=60)).lines
    finally:
        await connection.close()


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


def long_from_the_start(home, strategy, lookahead=1):
    """The same search as of a run of 8 trials that count (or two blocks) with more trials (or blocks) set."""
    search = {"lookahead": lookahead}
    if strategy == "pnas":
        return make(home, 10, strategy, search={"k": 2, **search})
    if strategy == "qlearning":
        search["epsilon_schedule"] = [[1.0, 6], [0.5, 2], [0.1, 6]]
    return make(home, 14, strategy, search=search)


def short_at_first(home, strategy, lookahead=1):
    search = {"lookahead": lookahead}
    if strategy == "pnas":
        return make(home, 8, strategy, space={**CELLS, "blocks": 2}, search={"k": 2, **search})
    return make(home, 8, strategy, search=search)


@pytest.mark.parametrize(
    ("strategy", "lookahead"),
    [("qlearning", 1), ("qlearning", 3), ("random", 1), ("evolution", 1), ("enas", 1), ("pnas", 2)],
)
async def test_lengthened_or_long_from_the_start_is_the_same_search(home, strategy, lookahead):
    """Where proposals that are made ahead do not depend on how many are still to come."""
    short, long = short_at_first(home / "a", strategy, lookahead), long_from_the_start(home / "b", strategy, lookahead)
    await to_the_end(short)
    set_(short, LONGER.get(strategy, MORE_BLOCKS))
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
    said = set_(directory, "snapshots.every=null", "snapshots.keep=9")[-1]
    assert said == "snapshots has no effect: none is taken while snapshots.every is not given"


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
        ("search.lookahead=null", "in flight is part of a run; give a number"),
        ("snapshots.to=backups", "backups is no whole path"),
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
            fork(run, 5, "other", ("search={strategy: random, trials: 20, lookahead: 1}",))
        with pytest.raises(ConfigError, match=r"search\.lookahead cannot be set: with evaluation\.rungs"):
            fork(run, 5, "other", ("search.lookahead=2", "evaluation.rungs={images: [4, 8]}"))
    assert not (home / "other").exists()
    assert rows(target) == rows(directory)[:5]
    await to_the_end(target)
    sound(target)
    with Run.open(target) as run:
        assert changes.config_of(run, 5).training.epochs != 3
        assert changes.config_of(run, 6).training.epochs == 3


@pytest.mark.parametrize("fewer", ["space.blocks=1", "space.blocks=0"])
async def test_levels_that_were_searched_stay(home, fewer):
    directory = short_at_first(home, "pnas")
    await to_the_end(directory)
    with pytest.raises(ConfigError, match="blocks"):
        set_(directory, fewer)
    sound(directory)


@pytest.mark.parametrize("strategy", [*LONGER, "pnas"])
async def test_a_running_search_is_lengthened(home, strategy):
    """In its middle, and once it is finished and its daemon still there."""
    short, long = short_at_first(home / "a", strategy), long_from_the_start(home / "b", strategy)
    setting = LONGER.get(strategy, MORE_BLOCKS)
    (short / "gate").touch()
    async with living(short) as live:
        await live.busy()
        assert (await ask(live, setting))[0].startswith(setting.partition("=")[0])
        assert await ask(live, setting) == ()
        (short / "gate").unlink()
        await live.state("finished")
        assert live.status.progress.counted == live.status.progress.total
    await to_the_end(long)
    assert rows(short) == rows(long)
    assert sound(short) == sound(long)


async def test_a_finished_search_goes_on_under_its_daemon(home):
    short, long = short_at_first(home / "a", "qlearning", 3), long_from_the_start(home / "b", "qlearning", 3)
    async with living(short) as live:
        await live.state("finished")
        await ask(live, LONGER["qlearning"])
        await soon(lambda: live.status.progress.counted >= 14, "the new trials")
        await live.state("finished")
    await to_the_end(long)
    assert rows(short) == rows(long)
    assert sound(short) == sound(long)


async def test_a_change_in_the_middle_is_replayed_where_it_was(home):
    """Other proposals in flight, which a replay has to have at the same point."""
    directory = make(home, 30, search={"lookahead": 4})
    async with living(directory) as live:
        for lookahead, trials in ((1, 5), (6, 12), (3, 20)):
            await soon(lambda trials=trials: live.trials >= trials, "some trials")
            await ask(live, f"search.lookahead={lookahead}")
            assert live.daemon.scheduler.lookahead == lookahead
        await live.state("finished")
    sound(directory)
    with Run.open(directory) as run:
        assert len(run.flags()[changes.FLAG]) == 3


async def test_workers_come_and_go_while_it_runs(home):
    directory = make(home, 40, search={"lookahead": 3})
    (directory / "gate").touch()
    async with living(directory) as live:
        (first,) = await live.busy()
        await ask(live, "executor.workers_per_device=3", "executor.threads=2")
        await live.busy(3)
        (directory / "gate").unlink()
        await soon(lambda: live.trials >= 8, "some trials")
        assert len({worker.pid for worker in live.status.workers} - {first}) == 3, "the first is started anew"
        await ask(live, "executor.workers_per_device=1")
        await live.state("finished")
        assert len(live.status.workers) == 1
        gone = [event.worker for event in live.events if isinstance(event, WorkerChanged) and event.worker.passing]
        assert {worker.id for worker in gone if worker.state == "gone"} == {1, 2}
    sound(directory)


async def test_a_running_one_takes_limits_at_once(home):
    directory = make(home, 6, search={"lookahead": 1})
    (directory / "gate").touch()
    async with living(directory) as live:
        await live.busy()
        lines = await ask(
            live, "executor.trial_timeout=0.2", "executor.trial_attempts=1", "store.disk_quota=1GB",
            "store.keep_embeddings=0", "snapshots.every=2", "log.level=debug",
        )  # fmt: skip
        assert "log.level: info before, debug from the next start on" in lines
        assert "executor.trial_attempts: 3 before, 1 from now on" in lines
        (directory / "gate").unlink()
        await soon(lambda: live.trials >= 1, "the trial that had the old timeout")
        (directory / "gate").touch()
        await soon(lambda: live.status.progress.by_status.get("failed"), "a trial that is late")
        (directory / "gate").unlink()
        await ask(live, "executor.trial_timeout=1h")
        await live.state("finished")
        # The first one: those that are due while it is written are left out.
        await soon((directory / "snapshots" / "stub-000002.tar").exists, "a snapshot")
    sound(directory)


@pytest.mark.parametrize("setting", ["search.learning_rate=0.5", "data.root=elsewhere", "executor.threads=many", "x"])
async def test_a_running_one_refuses_what_a_stopped_one_refuses(home, setting):
    directory = make(home, 4)
    async with living(directory) as live:
        with pytest.raises(RemoteError):
            await ask(live, setting)
        await live.state("finished")
    with Run.open(directory) as run:
        assert changes.FLAG not in run.flags()
    sound(directory)


def test_set_while_it_runs_and_killed_at_once(home):
    """Whatever instant the kill comes at, the change is made or not, and the run goes on."""
    directory = make(home, 8, search={"lookahead": 2})
    for trials in (10, 12, 14):
        with Process(directory).ready() as daemon, daemon.client() as client:
            client.call("set", SetParams(settings=(f"search.epsilon_schedule=[[1.0, 6], [0.5, 2], [0.1, {trials}]]",)))
            daemon.kill()
        sound(directory)
    with Process(directory).ready() as daemon:
        assert daemon.state("finished").progress.counted == 22
    sound(directory)


def test_the_command_asks_the_daemon_or_the_files(home, monkeypatch, capsys):
    monkeypatch.setenv("NASD_HOME", str(home))
    directory = make(home, 4)
    with Process(directory).ready():
        cli.main(["set", "stub", "executor.trial_timeout=1h30m"], standalone_mode=False)
        assert capsys.readouterr().out == "executor.trial_timeout: 3600.0 before, 5400.0 from now on\n"
        with pytest.raises(NasdError, match="every draw so far rests on it"):
            cli.main(["set", "stub", "seed=3"], standalone_mode=False)
    cli.main(["set", "executor.trial_timeout=2h"], standalone_mode=False)
    assert "executor.trial_timeout: 5400.0 before, 7200.0 from now on\n  go on  " in capsys.readouterr().out
    assert config_of(directory).executor.trial_timeout == 7200


async def test_the_end_is_estimated_from_a_simulation_of_the_search_as_it_is_now(home):
    directory = make(home, 8)
    tell(directory, trials=hanging(3))
    async with living(directory) as live:
        await soon(lambda: live.daemon.history.expected, "the simulation")
        assert "e=0.1" not in live.daemon.history.expected
        await ask(live, LONGER["qlearning"])
        await soon(lambda: "e=0.1" in live.daemon.history.expected, "the simulation of the longer search")
        await soon(lambda: live.status.progress.eta_seconds, "an estimate")
