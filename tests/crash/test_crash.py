"""A search of the digits with the real evaluator, undisturbed and killed: the same run, bit for bit."""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest

from benchmarks import kill_and_compare as crash
from nasd import config as configuration
from nasd.runs import changes
from nasd.runs.changing import change
from store import Run

pytestmark = pytest.mark.crash

CONFIG = Path(__file__).parents[2] / "configs" / "digits.yaml"
TRIALS = 60  # of some 0.05 s each: enough that none of the kills comes too late, however fast the machine is
SMALL = (
    "space.max_conv=2",
    "space.conv_features=[8, 16]",
    "training.epochs=3",
    "training.early_stopping_epoch=2",
    "executor.devices=[cpu]",
    "executor.threads=1",
    "store.keep_embeddings=2",
)


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="n") as name:
        yield Path(name)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("each", [1, pytest.param(3, marks=pytest.mark.slow)])  # a worker compiles for four seconds
def test_kills_change_nothing(folder, each):
    config = configuration.load(CONFIG, (crash.schedule(TRIALS), *SMALL))
    undisturbed, killed = crash.make(config, folder / "one"), crash.make(config, folder / "two")
    crash.undisturbed(undisturbed)
    kills = crash.Kills(seed=6, daemon=each, worker=each, longest=0.1, trials=10)
    crash.killed(killed, kills, say=lambda _: None)  # checks and replays the run after each death of the daemon
    assert sorted(kills.done) == ["daemon"] * each + ["worker"] * each
    assert crash.check(killed) >= TRIALS
    crash.compare(undisturbed, killed)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_kills_change_nothing_where_convolutions_are_computed_by_transforms(folder):
    config = configuration.load(CONFIG, (crash.schedule(12), *SMALL, "encoder.convolution=fft"))
    undisturbed, killed = crash.make(config, folder / "one"), crash.make(config, folder / "two")
    crash.undisturbed(undisturbed)
    kills = crash.Kills(seed=7, daemon=1, worker=1, longest=0.1, trials=12)
    crash.killed(killed, kills, say=lambda _: None)
    assert sorted(kills.done) == ["daemon", "worker"]
    crash.compare(undisturbed, killed)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_one_that_was_finished_and_lengthened_and_killed_is_one_that_was_long_from_the_start(folder):
    long = crash.make(configuration.load(CONFIG, (crash.schedule(12), *SMALL)), folder / "one")
    crash.undisturbed(long)
    with Run.open(long) as run:
        (first, count), *rest = changes.config_of(run).search.epsilon_schedule
    short = crash.make(
        configuration.load(CONFIG, (f"search.epsilon_schedule=[[{first}, {count // 2}]]", *SMALL)), folder / "two"
    )
    crash.undisturbed(short)
    with Run.open(short, writable=True) as run:
        change(run, (f"search.epsilon_schedule={[[first, count], *map(list, rest)]}",))
    kills = crash.Kills(seed=7, daemon=1, worker=1, longest=0.1, trials=12)
    crash.killed(short, kills, say=lambda _: None)
    assert sorted(kills.done) == ["daemon", "worker"]
    crash.compare(long, short)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_jobs_that_are_killed_come_to_the_same(folder):
    small = (*SMALL, "training.epochs=60", "search.epsilon_schedule=[[1.0, 6]]")
    undisturbed = crash.make(configuration.load(CONFIG, small), folder / "one")
    crash.undisturbed(undisturbed)
    killed = shutil.copytree(undisturbed, folder / "two")
    crash.retrained(undisturbed, None)
    said = []
    crash.retrained(killed, 7, said.append)  # checks that each goes on at the epoch that it had reached
    assert ["daemon" in line for line in said] == [True, False, True, False, True]
    assert crash.compare_jobs(undisturbed, killed) == 10


@pytest.mark.timeout(300)
def test_an_architecture_that_does_not_fit_into_memory_is_a_failed_trial(folder):
    config = configuration.load(CONFIG, (crash.schedule(12), *SMALL, "executor.memory_limit=2MB"))
    directory = crash.make(config, folder / "tight")
    daemon = crash.start(directory)
    try:
        found = crash.wait_until(
            lambda: (status := crash.status(directory)) and status.state == "finished" and status, daemon, 120
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            crash.stop(daemon)
    assert found.progress.by_status["evaluated"] >= 1
    with Run.open(directory) as run:
        failed = run.trials(status=["failed"])
    assert failed
    assert all("memory" in trial.reason for trial in failed)
    assert all(trial.reward == 0 and not trial.counted for trial in failed)
    crash.check(directory)
