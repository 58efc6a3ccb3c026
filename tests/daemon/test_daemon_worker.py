"""A worker without its daemon."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nasd import config as configuration
from nasd import evaluators as evaluate
from nasd.box import tuning
from nasd.config import Config
from nasd.evaluators.deep_prior import warm_up
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit, Embedding
from nasd.evaluators.memory import PeakMemory
from nasd.executors.processes import messages, worker
from nasd.executors.processes.messages import Evaluate, Setup, SetupFailed
from nasd.outcome import Failed
from store import embeddings
from store.embeddings import layout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_keeping_an_embedding_takes_little_memory_besides(tmp_path, monkeypatch, dtype):
    """A shard at a time, however it lies in memory."""
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn((1000, 200), generator=draw).to(dtype), torch.randint(10, (1000,), generator=draw)
    split, taken = EmbeddedSplit(x, y, torch.arange(1000)), []

    def evaluated(*_, on_embedding, **__):
        with PeakMemory() as memory:
            on_embedding(Embedding(split, split, replace(split, x=x[:0], y=y[:0], index=y[:0]), {"reward": 0.5}))
        taken.append(memory.peak)
        return Failed(reason="none")

    monkeypatch.setattr(layout, "SHARD_BYTES", 64 * 200 * 4)
    monkeypatch.setattr(evaluate, "evaluate", evaluated)
    monkeypatch.setattr(warm_up, "warm_up", lambda *_: None)
    monkeypatch.setattr(tuning, "prepare", lambda *_: None)
    setup = Setup(configuration.dump(Config()), "cpu", torch.get_num_threads(), str(tmp_path), None)
    run = worker.build(setup)
    _, staged = run(Evaluate(id=1, net="[C(8,3,1,1,1), SM(10)]", seed=1, keep_above=0.0), lambda _: None)
    order = np.argsort(y.numpy(), kind="stable")
    kept = embeddings.Embedding(Path(staged)).read("train")
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
        process.stdin.write(messages.encode(Setup("", "cpu", 1, "", None)) + b"\n")
        process.stdin.flush()
        said, words = process.stdout.read(), process.stderr.read()
        assert process.wait(60) == (1 if "Import" in error else 0)
    if "Import" in error:
        assert words.splitlines()[-1] == b"ImportError: no numba"
    else:
        assert (messages.decode_report(said.splitlines()[-1]), words) == (SetupFailed("no data"), b"")
