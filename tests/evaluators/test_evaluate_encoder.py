import pytest
import torch
from torch.nn import functional

from nasd.config import EncoderConfig, LayersConfig
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.networks.encoder import INITS, Encoder, WideResidualBlock
from nasd.spaces.layers import SearchSpace, classifier_weights, conv_weights


def build(architecture, channels=1, **config):
    encoder = Encoder(architecture, channels, EncoderConfig(**config))
    encoder.initialise(torch.Generator().manual_seed(0))
    return encoder


def weights(encoder):
    return sum(m.weight.numel() for m in encoder.modules() if isinstance(m, torch.nn.Conv2d))


def test_every_golden_architecture_gives_the_image_sizes_of_its_states(golden):
    """On the meta device, where size costs nothing: all of them."""
    space = SearchSpace(LayersConfig())
    for entry in golden:
        architecture = space.parse(entry["net"])
        with torch.device("meta"):
            encoder = Encoder(architecture, 1, EncoderConfig())
            x = torch.empty(2, 1, 28, 28)
        for layer, state in zip(encoder.layers, architecture.layers, strict=True):
            x = layer(x)
            assert x.shape == (2, state.filter_depth, state.image_size, state.image_size), entry["net"]
        assert x.flatten(1).shape[1] == entry["embedding_dim"] == encoder.embedding_dim


def test_golden_weight_counts(golden):
    space, counted = SearchSpace(LayersConfig()), 0
    for entry in golden:
        if "conv_weights" in entry:
            architecture = space.parse(entry["net"])
            with torch.device("meta"):
                encoder = Encoder(architecture, 1, EncoderConfig())
            assert weights(encoder) == conv_weights(architecture, 1) == entry["conv_weights"]
            assert encoder.embedding_dim * 10 == classifier_weights(architecture) == entry["classifier_weights"]
            counted += 1
    assert counted


def test_no_biases(parse):
    assert all(m.bias is None for m in build(parse("[C(8,3,1,1,1), C(8,3,1,1,0), SM(10)]")).modules()
               if isinstance(m, torch.nn.Conv2d))  # fmt: skip


@pytest.mark.parametrize("init", sorted(INITS))
def test_any_number_of_threads_draws_the_same_bits(parse, init):
    """Of matrices large enough to be factorised by several."""
    architecture, before, drawn = parse("[C(96,3,1,1,1), C(96,3,1,1,1), SM(10)]"), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            drawn.append(build(architecture, init=init).layers[1][0].weight)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(drawn[0], other) for other in drawn[1:])


def test_conv_block_is_conv_norm_relu(parse):
    encoder = build(parse("[C(6,3,1,1,1), P(2,2,0,0), SM(10)]")).train()
    x = torch.rand(5, 1, 8, 8)
    convolved = functional.conv2d(x, encoder.layers[0][0].weight, padding=1)
    mean, variance = convolved.mean((0, 2, 3)), convolved.var((0, 2, 3), correction=0)
    normed = (convolved - mean[:, None, None]) / (variance[:, None, None] + 1e-4).sqrt()
    expected = functional.max_pool2d(normed.clamp(min=0), 2).flatten(1)
    torch.testing.assert_close(encoder(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("inputs", "eps"), [(4, 1e-4), (6, 1e-4), (4, 0.0), (6, 0.0)])
def test_wide_residual_block_against_a_forward_by_hand(inputs, eps):
    torch.manual_seed(0)
    block = WideResidualBlock(inputs, 6, eps).eval()
    x = torch.randn(3, inputs, 5, 5)
    before = x.clone()

    def norm(module, values):
        if eps == 0:
            return values
        mean, variance = module.running_mean[:, None, None], module.running_var[:, None, None]
        return (values - mean) / (variance + eps).sqrt()

    if eps:
        for module in (block.norm1, block.norm2):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    active = norm(block.norm1, x).clamp(min=0)
    inner = norm(block.norm2, functional.conv2d(active, block.conv1.weight, padding=1)).clamp(min=0)
    skip = x if inputs == 6 else functional.conv2d(active, block.shortcut.weight)
    expected = functional.conv2d(inner, block.conv2.weight, padding=1) + skip
    with torch.no_grad():
        torch.testing.assert_close(block(x), expected.detach(), rtol=1e-4, atol=1e-5)
    assert torch.equal(x, before)


def test_embedding_is_flattened_channel_by_channel(parse):
    encoder = build(parse("[C(6,3,1,1,1), SM(10)]")).eval()
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(encoder(x), encoder.layers(x).contiguous().flatten(1))


@pytest.mark.parametrize("init", sorted(INITS))
def test_inits(parse, init):
    architecture = parse("[C(64,3,1,1,1), C(128,3,1,1,1), SM(10)]")
    one, same = build(architecture, init=init), build(architecture, init=init)
    weight = one.layers[1][0].weight
    assert torch.equal(weight, same.layers[1][0].weight)
    fan_in, fan_out = 64 * 9, 128 * 9
    expected = {"kaiming": (2 / fan_in) ** 0.5, "xavier": (2 / (fan_in + fan_out)) ** 0.5}.get(init.split("-")[0])
    if expected is None:
        rows = weight.flatten(1)
        torch.testing.assert_close(rows @ rows.T, torch.eye(128), rtol=0, atol=1e-4)
    else:
        assert weight.std().item() == pytest.approx(expected, rel=0.02)
        assert (weight.abs().max() <= expected * 3**0.5 * 1.001) == init.endswith("uniform")


def test_building_on_the_meta_device_first_changes_nothing(parse):
    architecture = parse("[C(8,3,1,1,1), C(16,3,1,1,0), SM(10)]")
    plain = build(architecture).eval()
    with torch.device("meta"):
        moved = Encoder(architecture, 1, EncoderConfig()).eval()
    moved.to_empty(device="cpu")
    moved.initialise(torch.Generator().manual_seed(0))
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(plain(x), moved(x))


def test_layers_of_later_versions_are_refused_in_a_sentence(parse):
    with pytest.raises(EvaluationError, match="does not know layers of type"):
        build(parse("[C(8,3,1,1,1), FC(32), SM(10)]"))


def test_the_pyramid_is_the_maxima_of_its_windows(parse):
    encoder = build(parse("[C(2,1,1,1), C(2,3,0,2), SM(10)]"), batch_norm=0.0)
    x = torch.rand(4, 1, 8, 8)
    features = encoder.layers[0](x)
    thirds = [slice(0, 3), slice(2, 6), slice(5, 8)]  # of 8 pixels, as adaptive pooling cuts them: they overlap
    expected = [features.amax((2, 3)).unsqueeze(2)]
    for windows in ([slice(0, 4), slice(4, 8)], thirds):
        expected += [features[:, :, row, column].amax((2, 3)).unsqueeze(2) for row in windows for column in windows]
    torch.testing.assert_close(encoder(x), torch.cat(expected, 2).flatten(1))
