"""Convolutions by Fourier transform: right, the same bits wherever they run, and only where the run's table says so."""

import itertools

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from nasd.config import EncoderConfig, FftConfig, LayersConfig
from nasd.evaluators.deep_prior.evaluation import evaluate
from nasd.evaluators.networks import fft
from nasd.evaluators.networks.convolution import ALWAYS, DIRECT, Convolution, by_fft, table
from nasd.evaluators.networks.encoder import Encoder
from nasd.evaluators.seeding import generator
from nasd.outcome import Measured
from nasd.spaces.layers import SearchSpace

NET = "[C(32,5,1,2,1), C(16,3,2,1,1), C(16,3,1,0,1), SM(10)]"


def drawn(images, inputs, outputs, size, kernel, seed=1):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn((images, size, size, inputs), generator=random).permute(0, 3, 1, 2)
    return x, torch.randn((outputs, inputs, kernel, kernel), generator=random)


def error(x, weight, stride, padding):
    """The largest, in parts of the largest value, against float64."""
    right = functional.conv2d(x.double(), weight.double(), stride=stride, padding=padding)
    with torch.inference_mode():
        found = fft.conv2d(x, weight, stride, padding)
    assert found.shape == right.shape
    assert found.is_contiguous(memory_format=torch.channels_last)
    return float((found - right).abs().max() / right.abs().max())


@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 9, 11])
def test_every_convolution_of_the_papers_space_is_right(kernel):
    for size, stride, padding in itertools.product((28, 22, 14, 11), (1, 2), {0, kernel // 2}):
        assert error(*drawn(5, 6, 4, size, kernel), stride, padding) < 2e-6


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.data())
def test_any_shape_is_right(data):
    def number(least, most):
        return data.draw(st.integers(least, most))

    kernel = number(1, 9)
    padding = number(0, kernel - 1)
    size = number(max(1, kernel - 2 * padding), 20)
    x, weight = drawn(number(1, 9), number(1, 40), number(1, 40), size, kernel, seed=number(0, 99))
    if data.draw(st.booleans()):
        x = x.contiguous()
    assert error(x, weight, number(1, 3), padding) < 2e-6


def test_parts_of_the_weights_at_a_time_give_the_same(monkeypatch):
    x, weight = drawn(3, 8, 8, 9, 5)
    whole = fft.conv2d(x, weight, 1, 2)
    monkeypatch.setattr(fft, "WEIGHTS", 7 * 64)  # seven of 33 products, and one column of frequencies
    monkeypatch.setattr(fft, "COLUMNS", 8)  # one image
    torch.testing.assert_close(fft.conv2d(x, weight, 1, 2), whole, rtol=0, atol=2e-6 * float(whole.abs().max()))


@pytest.mark.parametrize(("size", "kernel"), [(28, 11), (14, 7), (9, 3)])
def test_what_bfloat16_rounds_is_a_hundredth_of_the_deviation(size, kernel):
    x, weight = (one.bfloat16() for one in drawn(8, 32, 16, size, kernel))
    found = fft.conv2d(x.relu(), weight, 1, kernel // 2)
    assert found.dtype == torch.bfloat16
    right = functional.conv2d(x.relu().double(), weight.double(), padding=kernel // 2)
    deviation = right.std(dim=(0, 2, 3), keepdim=True)
    assert float((((found - right) / deviation) ** 2).mean() ** 0.5) < 0.01


TABLE = (
    FftConfig(kernel=5, side=14, channels=64),
    FftConfig(kernel=5, side=28, channels=32),
    FftConfig(kernel=9, side=14, channels=16),
)


@pytest.mark.parametrize(
    ("kernel", "stride", "side", "inputs", "outputs", "chosen"),
    [
        (5, 1, 28, 32, 32, True),
        (5, 1, 28, 31, 32, False),
        (5, 1, 27, 32, 32, False),  # the entry of 14 pixels
        (7, 1, 27, 64, 64, True),
        (5, 1, 13, 999, 999, False),  # smaller than all that was measured
        (4, 1, 28, 999, 999, False),
        (9, 1, 64, 16, 16, True),
        (11, 2, 28, 16, 16, False),  # as much work as a window of 5
        (11, 2, 28, 32, 32, True),
        (9, 1, 28, 1, 1024, False),  # next to nothing to multiply
        (9, 1, 28, 10, 1024, True),
    ],
)
def test_the_table_chooses_by_shape_alone(kernel, stride, side, inputs, outputs, chosen):
    assert by_fft(TABLE, kernel, stride, side, inputs, outputs) is chosen


def test_what_a_run_without_a_table_is_computed_by():
    assert table(EncoderConfig()) == table(EncoderConfig(convolution="measured")) == DIRECT
    assert not by_fft(DIRECT, 11, 1, 28, 1024, 1024)
    assert by_fft(ALWAYS, 3, 1, 4, 1, 1)
    assert not by_fft(ALWAYS, 1, 1, 28, 1024, 1024)


def encoded(architecture, images, *, trained=False, **config):
    with torch.device("meta"):
        encoder = Encoder(architecture, 1, EncoderConfig(**config), trained=trained)
    encoder.to_empty(device="cpu")
    encoder.initialise(generator(1, "weights"))
    with torch.inference_mode():
        return encoder.train()(images)


@pytest.mark.parametrize("net", [NET, "[C(16,3,1,1,0), C(16,1,1,0,1), SM(10)]"])
def test_an_encoder_computes_the_same_by_transforms(net, monkeypatch):
    architecture, images = SearchSpace(LayersConfig(patch_size=12)).parse(net), torch.rand(9, 1, 12, 12)
    direct = encoded(architecture, images)
    called = []
    monkeypatch.setattr(fft, "conv2d", lambda *args, conv2d=fft.conv2d: called.append(args) or conv2d(*args))
    transformed = encoded(architecture, images, convolution="fft")
    assert called
    torch.testing.assert_close(transformed, direct, rtol=0, atol=1e-5 * float(direct.abs().max()))
    called.clear()
    assert torch.equal(encoded(architecture, images, trained=True, convolution="fft"), direct)
    assert torch.equal(encoded(architecture, images, convolution=(FftConfig(kernel=3, side=28, channels=1),)), direct)
    assert not called


def test_an_exported_program_is_direct():
    layer, x = Convolution(2, 3, 5, 1, 2, ALWAYS), torch.rand(2, 2, 8, 8)
    program = torch.export.export(layer, (x,))
    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert len(called) == 1
    assert "conv2d" in called[0]
    with torch.inference_mode():
        torch.testing.assert_close(program.module()(x), layer(x), rtol=0, atol=1e-6)


def test_any_number_of_threads_gives_the_same_bits(parse, few, configure):
    config = configure(encoder={"convolution": "fft"}, training={"batch_size": 16})
    before, outcomes, kept = torch.get_num_threads(), [], []
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            outcome = evaluate(parse(NET), few, config, 5, "cpu", on_embedding=kept.append)
            outcomes.append(msgspec.structs.replace(outcome, measured=Measured()))
    finally:
        torch.set_num_threads(before)
    assert outcomes[0] == outcomes[1] == outcomes[2]
    for name, other in itertools.product(("train", "val", "test"), kept[1:]):
        assert torch.equal(kept[0].splits[name].x, other.splits[name].x)
