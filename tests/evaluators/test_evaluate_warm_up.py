import subprocess
import sys

import pytest


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_nothing_is_compiled_after_it(precision):
    """In a process of its own: here everything is warm."""
    code = f"""
import torch
from numba.core import event
from nasd.config import Config, EncoderConfig, TrainingConfig
from nasd.data import load
from nasd.evaluators.deep_prior.evaluation import evaluate
from nasd.evaluators.deep_prior.warm_up import warm_up
from nasd.outcome import Evaluated
from nasd.spaces.layers import SearchSpace

config = Config(encoder=EncoderConfig(precision="{precision}"), training=TrainingConfig(epochs=1))
warm_up(config, torch.device("cpu"))
data = load(config.data.model_copy(update={{"train_samples": 100}}), 1)
space = config.space.model_copy(update={{"patch_size": 8, "channels": 1, "num_classes": 10}})
with event.install_recorder("numba:compile") as compiled:
    net = SearchSpace(space).parse("[C(8,3,1,1,1), P(2,2,0,0), C(8,3,1,1,0), SM(10)]")
    outcome = evaluate(net, data, config, 1, "cpu")
assert isinstance(outcome, Evaluated), outcome
assert not compiled.buffer, [data["dispatcher"] for _, data in compiled.buffer]
"""
    subprocess.run([sys.executable, "-c", code], check=True)
