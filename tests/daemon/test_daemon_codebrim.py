"""The CODEBRIM preset from end to end, on images of the published layout: killed, resumed, retrained, shown."""

import csv
import json
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nasd import config as configuration
from nasd import protocol
from nasd.cli import cli
from nasd.config import Config
from nasd.runs import create
from store import Run
from tests.helpers.codebrim_images import LABELS, generate
from tests.helpers.nasd_harness import Process, rows, sound, until

PATIENCE = 180.0  # seconds; a worker's imports alone take many on a busy machine
PRESET = Path(__file__).parents[2] / "configs" / "codebrim.yaml"
SMALL = (
    "data.image_size=32", "space.conv_features=[4, 8]", "space.max_conv=4", "space.fc_sizes=[8]", "training.epochs=4",
    "training.learning_rate=0.05", "training.warm_restart_epochs=4", "training.early_stopping_epoch=2",
    "training.early_stopping_thresh=0.0", "search.epsilon_schedule=[[1.0, 3], [0.5, 1]]", "search.replay_number=5",
    "executor.devices=[cpu]", "executor.threads=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("images") / "codebrim"
    generate(root, crops=40, side=40)
    return root


def make(home, name, images):
    config = configuration.load(PRESET, (*SMALL, f"name={name}", f"data.root={images}"))
    create.create(create.settle(config), home / name)
    return home / name


def daemon(directory):
    return Process(directory, command=[sys.executable, "-m", "nasd.daemon", str(directory)])


def nasd(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False).output


def training(directory):
    """Wait until a trial is in the middle of its training."""
    until(lambda: list((directory / "weights").glob("trial-*-checkpoint.safetensors")), "a checkpoint", PATIENCE)


def finish(process):
    """Wait until the search is at its end."""
    until(lambda: (status := process.status()) and status.state == "finished", "the end of the search", PATIENCE)


def test_the_preset_is_what_was_published():
    config = configuration.load(PRESET)
    assert sum(count for _, count in config.search.epsilon_schedule) == 200
    assert config.search.replay_number == 40
    training, space = config.training, config.space
    assert (training.optimizer, training.learning_rate, training.momentum) == ("sgd", 0.01, 0.9)
    assert (training.warm_restart_epochs, training.warm_restart_factor, training.min_learning_rate) == (10, 2, 1e-5)
    assert (training.epochs, training.batch_size, training.dropout) == (150, 16, 0.5)
    assert (space.conv_sizes, space.conv_features) == ((3, 5, 7, 9, 11), (32, 64, 128, 256))
    assert (space.min_conv, space.max_conv, space.max_fc, space.spp_levels) == (3, 10, 1, (3, 4, 5))
    assert config.evaluation.kind == "training"
    assert isinstance(config, Config)


@pytest.mark.timeout(600)  # five starts of a process that imports torch
def test_killed_it_is_the_same_search_bit_for_bit(home, images):
    whole, killed = make(home, "whole", images), make(home, "killed", images)
    with daemon(whole) as process:
        finish(process.ready())
        with process.client() as client:
            client.call("queue_job", protocol.QueueJobParams(trial=1, repeats=2, epochs=2))
            detail = client.call("trial", protocol.TrialParams(number=1))
        until(lambda: finished_job(whole), "the end of the job", PATIENCE)
        process.end()
    with daemon(killed) as process:
        process.ready()
        training(killed)
        worker = next(child for child in process.workers() if "nasd.executors.processes.worker" in child.cmdline())
        worker.send_signal(signal.SIGKILL)
        until(lambda: len(rows(killed)) >= 2, "the second trial", PATIENCE)
        training(killed)
        process.kill()
    done = len(rows(killed))
    assert done < len(rows(whole))
    with daemon(killed) as process:
        finish(process.ready())
        process.end()
    assert rows(killed) == rows(whole)
    assert sound(killed) == sound(whole)

    trials = [row for row in rows(whole) if row["status"] == "evaluated"]
    assert trials
    for row in trials:
        assert row["net"].endswith("SM(6)]")
        assert ",0,2)" in row["net"]
        assert [score["label"] for score in row["metrics"]["test"]] == list(LABELS)
        assert len(row["metrics"]["validation_accuracies"]) == 4
    assert detail.labels is not None
    assert [score.label for score in detail.labels.validation] == list(LABELS)
    (job,) = jobs(whole)
    assert job.status == "done"
    for repeat in job.result["repeats"]:
        assert 0 <= repeat["reward"] <= 1
        assert [score["label"] for score in repeat["labels"]["test"]] == list(LABELS)
        assert all((whole / name).exists() for name in repeat["weights"])
    assert list(job.result["label_accuracies"]) == list(LABELS)

    number = trials[0]["number"]
    shown = nasd("show", "whole", number)
    assert all(label in shown for label in LABELS)
    assert " bins" in shown
    assert json.loads(nasd("show", "whole", number, "--json"))["metrics"]["test"][0]["label"] == "Background"
    nasd("export", "csv", "whole", "--to", home)
    with (home / "whole-replay-buffer.csv").open(newline="") as file:
        exported = list(csv.DictReader(file))
    best = exported[number - 1]
    assert json.loads(best["label_acc_val_all_epochs"]) == trials[0]["metrics"]["validation_accuracies"]
    assert float(best["val_accuracy_Crack"]) == trials[0]["metrics"]["validation"][1]["accuracy"]


def jobs(directory):
    with Run.open(directory) as run:
        return run.jobs()


def finished_job(directory):
    return jobs(directory)[0].status in ("done", "failed")
