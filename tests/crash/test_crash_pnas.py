"""A progressive search killed while it ranks, at the edges of levels and in their middle: the same search."""

import os
import signal
from pathlib import Path

import pytest

from benchmarks import kill_and_compare as crash
from nasd import config as configuration
from store import Run
from tests.helpers.nasd_harness import FIRST_LEVEL, Process, make, short_folder, sound, tell, until

pytestmark = pytest.mark.crash

K = 8
CONFIG = Path(__file__).parents[2] / "configs" / "pnas-digits.yaml"
SMALL = (
    "space.blocks=2", "space.operators=[id, max3x3]", "space.filters=4", "search.k=10", "training.epochs=3",
    "executor.devices=[cpu]", "executor.threads=1",
)  # fmt: skip


def made(home: Path, name: str, **sections: object) -> Path:
    directory: Path = make(home, FIRST_LEVEL + 2 * K, "pnas", name=name, **sections)
    tell(directory, seconds=0.03)
    return directory


def undisturbed(home: Path, name: str, **sections: object) -> Path:
    directory = made(home, name, **sections)
    with Process(directory) as daemon:
        daemon.ready().state("finished")
        assert daemon.end()[0] == 0
    return directory


class Killer:
    """Takes a search through its kills; `kills` counts those that struck."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.kills = directory, 0
        self.gate = directory / "gate-of-thinking"
        self.daemon = Process(directory).ready()

    def status(self):
        return until(self.daemon.status, "an answer")

    def ranks(self, blocks: int) -> None:
        """Wait until a worker is at the ranking."""
        until(
            lambda: (
                self.status().activity.endswith(f"cells of {blocks} blocks")
                and any(worker.state == "busy" for worker in self.status().workers)
            ),
            "the ranking",
        )

    def counts(self, trials: int) -> None:
        until(lambda: self.status().progress.counted >= trials, f"{trials} trials")

    def kill_daemon(self) -> None:
        self.daemon.kill()
        sound(self.directory)
        self.kills += 1
        self.daemon = Process(self.directory).ready()

    def kill_worker(self) -> None:
        pid = until(lambda: next((w.pid for w in self.status().workers if w.state == "busy"), None), "a busy worker")
        os.kill(pid, signal.SIGKILL)
        self.kills += 1
        until(lambda: all(worker.pid != pid for worker in self.status().workers), "the worker's successor")

    def ten_times(self) -> None:
        self.gate.touch()
        self.ranks(2)
        self.kill_worker()
        self.ranks(2)
        self.kill_daemon()
        self.ranks(2)
        self.kill_daemon()
        self.gate.unlink()
        until(lambda: self.status().progress.stage == 1, "the second level")  # and at its very edge
        self.kill_daemon()
        self.counts(FIRST_LEVEL + 3)
        self.kill_worker()
        self.gate.touch()
        self.counts(FIRST_LEVEL + K - 1)
        self.kill_daemon()
        self.ranks(3)
        self.kill_worker()
        self.ranks(3)
        self.kill_daemon()
        self.gate.unlink()
        until(lambda: self.status().progress.stage == 2, "the third level")
        self.kill_daemon()
        self.counts(FIRST_LEVEL + K + 3)
        self.kill_daemon()
        self.daemon.state("finished")
        assert self.daemon.end()[0] == 0


def levels(directory: Path) -> list[tuple[object, ...]]:
    """What a search found, whatever the order in which it came."""
    with Run.open(directory) as run:
        return sorted((trial.number, trial.net, trial.stage, trial.reward, trial.status) for trial in run.trials())


@pytest.mark.timeout(400)
def test_ten_kills_while_it_ranks_and_at_the_edges_change_nothing() -> None:
    with short_folder() as home:
        reference = sound(undisturbed(home, "one"))
        directory = made(home, "one-killed")
        killer = Killer(directory)
        with killer.daemon:
            killer.ten_times()
        assert killer.kills == 10
        assert levels(directory) == levels(home / "one")
        assert sound(directory) == reference


@pytest.mark.timeout(400)
def test_any_number_of_workers_ordered_or_not_find_the_same() -> None:
    with short_folder() as home:
        found = [
            levels(undisturbed(home, f"s{number}", search=search, executor={"workers_per_device": workers}))
            for number, (search, workers) in enumerate(
                (({}, 1), ({"lookahead": 8, "order": "ordered"}, 2), ({"lookahead": 8, "order": "async"}, 3))
            )
        ]
        assert len(found[0]) == FIRST_LEVEL + 2 * K
        assert found[0] == found[1] == found[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_digits_killed_ten_times_with_the_real_evaluator() -> None:
    with short_folder() as home:
        config = configuration.load(CONFIG, SMALL)
        whole, killed = crash.make(config, home / "one"), crash.make(config, home / "two")
        crash.undisturbed(whole)
        kills = crash.Kills(seed=7, daemon=5, worker=5, longest=0.2, trials=18)
        crash.killed(killed, kills, say=lambda _: None)
        assert sorted(kills.done) == ["daemon"] * 5 + ["worker"] * 5
        assert crash.check(killed) == 20
        crash.compare(whole, killed)
