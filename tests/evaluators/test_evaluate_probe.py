import pytest
import torch

from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.deep_prior.probe import (
    Classifier,
    initial_weight,
    train_classifier,
    train_classifiers,
)
from nasd.evaluators.deep_prior.probe_cpu import BLOCK, CpuSteps
from nasd.evaluators.deep_prior.probe_gpu import GpuSteps
from nasd.evaluators.deep_prior.probe_steps import Start
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.reward import recent_mean
from nasd.evaluators.seeding import generator


@pytest.fixture(scope="module")
def splits():
    """Three classes that a linear classifier tells apart in part."""
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(0, 3, (300,), generator=draw)
    x = torch.randn(300, 20, generator=draw)
    x[:, :3] += torch.nn.functional.one_hot(y, 3)
    whole = EmbeddedSplit(x, y, torch.arange(300))
    return whole, EmbeddedSplit(x[:50], y[:50], torch.arange(50)), EmbeddedSplit(x[50:], y[50:], torch.arange(250))


def by_autograd(train, validation, num_classes, config, seed):
    """The same training with torch's modules; yields the weight and both accuracies after each epoch."""
    linear = torch.nn.Linear(train.x.shape[1], num_classes, bias=False)
    linear.weight.data.copy_(initial_weight(num_classes, train.x.shape[1], seed))
    adam = torch.optim.Adam(linear.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    shuffles = generator(seed, "shuffles")
    for _ in range(config.epochs):
        hits = 0
        for rows in torch.randperm(len(train.y), generator=shuffles).split(config.batch_size):
            adam.zero_grad()
            logits = linear(train.x[rows])
            hits += (logits.argmax(1) == train.y[rows]).sum().item()
            torch.nn.functional.cross_entropy(logits, train.y[rows]).backward()
            adam.step()
        valid = (linear(validation.x).argmax(1) == validation.y).float().mean().item()
        yield linear.weight.detach(), hits / len(train.y), valid


KINDS = pytest.mark.parametrize("kind", [CpuSteps, GpuSteps])


@KINDS
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("batch_size", [64, 97, 1000])  # the last mini-batch: of 44, of 9, the only one
def test_every_step_is_that_of_autograd_and_torchs_adam(splits, configure, kind, weight_decay, batch_size):
    train, validation, _ = splits
    config = configure(training={"epochs": 4, "batch_size": batch_size, "weight_decay": weight_decay}).training
    training = kind(Start(train, validation, 3, config, initial_weight(3, 20, 1), [config.learning_rate]))
    shuffles = generator(1, "shuffles")
    for weight, trained, validated in by_autograd(train, validation, 3, config, 1):
        with torch.no_grad():
            training.epoch(torch.randperm(300, generator=shuffles))
        torch.testing.assert_close(training.weight, weight, rtol=1e-5, atol=1e-6)
        finite, hits, valid = training.result.tolist()
        assert finite
        assert (hits / 300, valid / 50) == pytest.approx((trained, validated))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("num_classes", [2, 5, 7, 10])
@pytest.mark.parametrize("values", [1, 15, BLOCK, BLOCK + 17])
def test_both_kinds_of_steps_are_the_same_whatever_the_shape(configure, values, num_classes, dtype):
    """Tiles and blocks that are not full, one class or value too many."""
    draw = torch.Generator().manual_seed(values)
    x, y = torch.randn((90, values), generator=draw).to(dtype), torch.randint(num_classes, (90,), generator=draw)
    train, validation = (EmbeddedSplit(x[part], y[part], y[part]) for part in (slice(0, 67), slice(67, 90)))
    config = configure(training={"batch_size": 32}).training
    weight = torch.cat([initial_weight(num_classes, values, seed) for seed in (1, 2)])
    start = Start(train, validation, num_classes, config, weight, [1e-3, 1e-2])
    steps = [kind(start) for kind in (CpuSteps, GpuSteps)]
    for _ in range(2):
        order = torch.randperm(67, generator=draw)
        for one in steps:
            one.epoch(order)
    ours, theirs = (one.weight - weight for one in steps)
    assert (ours - theirs).norm() <= (1e-4 if dtype == torch.float32 else 0.15) * theirs.norm()
    assert steps[0].result[0] == 1
    assert (steps[0].result - steps[1].result).abs().max() <= (0 if dtype == torch.float32 else 4)


@KINDS
def test_logits_far_beyond_what_exp_takes(splits, configure, kind):
    train, validation, _ = splits
    config = configure().training
    weight = 1000 * initial_weight(3, 20, 1)
    training, linear = kind(Start(train, validation, 3, config, weight, [1e-3])), torch.nn.Linear(20, 3, bias=False)
    linear.weight.data.copy_(weight)
    adam, order = torch.optim.Adam(linear.parameters(), 1e-3), torch.arange(300)
    for rows in order.split(config.batch_size):
        adam.zero_grad()
        logits = linear(train.x[rows])
        assert logits.max() > 200
        torch.nn.functional.cross_entropy(logits, train.y[rows]).backward()
        adam.step()
    with torch.no_grad():
        training.epoch(order)
    torch.testing.assert_close(training.weight, linear.weight.detach(), rtol=1e-5, atol=1e-4)
    assert training.result[0] == 1


@KINDS
def test_bfloat16_embeddings_train_float32_weights(splits, configure, kind):
    """After many small steps the weights are still close to those of unrounded embeddings."""
    config = configure(training={"epochs": 30}).training
    half = [EmbeddedSplit(split.x.bfloat16(), split.y, split.index) for split in splits]
    exact, rounded = (kind(Start(*some[:2], 3, config, initial_weight(3, 20, 1), [1e-4])) for some in (splits, half))
    shuffles = generator(1, "shuffles")
    with torch.no_grad():
        for _ in range(30):
            order = torch.randperm(300, generator=shuffles)
            exact.epoch(order)
            rounded.epoch(order)
    assert rounded.weight.dtype == torch.float32
    moved = (exact.weight - initial_weight(3, 20, 1)).norm()
    assert (exact.weight - rounded.weight).norm() < 0.1 * moved


@KINDS
@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_logits_that_are_not_finite_are_told(configure, kind, bad):
    x, y = torch.ones(9, 3), torch.arange(9) % 2
    config = configure().training
    for last in (1.0, bad):
        x[8, 1] = last
        split = EmbeddedSplit(x, y, y)
        assert kind(Start(split, split, 2, config, initial_weight(2, 3, 1), [1e-3])).hits(split)[0] == (last == 1.0)


def test_the_accuracies_are_those_of_plain_softmax_regression(splits, configure):
    train, validation, test = splits
    config = configure(training={"epochs": 6, "learning_rate": 0.01}).training
    told = []
    ours = train_classifier(train, validation, test, 3, config, 1, lambda *epoch: told.append(epoch))
    *_, (weight, _, _) = by_autograd(train, validation, 3, config, 1)
    expected = [tuple(pair) for _, *pair in by_autograd(train, validation, 3, config, 1)]
    for ours_and_theirs in zip(
        zip(ours.train_accuracies, ours.validation_accuracies, strict=True), expected, strict=True
    ):
        assert ours_and_theirs[0] == pytest.approx(ours_and_theirs[1])
    assert ours.test_accuracy == pytest.approx(((test.x @ weight.T).argmax(1) == test.y).float().mean().item())
    assert told == [
        (n, *pair) for n, pair in enumerate(zip(ours.train_accuracies, ours.validation_accuracies, strict=True), 1)
    ]


def test_several_together_are_what_each_is_alone(splits, configure):
    config = configure(training={"epochs": 5}).training
    classifiers = [Classifier(1, 0.001), Classifier(2, 0.001), Classifier(1, 0.1)]
    together = train_classifiers(*splits, 3, config, 7, classifiers, lambda *_: None)
    for classifier, trained in zip(classifiers, together, strict=True):
        assert [trained] == train_classifiers(*splits, 3, config, 7, [classifier], lambda *_: None)
    assert len({trained.test_accuracy for trained in together}) > 1


def test_one_that_stops_early_does_not_stop_the_others(splits, configure):
    train, validation, test = splits
    classifiers = [Classifier(1, 0.01), Classifier(1, 1e-9)]
    config = configure(training={"epochs": 20, "early_stopping_epoch": 10, "early_stopping_thresh": 0.0}).training
    told = []
    good, bad = train_classifiers(*splits, 3, config, 1, classifiers, lambda *epoch: told.append(epoch))
    between = (recent_mean(good.validation_accuracies[:10]) + recent_mean(bad.validation_accuracies[:10])) / 2
    config = config.model_copy(update={"early_stopping_thresh": between})
    again, stopped = train_classifiers(train, validation, test, 3, config, 1, classifiers, lambda *_: None)
    assert again == good
    assert len(told) == 20
    assert stopped.test_accuracy is None
    assert stopped.validation_accuracies == bad.validation_accuracies[:10]
    config = config.model_copy(update={"early_stopping_thresh": 1.0})
    told.clear()
    assert all(
        one.test_accuracy is None
        for one in train_classifiers(*splits, 3, config, 1, classifiers, lambda *epoch: told.append(epoch))
    )
    assert len(told) == 10


def test_a_classifier_that_diverges_is_an_error(configure):
    x, y = torch.full((10, 4), 1e3), torch.arange(10) % 2
    split = EmbeddedSplit(x, y, torch.arange(10))
    config = configure(training={"learning_rate": 1e37}).training
    with pytest.raises(EvaluationError, match="diverged"):
        train_classifier(split, split, split, 2, config, 1, lambda *_: None)
