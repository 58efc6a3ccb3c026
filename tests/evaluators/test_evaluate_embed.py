import pytest
import torch

from nasd.evaluators.deep_prior import embed as embedding
from nasd.evaluators.deep_prior.embed import embed
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.mini_batches import mini_batches, to_input
from nasd.evaluators.networks.encoder import Encoder

WITH_WRN = "[C(8,3,1,1,1), C(16,3,1,1,0), C(16,3,1,1,0), P(2,2,0,0), SM(10)]"


@pytest.fixture
def run(parse, few):
    """Embed `few` and return the encoder with the three splits."""

    def build(config, micro_batch=128, text=WITH_WRN, seed=1, looks=()):
        encoder = Encoder(parse(text), 1, config.encoder)
        encoder.initialise(torch.Generator().manual_seed(0))
        return encoder, *embed(encoder, few, config, seed, micro_batch, looks=looks)

    return build


def test_mini_batches_cover_every_row_once_and_leave_no_single_sample():
    for samples, sizes in ((300, [128, 128, 44]), (257, [128, 129]), (129, [129]), (256, [128, 128]), (2, [2])):
        batches = mini_batches(samples, 128, seed=1)
        assert [len(rows) for rows in batches] == sizes
        assert torch.equal(torch.cat(batches).sort().values, torch.arange(samples))
    assert not torch.equal(mini_batches(300, 128, 1)[0], mini_batches(300, 128, 2)[0])


def test_input_is_scaled():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(3, 1, 1, 1)
    assert to_input(images).flatten().tolist() == pytest.approx([0, 0.2, 1])


def test_batch_statistics_are_each_mini_batchs_own_and_the_averages_serve_the_rest(run, configure, few):
    encoder, train, validation, test = run(configure(training={"batch_size": 16}))
    averages = {name: value.clone() for name, value in encoder.state_dict().items()}
    with torch.no_grad():  # not in inference mode: by torch's own batch norm
        encoder.train()
        for norm in encoder.norms():
            norm.reset_running_stats()
        for number, rows in enumerate(mini_batches(len(few.train), 16, 1), 1):
            for norm in encoder.norms():
                norm.momentum = max(0.1, 1 / number)
            torch.testing.assert_close(train.x[rows], encoder(to_input(few.train.images[rows])), rtol=1e-3, atol=1e-3)
        for name, value in encoder.state_dict().items():  # torch's own averaging
            if not name.endswith("num_batches_tracked"):
                torch.testing.assert_close(value, averages[name], rtol=1e-4, atol=1e-5)
        encoder.eval()
        for split, images in ((validation, few.validation.images), (test, few.test.images)):
            torch.testing.assert_close(split.x, encoder(to_input(images)), rtol=1e-3, atol=1e-3)
        assert not torch.allclose(train.x[:20], encoder(to_input(few.train.images[:20])), atol=1e-3)
    assert torch.equal(train.y, few.train.labels)
    assert torch.equal(test.index, few.test.index)


def test_population_statistics_are_the_same_for_every_split(run, configure, few):
    config = configure(encoder={"batch_norm_statistics": "population"}, training={"batch_size": 16})
    encoder, train, validation, _ = run(config)
    assert not encoder.training
    with torch.inference_mode():
        for start in (0, 100):  # whatever the mini-batch, the same embedding
            rows = slice(start, start + 30)
            torch.testing.assert_close(train.x[rows], encoder(to_input(few.train.images[rows])), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(validation.x[:9], encoder(to_input(few.validation.images[:9])), rtol=1e-4, atol=1e-5)
        means = [
            encoder.layers[0][0](to_input(few.train.images[rows])).mean((0, 2, 3)) for rows in mini_batches(300, 16, 1)
        ]
    torch.testing.assert_close(encoder.norms()[0].running_mean, torch.stack(means).mean(0))


@pytest.mark.parametrize("statistics", ["batch", "population"])
def test_a_split_mini_batch_gives_the_same_embedding(run, configure, statistics):
    config = configure(encoder={"batch_norm_statistics": statistics})
    whole = run(config)
    for micro_batch in (50, 1):
        parts = run(config, micro_batch=micro_batch)
        for one, other in zip(whole[1:], parts[1:], strict=True):
            torch.testing.assert_close(one.x, other.x, rtol=1e-3, atol=1e-3)
        for name, value in whole[0].state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            torch.testing.assert_close(value, parts[0].state_dict()[name], rtol=1e-4, atol=1e-5)


def test_without_batch_norm_every_sample_stands_alone(run, configure):
    config = configure(encoder={"batch_norm": 0})
    encoder, train, *_ = run(config)
    assert not encoder.norms()
    torch.testing.assert_close(run(config, micro_batch=7, seed=2)[1].x, train.x, rtol=1e-4, atol=1e-5)


def test_overflow_is_an_error_of_this_architecture(run, configure, monkeypatch):
    monkeypatch.setattr(Encoder, "forward", lambda self, x: self.layers(x).flatten(1) * float("inf"))
    with pytest.raises(EvaluationError, match="not finite"):
        run(configure())


def test_repeating_a_recorded_mini_batch_changes_nothing(run, configure, monkeypatch):
    """What a GPU records, run as it is: the same tensors are read and written every time, and no row is lost."""
    config = configure(training={"batch_size": 16})
    plain, worked = run(config), []

    def again(work):
        return lambda: worked.append(work())

    monkeypatch.setattr(embedding, "recorded", again)
    monkeypatch.setattr(
        embedding,
        "in_train_mode",
        lambda encoder, *rest: embedding._on_gpu(embedding.replica(encoder), *rest[:-1]),
    )
    for one, other in zip(plain[1:], run(config)[1:], strict=True):
        assert torch.equal(one.x, other.x)
    assert len(worked) == 300 // 16 - 1  # not the first one, nor the shorter last one
    seen = []
    looks = [embedding.Look(images, lambda split: seen.append(len(split.y))) for images in (50, 60)]
    for one, other in zip(plain[1:], run(config, looks=looks)[1:], strict=True):
        assert torch.equal(one.x, other.x)
    assert seen == [64, 64]  # both after the same mini-batch


def test_on_a_cpu_tf32_is_float32(run, configure):
    exact, fast = (run(configure(encoder={"precision": precision})) for precision in ("float32", "tf32"))
    for one, other in zip(exact[1:], fast[1:], strict=True):
        assert torch.equal(one.x, other.x)


@pytest.mark.parametrize("statistics", ["batch", "population"])
def test_bfloat16_rounds_and_no_more(run, configure, statistics):
    exact, rounded, split = (
        run(configure(encoder={"precision": precision, "batch_norm_statistics": statistics}), micro_batch)
        for precision, micro_batch in (("float32", 128), ("bfloat16", 128), ("bfloat16", 50))
    )
    assert rounded[0].norms()[0].running_var.dtype == torch.float32
    for one, other, parts in zip(exact[1:], rounded[1:], split[1:], strict=True):
        assert other.x.dtype == torch.bfloat16
        assert not torch.equal(one.x, other.x.float())
        for close in (other, parts):
            assert (close.x - one.x).norm() < 0.03 * one.x.norm()
