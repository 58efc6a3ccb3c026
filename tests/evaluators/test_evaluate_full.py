"""Full training: that it learns, that gradients add up, that a killed training is the same training."""

from dataclasses import replace

import msgspec
import pytest
import torch

import nasd
from nasd.config import EncoderConfig
from nasd.errors import NasdError
from nasd.evaluators.mini_batches import to_input
from nasd.evaluators.networks.network import Network
from nasd.evaluators.step_memory import state_bytes, step_bytes
from nasd.evaluators.training import training as full
from nasd.evaluators.training.training import BEST, CHECKPOINT, LAST, train_fully
from nasd.export.deep_prior import DeepPrior, fit_statistics
from nasd.export.model import export_model
from nasd.outcome import Evaluated, Failed, Measured

NET = "[C(8,3,1,1,1), P(2,2,0,0), C(8,3,1,1,0), FC(16), FC(8), SM(10)]"
SGD = {"optimizer": "sgd", "learning_rate": 0.05, "warm_restart_epochs": 1, "weight_decay": 1e-4, "dropout": 0.2}


class Kept(dict):
    """Files in memory."""

    read, write = dict.get, dict.__setitem__


class KilledError(Exception):
    pass


def unmeasured(outcome):
    return msgspec.structs.replace(outcome, measured=Measured())


def kill_at(epoch):
    def progress(stage, at, epochs, train, validation):
        if stage == "train" and at == epoch:
            raise KilledError

    return progress


def test_it_learns_more_than_a_deep_prior_can(few, configure, parse):
    config = configure(training={"epochs": 8, "learning_rate": 0.01})
    outcome = train_fully(parse("[C(8,3,1,1,1), P(2,2,0,0), FC(32), SM(10)]"), few, config, 1, "cpu")
    assert isinstance(outcome, Evaluated)
    assert outcome.test_accuracy > 0.7
    assert outcome.train_accuracies[-1] > outcome.train_accuracies[0] + 0.3
    assert (outcome.micro_batch, outcome.embedding_dim, len(outcome.validation_accuracies)) == (128, 128, 8)


@pytest.mark.parametrize("training", [{}, SGD])
@pytest.mark.parametrize("killed_at", [1, 3])
def test_a_killed_training_goes_on_bit_for_bit(few, configure, parse, training, killed_at):
    config = configure(training={"epochs": 4, **training})
    whole, parts = Kept(), Kept()
    undisturbed = train_fully(parse(NET), few, config, 7, "cpu", files=whole)
    with pytest.raises(KilledError):
        train_fully(parse(NET), few, config, 7, "cpu", files=parts, progress=kill_at(killed_at))
    assert LAST not in parts
    epochs = []
    resumed = train_fully(parse(NET), few, config, 7, "cpu", files=parts, progress=lambda *step: epochs.append(step[1]))
    assert epochs == [0, *range(killed_at, 5)]
    assert unmeasured(resumed) == unmeasured(undisturbed)
    assert parts == whole


def test_another_request_does_not_go_on_with_a_checkpoint(few, configure, parse):
    files, config = Kept(), configure(training={"epochs": 2})
    first = train_fully(parse(NET), few, config, 7, "cpu", files=files)
    other = train_fully(parse(NET), few, config, 8, "cpu", files=files)
    assert unmeasured(first) != unmeasured(other)
    assert unmeasured(other) == unmeasured(train_fully(parse(NET), few, config, 8, "cpu"))
    files[CHECKPOINT] = b"\x05\0\0\0\0\0\0\0{}{}{ torn"
    assert unmeasured(train_fully(parse(NET), few, config, 8, "cpu", files=files)) == unmeasured(other)


def test_gradients_of_parts_add_up_to_the_whole(few, configure, parse, monkeypatch):
    """Without batch norm; with it the statistics are those of each part."""
    config = configure(training={"epochs": 1, "dropout": 0.3, "batch_size": 100}, encoder={"batch_norm": 0})
    weights = {}
    for micro_batch in (100, 30):
        files = Kept()
        monkeypatch.setattr(full, "fit_micro_batch", lambda *_, fitting=micro_batch: fitting)
        outcome = train_fully(parse(NET), few, config, 3, "cpu", files=files)
        assert outcome.micro_batch == micro_batch
        weights[micro_batch] = full.read_checkpoint(files[CHECKPOINT])[1]
    moved = 0.0
    fresh = Network(parse(NET), 1, EncoderConfig(batch_norm=0), 0.3)
    fresh.initialise(3)
    for name, value in fresh.state_dict().items():
        one, other = (weights[size]["network/" + name] for size in (100, 30))
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        moved = max(moved, float((one - value).abs().max()))
    assert moved > 1e-3


