"""What holds on whatever device there is: on a GPU, where there is one, with its CUDA graphs.

`python -m benchmarks.gpu` runs these tests on a GPU; everywhere else they hold the same of the CPU.
"""

import msgspec
import pytest
import torch

from nasd.evaluators.deep_prior import embed as passes
from nasd.evaluators.deep_prior import probe_gpu
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.deep_prior.evaluation import _build, evaluate
from nasd.evaluators.deep_prior.probe import initial_weight
from nasd.evaluators.deep_prior.probe_steps import Start
from nasd.evaluators.memory import pass_bytes, resident_bytes
from nasd.evaluators.networks.encoder import Encoder
from nasd.evaluators.training.training import train_fully
from nasd.outcome import Evaluated, Measured

NET = "[C(16,3,1,1,1), P(2,2,0,0), C(16,1,1,0,1), C(32,5,1,2,1), SM(10)]"
PRECISIONS = ["float32", "tf32", "bfloat16"]


@pytest.fixture(scope="module")
def device():
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


@pytest.fixture
def net(parse):
    return parse(NET)


def unmeasured(outcome):
    assert isinstance(outcome, Evaluated), outcome
    return msgspec.structs.replace(outcome, measured=Measured())


def embedded(net, data, config, device, micro_batch=128):
    encoder, _, _ = _build(net, data, config, 1, device, None)
    return passes.embed(encoder, data, config, 1, micro_batch)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_evaluation_is_the_same_bit_for_bit_whenever_it_is_made(net, few, configure, device, precision):
    config = configure(encoder={"precision": precision})
    first, second = (unmeasured(evaluate(net, few, config, 1, device)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_learns_what_it_learns_in_float32_on_a_cpu(net, digits, configure, device, precision):
    """Another device rounds differently, another precision more: images are classified alike."""
    reference = evaluate(net, digits, configure(), 1, "cpu")
    outcome = evaluate(net, digits, configure(encoder={"precision": precision}), 1, device)
    assert outcome.test_accuracy == pytest.approx(reference.test_accuracy, abs=0.03)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_recorded_mini_batch_embeds_what_the_calls_embed(net, digits, configure, device, precision, monkeypatch):
    data, config = digits.to(device), configure(encoder={"precision": precision})
    recorded = embedded(net, data, config, device)
    monkeypatch.setattr(passes, "recorded", lambda work: work)
    for one, other in zip(recorded, embedded(net, data, config, device), strict=True):
        assert torch.equal(one.x, other.x)


def test_parts_of_a_mini_batch_have_the_statistics_of_the_whole(net, few, configure, device):
    data, config = few.to(device), configure(encoder={"precision": "float32"})
    for whole, parts in zip(embedded(net, data, config, device), embedded(net, data, config, device, 48), strict=True):
        torch.testing.assert_close(parts.x, whole.x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_recorded_epoch_trains_what_the_calls_train(configure, device, dtype, monkeypatch):
    """Four epochs, with a last mini-batch that is shorter; two classifiers."""
    draw = torch.Generator().manual_seed(1)
    x = torch.rand((300, 40), generator=draw).to(device, dtype)
    labels = torch.randint(10, (300,), generator=draw).to(device)
    split = EmbeddedSplit(x, labels, labels)
    weight = torch.cat([initial_weight(10, 40, seed) for seed in (1, 2)])
    start = Start(split, split, 10, configure().training, weight, [1e-3, 1e-2])
    orders = [torch.randperm(300, generator=draw) for _ in range(4)]

    def trained():
        steps, results = probe_gpu.GpuSteps(start), []
        for order in orders:
            steps.epoch(order)
            results.append(steps.result.tolist())
        return steps.weight.cpu(), results

    weights, results = trained()
    monkeypatch.setattr(probe_gpu, "recorded", lambda work: work)
    assert torch.equal(weights, trained()[0])
    assert results == trained()[1]
    finite, *hits = zip(*results, strict=True)
    assert set(finite) == {1}
    assert hits[3][-1] > hits[3][0], "the second classifier learns"


def test_it_takes_no_more_memory_than_predicted(net, digits, configure, device):
    """On a GPU, whose allocator counts. A convolution may take a workspace that nobody can predict."""
    data, config = digits.to(device), configure(encoder={"precision": "float32"})
    outcome = evaluate(net, data, config, 1, device)
    with torch.device("meta"):
        encoder = Encoder(net, data.channels, config.encoder)
    predicted = data.images_nbytes + resident_bytes(encoder, data, config) + pass_bytes(encoder, data, 128, device)
    workspace = 64 << 20  # cuBLAS takes 8 to 33 MB, cuDNN some
    assert outcome.measured.peak_memory <= 1.1 * predicted + workspace


def test_a_full_training_is_the_same_bit_for_bit(net, few, configure, device):
    config, data = configure(training={"epochs": 2}), few.to(device)
    files = {}, {}
    outcomes = [train_fully(net, data, config, 1, device, files=_Kept(kept)) for kept in files]
    assert unmeasured(outcomes[0]) == unmeasured(outcomes[1])
    assert files[0] == files[1]


class _Kept:
    """Files in memory."""

    def __init__(self, files):
        self._files = files

    def read(self, name):
        return self._files.get(name)

    def write(self, name, content):
        self._files[name] = content


def test_a_second_evaluation_finds_the_memory_of_the_first_one_free(net, few, configure, device):
    """A graph holds memory of its own until it is forgotten."""
    if device.type == "cpu":
        pytest.skip("a CPU's allocator does not count")
    data = few.to(device)
    evaluate(net, data, configure(), 1, device)
    before = torch.cuda.memory_allocated(device)
    evaluate(net, data, configure(), 2, device)
    assert torch.cuda.memory_allocated(device) == before
