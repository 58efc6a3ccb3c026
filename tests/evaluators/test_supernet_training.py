"""Architectures of a supernet trained from scratch, and read again."""

from pathlib import Path

import pytest
import torch

import nasd
from nasd.evaluators.mini_batches import to_input
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.evaluators.training.training import train_fully
from nasd.evaluators.training.weight_files import WeightFiles
from nasd.outcome import Evaluated
from nasd.spaces.supernet import SupernetSpace
from tests.evaluators.test_supernet import bench, config


@pytest.mark.parametrize("text", ["resnet18[1 32 1 1 32 1 1 1]", "resnet18[32 32 32 32 32 32 32 32]"])
def test_an_architecture_is_trained_from_scratch_and_its_weights_are_read_again(tmp_path: Path, text):
    made = bench(
        tmp_path, config(training={"epochs": 8, "batch_size": 32, "learning_rate": 0.005, "early_stopping_epoch": 100})
    )
    architecture, files = SupernetSpace(made.config.space).parse(text), WeightFiles(tmp_path / "it", keep=True)
    outcome = train_fully(architecture, made.data, made.config, 1, "cpu", files=files)
    assert isinstance(outcome, Evaluated), outcome
    assert max(outcome.train_accuracies) > 0.7
    assert outcome.embedding_dim == 16
    network = nasd.load_model(files.path("last"))
    assert isinstance(network, SupernetNetwork)
    with torch.no_grad():
        parts = made.data.test.images.split(outcome.micro_batch)  # a rounding that flips a sign changes all after it
        told = torch.cat([network(to_input(part)).argmax(dim=1) for part in parts])
    assert float((told == made.data.test.labels).double().mean()) == outcome.test_accuracy
