"""A worker without its daemon."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from nasd import config as configuration
from nasd import rooms
from nasd.box import tuning
from nasd.config import Config
from nasd.errors import NasdError
from nasd.evaluators.base import Answer, Step, Thought
from nasd.evaluators.deep_prior import evaluator
from nasd.evaluators.deep_prior.embedding import EmbeddedData, EmbeddedSplit
from nasd.evaluators.memory import PeakMemory
from nasd.evaluators.orders import DeepPrior, Think, Training
from nasd.executors import messages, work
from nasd.executors.messages import SetupFailed
from nasd.executors.work import Setup
from nasd.outcome import Evaluated, Failed
from store import embeddings
from store.embeddings import layout

NET = "[C(8,3,1,1,1), SM(10)]"


@pytest.fixture(autouse=True)
def cold(monkeypatch):
    """This process is neither tuned nor warmed up."""
    monkeypatch.setattr(evaluator, "warm_up", lambda *_: None)
    monkeypatch.setattr(tuning, "prepare", lambda *_: None)


def setup_in(directory, **sections):
    sections = {"space": {"patch_size": 8}, "data": {"train_samples": 100}, "training": {"epochs": 2}, **sections}
    text = configuration.dump(Config.model_validate(sections))
    threads = torch.get_num_threads()
    return Setup(config=text, device="cpu", threads=threads, staging=str(directory), memory_limit=None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_keeping_an_embedding_takes_little_memory_besides(tmp_path, monkeypatch, dtype):
    """A shard at a time, however it lies in memory."""
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn((1000, 200), generator=draw).to(dtype), torch.randint(10, (1000,), generator=draw)
    split, taken = EmbeddedSplit(x, y, torch.arange(1000)), []

    def evaluated(*_, on_embedding, **__):
        with PeakMemory() as memory:
            on_embedding(EmbeddedData(split, split, replace(split, x=x[:0], y=y[:0], index=y[:0]), {"reward": 0.5}))
        taken.append(memory.peak)
        return Failed(reason="none")

    monkeypatch.setattr(layout, "SHARD_BYTES", 64 * 200 * 4)
    monkeypatch.setattr(evaluator, "evaluate", evaluated)
    run = work.build(setup_in(tmp_path))
    _, left = run(DeepPrior(net=NET, seed=1, keep_above=0.0), lambda _: None)
    order = np.argsort(y.numpy(), kind="stable")
    kept = embeddings.Embedding(left["embedding"]).read("train")
    assert np.array_equal(kept.x, x.float().numpy()[order])
    assert np.array_equal(kept.index, order)
    assert taken[0] < 4 * 64 * 200 * 4


@pytest.mark.parametrize("error", ["ImportError('no numba')", "NasdError('no data')"])
def test_one_that_cannot_be_set_up_says_why_as_its_last_words(error):
    """Its daemon still holds its standard input."""
    code = f"""
from nasd.executors.processes.worker import serve
from nasd.errors import NasdError

def build(setup):
    raise {error}

serve(build)
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        process.stdin.write(
            messages.encode(Setup(config="", device="cpu", threads=1, staging="", memory_limit=None)) + b"\n"
        )
        process.stdin.flush()
        said, words = process.stdout.read(), process.stderr.read()
        assert process.wait(60) == (1 if "Import" in error else 0)
    if "Import" in error:
        assert words.splitlines()[-1] == b"ImportError: no numba"
    else:
        assert (messages.decode_report(said.splitlines()[-1]), words) == (SetupFailed(reason="no data"), b"")


def test_one_worker_does_what_it_is_ordered_whatever_the_trials_are(tmp_path):
    run, steps = work.build(setup_in(tmp_path)), []
    deep, _ = run(DeepPrior(net=NET, seed=1), steps.append)
    assert [(step.stage, step.epoch) for step in steps] == [
        ("build", 0), ("encode", 0), ("train", 0), ("train", 1), ("train", 2)
    ]  # fmt: skip
    trained, _ = run(Training(net=NET, seed=1, epochs=1), lambda _: None)
    assert (len(deep.validation_accuracies), len(trained.validation_accuracies)) == (2, 1)
    assert deep.reward != trained.reward


def test_what_an_order_raises_makes_it_one_that_failed(capsys):
    def raises(order, report):
        raise ZeroDivisionError("by\nnothing")

    done = work.attempt(raises, Think(name="ranking", request=b""), lambda _: None)
    assert done == (Failed(reason="thinking raised ZeroDivisionError: by nothing"), {}, True, None)
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert not work.attempt(lambda *_: (Evaluated, {}), DeepPrior(net=NET, seed=1), lambda _: None).leaving


def test_thinking_reads_and_leaves_files(tmp_path, monkeypatch):
    (tmp_path / "weights").write_bytes(b"old")
    staging = tmp_path / "staging"

    def think(config, request, report, workspace):
        report(Step(stage="fit", epoch=1, epochs=2))
        (workspace.outputs / "new").write_bytes(workspace.inputs["weights"].read_bytes() + request)
        (workspace.outputs / "scratch").touch()
        return Thought(config.name.encode(), ("new",))

    monkeypatch.setattr(rooms, "thinker", lambda config: think)
    steps, order = [], Think(name="fit", request=b"!", inputs={"weights": str(tmp_path / "weights")})
    answer, left = work.build(setup_in(staging))(order, steps.append)
    assert (answer, steps) == (Answer(payload=b"search"), [Step(stage="fit", epoch=1, epochs=2)])
    assert (left["new"].read_bytes(), left["new"].parent) == (b"old!", staging)
    assert [path.name for path in staging.iterdir()] == [left["new"].name]  # a name that is swept, until it is adopted
    assert left["new"].name.startswith(".tmp-")


def test_a_device_that_is_not_there(tmp_path):
    missing = Setup(config=setup_in(tmp_path).config, device="cuda:7", threads=1, staging="", memory_limit=None)
    with pytest.raises(NasdError, match="torch finds no cuda:7"):
        work.build(missing)
