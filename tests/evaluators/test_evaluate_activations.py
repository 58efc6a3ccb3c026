import subprocess
import sys

import pytest
import torch
from torch.nn import functional

from nasd.config import EncoderConfig
from nasd.evaluators.networks import activations
from nasd.evaluators.networks.encoder import Encoder
from nasd.evaluators.networks.network import Network

SHAPES = [
    (128, 16, 28, 28),
    (3, 20, 13, 11),
    (130, 64, 3, 3),
    (1, 100, 1, 1),
    (2, 1, 5, 7),
    (9, 3, 1, 4),
    (1, 7, 40, 600),
]


@pytest.fixture(autouse=True)
def in_inference_mode():
    with torch.inference_mode():
        yield


DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


def draw(*shape, seed=0, dtype=torch.float32):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x.to(dtype, memory_format=torch.channels_last)


@DTYPES
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_moments_are_those_in_float64(shape, offset, dtype):
    x = draw(*shape, dtype=dtype) + offset
    x[:, 0] = 0.3  # a constant channel
    assert activations.fits(x)
    variance, mean = torch.var_mean(x.double(), dim=(0, 2, 3), correction=0)
    found_mean, found_variance = activations.moments(x)
    assert found_mean.dtype == found_variance.dtype == torch.float32
    torch.testing.assert_close(found_mean.double(), mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found_variance.double(), variance, rtol=5e-6, atol=1e-11)


@DTYPES
@pytest.mark.parametrize("shape", SHAPES)
def test_rectified_is_batch_norm_and_relu(shape, dtype):
    x = draw(*shape, dtype=dtype)
    x[0, 0, 0, 0], x[0, -1, 0, -1] = torch.nan, torch.inf
    mean, variance, weight, bias = (draw(shape[1], 1, 1, 1, seed=seed).flatten() for seed in range(4))
    expected = functional.batch_norm(x, mean, variance.abs(), weight, bias, False, 0.0, 1e-4).relu()
    found = activations.rectify_(x, mean, variance.abs(), weight, bias, 1e-4)
    rounding = 1e-5 if dtype == torch.float32 else 2**-7  # the last bit
    torch.testing.assert_close(found, expected, rtol=rounding, atol=1e-5, equal_nan=True)
    assert (found == expected)[1:].float().mean() > (0.5 if dtype == torch.float32 else 0.99) or len(x) == 1
    assert found.data_ptr() == x.data_ptr()


@DTYPES
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (4, 4), (5, 3)])
def test_max_pooling_is_torchs_bit_for_bit(size, stride, dtype):
    for shape in ((2, 9, 13, 17), (3, 1, 5, 6), (1, 70, 5, 5)):
        x = draw(*shape, dtype=dtype)
        x[0, 0, 3, 4], x[0, 0, 2, 2], x[-1, -1, 1, 1] = torch.nan, torch.inf, -torch.inf
        found = activations.max_pool(x, size, stride)
        assert found.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(found, functional.max_pool2d(x, size, stride), rtol=0, atol=0, equal_nan=True)


def test_a_window_larger_than_the_image_is_refused_in_torchs_words():
    for device in ("cpu", "meta"):
        with pytest.raises(RuntimeError, match="too small"):
            activations.max_pool(draw(1, 3, 4, 4).to(device), 5, 5)


def test_what_does_not_fit_is_left_to_torch():
    fitting = draw(4, 3, 6, 6)
    for x in (fitting.half(), fitting.contiguous(), fitting.double()):
        assert not activations.fits(x)
        mean, variance = activations.moments(x)
        torch.testing.assert_close(mean, x.float().mean((0, 2, 3)))
        torch.testing.assert_close(variance, x.float().var((0, 2, 3), correction=0))
        assert torch.equal(activations.max_pool(x, 2, 2), functional.max_pool2d(x, 2))
    with torch.inference_mode(False), torch.no_grad():
        assert not activations.fits(draw(4, 3, 6, 6))


NETS = [
    "[C(16,3,1,1,1), P(2,2,0,0), C(20,3,1,1,1), P(3,2,0,0), C(70,1,1,0,1), SM(10)]",
    "[C(8,3,1,1,1), C(16,3,1,1,0), P(2,2,0,0), C(16,3,1,1,0), SM(10)]",
    "[C(2,1,1,1), C(2,3,0,2), SM(10)]",
]


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("batch_norm", [1e-4, 0.0])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_pooling_before_batch_norm_changes_no_bit(parse, net, batch_norm, train, precision, monkeypatch):
    config = EncoderConfig(batch_norm=batch_norm, precision=precision)
    encoder = Encoder(parse(net, side=11), 1, config).train(train)
    encoder.initialise(torch.Generator().manual_seed(0))
    images = draw(5, 1, 11, 11)

    def passed(work):
        for norm in encoder.norms():
            norm.reset_running_stats()
        return work(images).flatten(1).float(), [buffer.clone() for buffer in encoder.buffers()]

    embedding, averages = passed(encoder)
    plain, same = passed(lambda x: encoder.layers(x.to(encoder.dtype)))
    assert torch.equal(embedding, plain)
    assert all(map(torch.equal, averages, same))
    monkeypatch.setattr(activations, "fits", lambda x: False)
    torchs, close = passed(encoder)
    assert (embedding - torchs).norm() <= (1e-5 if precision == "float32" else 0.01) * torchs.norm()
    for mine, other in zip(averages, close, strict=True):
        if mine.is_floating_point():  # not torch's count of mini-batches
            torch.testing.assert_close(mine, other, rtol=1e-5 if precision == "float32" else 1e-2, atol=1e-3)


def test_a_trained_batch_norm_may_turn_values_round(parse, monkeypatch):
    """A negative weight makes the smallest of some values the largest: pooling may not come first."""
    network = Network(parse(NETS[0], side=11), 1, EncoderConfig(), 0.0).eval()
    network.initialise(1)
    for norm in network.encoder.norms():
        norm.weight.neg_()
        norm.bias.fill_(0.5)
    logits = network(images := draw(5, 1, 11, 11))
    monkeypatch.setattr(activations, "fits", lambda x: False)
    torch.testing.assert_close(logits, network(images), rtol=1e-4, atol=1e-5)


def test_nothing_is_compiled_before_it_is_needed():
    code = "import sys, nasd.evaluators; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