def test_memory_that_runs_out_halves_the_parts(few, configure, parse, monkeypatch):
    taken = []
    forward = Network.forward

    def small(network, images):
        if images.device.type == "cpu" and network.training:
            taken.append(len(images))
            if len(images) > 40:
                raise torch.OutOfMemoryError("out of memory")
        return forward(network, images)

    monkeypatch.setattr(Network, "forward", small)
    outcome = train_fully(parse(NET), few, configure(training={"epochs": 1}), 1, "cpu")
    assert (outcome.micro_batch, max(taken[2:])) == (32, 32)


def test_a_memory_limit_is_kept_to(few, configure, parse):
    with torch.device("meta"):
        network = Network(parse(NET), 1, EncoderConfig(), 0.0)
    images = sum(split.images.nbytes for split in few.splits.values())
    limit = images + state_bytes(network) + step_bytes(network, few, 40)
    assert (
        train_fully(parse(NET), few, configure(training={"epochs": 1}), 1, "cpu", memory_limit=limit).micro_batch == 32
    )
    failed = train_fully(parse(NET), few, configure(), 1, "cpu", memory_limit=images + 1000)
    assert isinstance(failed, Failed)
    assert "does not fit in memory" in failed.reason


def test_step_memory_grows_with_what_the_backward_pass_needs(few, parse):
    with torch.device("meta"):
        network = Network(parse("[C(8,3,1,1,1), C(8,3,1,1,1), C(8,3,1,1,1), SM(10)]"), 1, EncoderConfig(), 0.0)
    activation = 4 * 100 * 8 * 8 * 8
    needed = step_bytes(network, few, 100)
    assert 6 * activation < needed < 12 * activation  # of each layer what enters batch norm and what leaves ReLU
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_learning_rate_restarts(parse, few, configure, monkeypatch):
    rates = []
    step = torch.optim.SGD.step

    def record(optimiser, *rest):
        rates.append(optimiser.param_groups[0]["lr"])
        return step(optimiser, *rest)

    monkeypatch.setattr(torch.optim.SGD, "step", record)
    config = configure(training={"epochs": 3, **SGD, "batch_size": 100, "warm_restart_epochs": 1})
    train_fully(parse(NET), few, config, 1, "cpu")
    cycle = [0.05, 0.0375025, 0.0125075]  # (1 + cos) / 2 at 0, 1/3 and 2/3, down to 1e-5
    assert rates[:4] == pytest.approx([*cycle, 0.05])  # the first cycle has three updates, the second six
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[6] == pytest.approx((0.05 + 1e-5) / 2)


def test_weights_come_back_as_a_module(few, configure, parse, tmp_path):
    files, config = Kept(), configure(training={"epochs": 3, "dropout": 0.5})
    outcome = train_fully(parse(NET), few, config, 1, "cpu", files=files)
    accuracies = {}
    for name in (BEST, LAST):
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(files[name])
        module = nasd.load_model(path)
        with torch.no_grad():
            logits = module(to_input(few.validation.images))
        accuracies[name] = (logits.argmax(1) == few.validation.labels).double().mean().item()
    assert accuracies[LAST] == pytest.approx(outcome.validation_accuracies[-1])
    assert accuracies[BEST] == pytest.approx(max(outcome.validation_accuracies))


def test_a_deep_priors_weights_come_back_too(configure, parse, tmp_path):
    prior = DeepPrior(parse("[C(8,3,1,1,1), SM(10)]"), 5, configure())
    export_model(prior, tmp_path / "prior.safetensors")
    module, images = nasd.load_model(tmp_path / "prior.safetensors"), torch.rand(3, 1, 8, 8)
    expected = fit_statistics(prior, prior.load())[0]
    with torch.no_grad():
        assert torch.equal(module(images), expected(images))


def test_a_file_that_is_no_model(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(NasdError, match="cannot be read"):
        nasd.load_model(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(NasdError, match=r"x\.safetensors cannot be read as safetensors"):
        nasd.load_model(path)
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        nasd.unknown  # noqa: B018


def test_what_cannot_be_trained(few, configure, parse):
    other = replace(few, train=replace(few.train, images=few.train.images[:, :, :6, :6]))
    failed = train_fully(parse(NET), other, configure(), 1, "cpu")
    assert "not fit images of 6 pixels" in failed.reason
    config = configure(training={"optimizer": "sgd", "learning_rate": 1e30}, encoder={"batch_norm": 0})
    assert "diverged in epoch 1" in train_fully(parse(NET), few, config, 1, "cpu").reason
    stopped = train_fully(
        parse(NET), few, configure(training={"early_stopping_epoch": 2, "early_stopping_thresh": 1.0}), 1, "cpu"
    )
    assert (stopped.early_stopped, stopped.test_accuracy, len(stopped.validation_accuracies)) == (True, None, 2)
