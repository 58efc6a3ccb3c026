"""`log/events.jsonl` and TensorBoard's files: exactly the store's trials, whatever happened to the daemon."""

import json
import shutil
import sys

import pytest
import searches

from nasd.daemon.records import Records
from nasd.errors import NasdError
from store import Run

ON = {"log": {"tensorboard": True}}


@pytest.fixture
def run(long_run, tmp_path):
    """A copy of the long run."""
    directory = shutil.copytree(long_run, tmp_path / "long")
    with Run.open(directory) as opened:
        yield opened


def events(run):
    return [json.loads(line) for line in (run.path / "log/events.jsonl").read_text().splitlines()]


def complete(run):
    found = events(run)
    assert [event["number"] for event in found] == [trial.number for trial, _ in run.updates()]
    return found


def test_each_trial_is_a_line(run):
    records = Records(run, searches.configure())
    for trial, _ in run.updates():
        records.trial_finished(trial)
    for event, (trial, _) in zip(complete(run), run.updates(), strict=True):
        assert event["event"] == "trial"
        assert event["net"] == trial.net
        assert event["reward"] == trial.reward
        assert tuple(event["validation_accuracies"]) == trial.validation_accuracies
        assert event["status"] == trial.status


def test_a_daemon_that_was_killed_is_caught_up_with(run):
    Records(run, searches.configure()).trial_finished()
    path = run.path / "log/events.jsonl"
    whole = path.read_bytes()
    for cut in (len(whole) - 1, len(whole) // 2, 10, 0):
        path.write_bytes(whole[:cut])
        Records(run, searches.configure()).trial_finished()
        complete(run)
    path.unlink()
    records = Records(run, searches.configure())
    *_, (last, _) = run.updates()
    records.trial_finished(last)  # the first thing that this daemon hears of
    complete(run)
    records.trial_finished(last)
    complete(run)


def test_a_file_of_another_life_is_moved_aside(run):
    path = run.path / "log/events.jsonl"
    path.write_text('{"event": "trial", "order": 100000}\n')
    Records(run, searches.configure()).trial_finished()
    complete(run)
    assert len(list((run.path / "log").glob("events.*.jsonl"))) == 1


def test_a_disk_that_refuses_costs_nothing(run, caplog):
    (run.path / "log/events.jsonl").mkdir()
    records = Records(run, searches.configure())
    for trial, _ in run.updates(1, 3):
        records.trial_finished(trial)
    assert "is behind" in caplog.text
    (run.path / "log/events.jsonl").rmdir()
    *_, (last, _) = run.updates()
    records.trial_finished(last)
    complete(run)


def test_without_tensorboard_it_says_what_to_install(run, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("tensorboard")] + ["tensorboard"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NasdError, match="pip install"):
        Records(run, searches.configure(**ON))


def test_tensorboard_reads_the_scalars_back(run):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for _ in range(2):  # a second daemon writes nothing twice
        records = Records(run, searches.configure(**ON))
        records.trial_finished()
        records.close()

    def read(folder):
        found = accumulators.EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        found.Reload()
        return found

    board = read(run.path / "log/tensorboard")
    counted = [trial for trial, _ in run.updates() if trial.counted]
    rewards = board.Scalars("search/reward")
    assert [event.step for event in rewards] == [trial.number for trial in counted]
    assert [event.value for event in rewards] == pytest.approx([trial.reward for trial in counted])
    assert [event.value for event in board.Scalars("search/epsilon")] == pytest.approx([t.epsilon for t in counted])
    rolling = board.Scalars("search/reward_rolling_20")
    assert len(rolling) == len(counted) - 19
    assert rolling[-1].value == pytest.approx(sum(trial.reward for trial in counted[-20:]) / 20)
    best = max(trial.reward for trial in counted)
    assert board.Scalars("search/best_reward")[-1].value == pytest.approx(best)
    tensors = board.Tags()["tensors"]
    assert {"config", "best_architecture", "_hparams_/session_start_info"} <= set(tensors)
    (champion,) = run.best(1)
    assert champion.net.encode() in board.Tensors("best_architecture")[-1].tensor_proto.string_val[0]
    curves = read(run.path / f"log/tensorboard/trial-{champion.number:06}")
    shown = [event.value for event in curves.Scalars("curve/validation")]
    assert shown == pytest.approx(list(champion.validation_accuracies))
    assert len(curves.Scalars("curve/train")) == len(champion.train_accuracies)
