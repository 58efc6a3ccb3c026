"""`log/events.jsonl` and TensorBoard's files: exactly the store's trials, whatever happened to the daemon."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pandas as pd
import pytest

from nasd.daemon.records import Records
from nasd.errors import NasdError
from store import Run
from tests.helpers import searches

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
    assert [event["number"] for event in found] == [trial.number for trial in run.observed()]
    return found


def test_each_trial_is_a_line(run):
    records = Records(run, searches.configure())
    for trial in run.observed():
        records.trial_finished(trial)
    for event, trial in zip(complete(run), run.observed(), strict=True):
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
    *_, last = run.observed()
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
    for trial in run.observed(1, 3):
        records.trial_finished(trial)
    assert "is behind" in caplog.text
    (run.path / "log/events.jsonl").rmdir()
    *_, last = run.observed()
    records.trial_finished(last)
    complete(run)


SMALL = {"log": {"max_bytes": 9000, "keep": 40}}  # 200 trials take 150 kB


def as_documented(folder):
    """All parts, the oldest first, as docs/embeddings.md says."""
    return subprocess.run(
        ["sh", "-c", "cat $(ls -vr events.jsonl*)"], cwd=folder, capture_output=True, check=True
    ).stdout


def test_parts_are_rotated_by_size_and_read_together(run):
    Records(run, searches.configure(**SMALL)).trial_finished()
    parts = sorted((run.path / "log").glob("events.jsonl*"))
    assert len(parts) > 12
    assert all(part.stat().st_size <= SMALL["log"]["max_bytes"] for part in parts)
    assert all(part.read_bytes().endswith(b"\n") for part in parts)
    table = pd.read_json(io.BytesIO(as_documented(run.path / "log")), lines=True)
    trials = list(run.observed())
    assert table["number"].tolist() == [trial.number for trial in trials]
    assert table["reward"].to_numpy() == pytest.approx([trial.reward for trial in trials])


@pytest.mark.parametrize("keep", [1, 3])
def test_only_so_many_older_parts_are_kept(run, keep):
    records = Records(run, searches.configure(log={"max_bytes": 9000, "keep": keep}))
    for trial in run.observed():
        records.trial_finished(trial)
    names = sorted(path.name for path in (run.path / "log").glob("events*"))
    assert names == ["events.jsonl", *(f"events.jsonl.{number}" for number in range(1, keep + 1))]
    numbers = [json.loads(line)["number"] for line in as_documented(run.path / "log").splitlines()]
    assert numbers == list(range(numbers[0], run.count() + 1))
    assert numbers[0] > 1


def test_after_a_rotation_the_part_before_says_where_to_go_on(run):
    config = searches.configure(**SMALL)
    Records(run, config).trial_finished()
    path = run.path / "log/events.jsonl"
    before = as_documented(run.path / "log")
    newest = path.read_bytes()
    for content in (b"", newest[:10], None):
        path.unlink() if content is None else path.write_bytes(content)
        Records(run, config).trial_finished()
        assert as_documented(run.path / "log") == before


def test_a_line_longer_than_a_block_is_no_other_life(run):
    path = run.path / "log/events.jsonl"
    long = json.dumps({"event": "trial", "number": 1, "order": 1, "why": "x" * 200_000})
    path.write_text(f"{long}\n")
    Records(run, searches.configure()).trial_finished()
    complete(run)
    assert not list(path.parent.glob("events.*.jsonl"))


def test_a_line_that_a_full_disk_takes_in_part_is_written_again(run, caplog, monkeypatch):
    records = Records(run, searches.configure())
    real, left = os.write, [3]

    def write(file, data):
        left[0] -= 1
        return real(file, data[:20] if left[0] == 0 else data)

    monkeypatch.setattr(os, "write", write)
    for trial in run.observed():
        records.trial_finished(trial)
    assert "No space left" in caplog.text
    complete(run)


KILLED = """
import os, signal, sys
from pathlib import Path
from nasd.daemon.events import EventFile

left, last = map(int, sys.argv[2:])
def count():
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

def audit(event, arguments):  # told before anything is opened, renamed, truncated or removed
    if event in ("open", "os.rename", "os.truncate", "os.remove") and "events.jsonl" in str(arguments[0]):
        count()
sys.addaudithook(audit)

def write(file, data, real=os.write):
    if left == 1:
        real(file, data[: len(data) // 2])
    count()
    return real(file, data)
os.write = write

file = EventFile(Path(sys.argv[1]), 300, 20)
for order in range(file.last_order(last) + 1, last + 1):
    file.append({"order": order, "text": "x" * 60})
"""


def test_killed_anywhere_it_leaves_one_torn_line_at_most(tmp_path):
    path, last, kills, numbers, torn = tmp_path / "log/events.jsonl", 40, 0, [], b""
    for after in [*range(1, 26), 10**9]:
        arguments = [sys.executable, "-c", KILLED, str(path), str(after), str(last)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert done.returncode in (0, -9), done.stderr
        kills += done.returncode == -9
        whole, _, torn = (as_documented(path.parent) if path.parent.exists() else b"").rpartition(b"\n")
        numbers = [json.loads(line)["order"] for line in whole.splitlines()]
        assert numbers == list(range(1, len(numbers) + 1))
        assert not torn or path.read_bytes().endswith(torn)
    assert kills >= 15
    assert (len(numbers), torn) == (last, b"")


def test_without_tensorboard_it_says_what_to_install(run, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("tensorboard")] + ["tensorboard"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NasdError, match="pip install"):
        Records(run, searches.configure(**ON))


def singles(values):
    """As TensorBoard's files hold numbers."""
    return [float(np.float32(value)) for value in values]


def test_the_program_tensorboard_serves_the_scalars(run):
    pytest.importorskip("tensorboard")
    records = Records(run, searches.configure(**ON))
    records.trial_finished()
    records.close()
    folder = str(run.path / "log/tensorboard")
    arguments = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--host", "127.0.0.1", "--port", "0"]
    server = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    try:
        address = next(found[0] for line in server.stderr if (found := re.findall(r"http://127.0.0.1:\d+/", line)))

        def ask(what):
            with urllib.request.urlopen(f"{address}data/{what}", timeout=30) as answer:
                return json.load(answer)

        until(lambda: "search/reward" in ask("plugin/scalars/tags").get(".", {}))
        counted = [trial for trial in run.observed() if trial.counted]
        rows = ask("plugin/scalars/scalars?tag=search/reward&run=.")
        assert [step for _, step, _ in rows] == [trial.number for trial in counted]
        assert [value for _, _, value in rows] == singles(trial.reward for trial in counted)
    finally:
        server.terminate()
        server.communicate()


def until(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


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
    counted = [trial for trial in run.observed() if trial.counted]
    rewards = board.Scalars("search/reward")
    assert [event.step for event in rewards] == [trial.number for trial in counted]
    assert [event.value for event in rewards] == singles(trial.reward for trial in counted)
    assert [event.value for event in board.Scalars("search/epsilon")] == singles(t.facts["epsilon"] for t in counted)
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
    assert shown == singles(champion.validation_accuracies)
    assert len(curves.Scalars("curve/train")) == len(champion.train_accuracies)
    layers = curves.Graph().node
    assert [node.op for node in layers][:: len(layers) - 1] == ["input", "classifier"]
    assert ", ".join(node.attr["written"].s.decode() for node in layers if node.attr["written"].s) in champion.net
