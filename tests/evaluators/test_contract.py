"""What every evaluator does: the worker's half with the order that the daemon's half makes."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch

from nasd import rooms
from nasd.config import Config
from nasd.data import Data
from nasd.errors import NasdError
from nasd.evaluators.bench import Bench
from nasd.outcome import Evaluated, Failed, Measured

NAMES = ["deep_prior", "supernet", "training"]
NET = "[C(8,3,1,1,1), P(2,2,0,0), SM(10)]"
TOO_LARGE = "[C(1024,3,1,1,1), SM(10)]"
TRAINING = {"epochs": 3, "early_stopping_epoch": 100}
SECTIONS = {"space": {"patch_size": 8}, "data": {"train_samples": 300}, "training": TRAINING}
SUPERNET = {
    "space": {"kind": "supernet", "widths": [4, 4, 8, 8, 16], "patch_size": 8, "channels": 1},
    "search": {"strategy": "enas", "controller": {"samples": 2}},
    "evaluation": {"kind": "supernet", "controller_fraction": 0.1},
}
FACTS = {"epoch": 1, "reads": None, "writes": "epoch.safetensors"}


def config_of(name, net=NET) -> Config:
    if name != "supernet":
        return Config.model_validate(SECTIONS)
    space = {**SUPERNET["space"], **({"widths": [4096] * 5} if net == TOO_LARGE else {})}
    return Config.model_validate({**SUPERNET, "space": space})


def bench_of(name, data: Data, staging: Path, memory_limit=None, net=NET) -> Bench:
    config = config_of(name, net)
    space, device = rooms.space(config), torch.device("cpu")
    return Bench(config=config, space=space, device=device, data=data, memory_limit=memory_limit, staging=staging)


def order_of(name, run: Path, net=NET, number=1):
    """A trial's."""
    planner = rooms.planners(config_of(name), run)[name]
    return planner.trial(net, number, after=0, keep_above=None, facts=FACTS)


def evaluated(outcome):
    """Without what is measured."""
    assert isinstance(outcome, Evaluated), outcome
    return msgspec.structs.replace(outcome, measured=Measured())


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def evaluate(name, few, tmp_path):
    """Evaluates with a worker of its own; returns outcome and steps."""

    def run(order, **limits):
        steps = []
        made = rooms.evaluator(name, bench_of(name, few, tmp_path, **limits))
        return made.run(order, steps.append)[0], steps

    return run


def test_the_same_order_twice_is_the_same_outcome(name, evaluate, tmp_path):
    first, _ = evaluate(order_of(name, tmp_path / "a"))
    second, _ = evaluate(order_of(name, tmp_path / "b"))
    assert evaluated(first) == evaluated(second)
    other, _ = evaluate(order_of(name, tmp_path / "c", number=2))
    assert evaluated(other) != evaluated(first)


def test_stages_and_epochs_are_reported(name, evaluate, tmp_path):
    outcome, steps = evaluate(order_of(name, tmp_path))
    assert (steps[0].stage, steps[0].epoch) == ("build", 0)
    trained = [step for step in steps if step.stage == "train"]
    assert [(step.epoch, step.epochs) for step in trained] == [(epoch, 3) for epoch in range(4)]
    judged = [step for step in steps if step.validation_accuracy is not None]
    assert tuple(step.validation_accuracy for step in judged) == outcome.validation_accuracies
    assert tuple(step.train_accuracy for step in judged) == outcome.train_accuracies


def test_an_architecture_that_does_not_fit_fails_with_a_reason_and_the_next_one_does_not(name, few, tmp_path):
    bench = bench_of(name, few, tmp_path, memory_limit=1 << 23, net=TOO_LARGE)
    if name == "supernet":  # which has one network for all: none of its trials would fit
        with pytest.raises(NasdError, match=r"executor\.memory_limit: It does not fit in memory"):
            rooms.evaluator(name, bench)
        return
    made = rooms.evaluator(name, bench)
    failed, left = made.run(order_of(name, tmp_path, TOO_LARGE), lambda _: None)
    assert isinstance(failed, Failed)
    assert "does not fit in memory" in failed.reason
    assert left == {}
    evaluated(made.run(order_of(name, tmp_path, number=2), lambda _: None)[0])


def test_less_memory_splits_the_mini_batches(name, few, evaluate, tmp_path):
    whole, _ = evaluate(order_of(name, tmp_path / "whole"))
    assert whole.micro_batch == 128
    limit = 1 << 23
    while (split := evaluate(order_of(name, tmp_path / f"{limit}"), memory_limit=limit)[0]).micro_batch == 128:
        limit = limit * 4 // 5
    assert split.micro_batch < 128
    assert split.reward == pytest.approx(whole.reward, abs=0.1)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from nasd import rooms
from tests.evaluators.test_contract import bench_of, order_of, read
name, run, at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)

def report(step):
    if step.stage == "train" and step.epoch == at:
        os.kill(os.getpid(), signal.SIGKILL)

rooms.evaluator(name, bench_of(name, read(), run)).run(order_of(name, run), report)
"""


def read() -> Data:
    from dataclasses import replace

    from nasd.config import DataConfig
    from nasd.data import load

    digits = load(DataConfig(), 1)
    return replace(digits, train=digits.train.take(torch.arange(300)))


def test_killed_it_comes_to_the_same(name, evaluate, tmp_path):
    whole, _ = evaluate(order_of(name, tmp_path / "whole"))
    run = tmp_path / "killed"
    run.mkdir()
    command = [sys.executable, "-c", KILLED, name, str(run), "2"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -9
    again, steps = evaluate(order_of(name, run))
    assert evaluated(again) == evaluated(whole)
    begun = next(step.epoch for step in steps if step.stage == "train")
    planner = rooms.planners(config_of(name), run)[name]
    assert begun == (2 if planner.timeout == "step" else 0)  # only who goes on may take as long as it likes
    planner.observed(1, 1, again)
    assert [path for path in run.rglob("*") if path.is_file()] == []


def test_every_evaluator_has_both_halves():
    assert NAMES == list(rooms.planners(Config(), Path())) == list(rooms._EVALUATORS)


def test_the_daemons_half_needs_no_torch(tmp_path):
    code = """
import sys
from pathlib import Path
from nasd import rooms
from nasd.config import Config
planners = rooms.planners(Config(), Path(sys.argv[1]))
order = planners["deep_prior"].trial("[SM(10)]", 1, after=0, keep_above=None)
assert "torch" not in sys.modules and "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
