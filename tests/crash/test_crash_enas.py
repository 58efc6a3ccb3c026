"""A search of a supernet with the real evaluator, undisturbed and killed: the same run, bit for bit, and its files."""

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import kill_and_compare as crash
from nasd import config as configuration
from nasd.daemon.daemon import Daemon
from nasd.runs.verify import examine
from store import Run, soundness
from tests.helpers.nasd_harness import short_folder

pytestmark = pytest.mark.crash

CONFIG = Path(__file__).parents[2] / "configs" / "enas-digits.yaml"
SMALL = (
    "data.train_samples=400",
    "space.widths=[4, 4, 4, 8, 8]",
    "search.epochs=6",
    "search.derive=2",
    "training.epochs=1",
    "search.controller={hidden: 8, samples: 3, every: 2}",
    "evaluation.recalibration=64",
    "executor.devices=[cpu]",
    "executor.threads=1",
)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (directory / "learned").iterdir()}


@pytest.fixture(scope="module")
def finished():
    with short_folder() as folder:
        directory = crash.make(configuration.load(CONFIG, SMALL), folder / "one")
        crash.undisturbed(directory)
        yield directory


@pytest.mark.timeout(600)
@pytest.mark.parametrize("each", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_kills_change_nothing(finished, each):
    with short_folder() as folder:
        killed = crash.make(configuration.load(CONFIG, SMALL), folder / "two")
        # The last are due an epoch before the end, so that a fast box is not done before them.
        kills = crash.Kills(seed=7, daemon=each, worker=each, longest=0.4, trials=5)
        crash.killed(killed, kills, say=lambda _: None)  # checks and replays the run after each death of the daemon
        assert len(kills.done) == 2 * each
        assert crash.check(killed) == 6
        crash.compare(finished, killed)
        assert contents(killed) == contents(finished)  # no file too many either


def test_the_newest_files_and_the_best_one_stay(finished):
    with Run.open(finished) as run:
        trials = sorted(run.trials(), key=lambda trial: trial.number)
        best = max(trials, key=lambda trial: trial.reward)
        wanted = {5, 6, best.number}
        assert set(run.files.referred_to()) == {f"supernet-{number:06}.safetensors" for number in wanted}
        assert all(trial.metrics["supernet"]["net"] == trial.net for trial in trials)


def test_a_flipped_bit_in_a_supernet_is_found(finished):
    with short_folder() as folder:
        damaged = shutil.copytree(finished, folder / "damaged")
        path = damaged / "learned" / "supernet-000006.safetensors"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with Run.open(damaged) as run:
            (problem,) = examine(run).problems
        assert "supernet-000006" in problem.where + problem.what


@pytest.mark.timeout(300)
def test_a_fork_goes_on_to_the_same_end(finished):
    with short_folder() as folder:
        with Run.open(finished) as run:
            run.fork(folder / "fork", at=5, name="fork", version="0").close()
        crash.undisturbed(folder / "fork")
        with Run.open(finished) as one, Run.open(folder / "fork") as two:
            for first, second in zip(one.steps(), two.steps(), strict=True):
                assert crash.deterministic(first.trial) == crash.deterministic(second.trial)
            assert soundness.check(two) == []
        assert (
            contents(finished).items()
            >= {
                name: content for name, content in contents(folder / "fork").items() if name > "supernet-000005"
            }.items()
        )


DYING = """
import os, signal, sys
from pathlib import Path
from nasd.evaluators.supernet.epoch import Epoch
from nasd.executors.processes import worker

write, seen = Epoch.write, Path(sys.argv[1])

def dying(epoch, path):
    write(epoch, path)
    marker = seen / str(epoch.order.epoch)
    if epoch.order.epoch % 2 and not marker.exists():
        marker.touch()
        os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)

Epoch.write = dying
worker.serve(worker.build)
"""


@pytest.mark.timeout(900)
async def test_a_worker_killed_in_the_middle_of_writing_an_epochs_file_trains_it_again(finished, tmp_path):
    with short_folder() as folder:
        directory = crash.make(configuration.load(CONFIG, SMALL), folder / "half")
        command = (sys.executable, "-c", DYING, str(tmp_path))
        await Daemon(directory, exit_when_finished=True, worker_command=command).serve()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "3", "5"]
        assert crash.check(directory) == 6
        crash.compare(finished, directory)
        assert contents(directory) == contents(finished)
