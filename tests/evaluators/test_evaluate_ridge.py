import pytest
import torch

from nasd.evaluators.deep_prior import ridge
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.deep_prior.ridge import (
    PENALTY,
    leave_one_out_accuracies,
    leave_one_out_bytes,
    ridge_accuracies,
    ridge_bytes,
)
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.memory import PeakMemory


def split(x, y):
    return EmbeddedSplit(x, y, torch.arange(len(y)))


@pytest.fixture
def made():
    """Blobs of three classes, far from the origin; more values than samples, or fewer."""

    def make(samples, values, spread=1.5):
        draw = torch.Generator().manual_seed(samples)
        y = torch.randint(0, 3, (samples + 400,), generator=draw)
        centres = torch.randn(3, values, generator=torch.Generator().manual_seed(values))
        x = 50 + centres[y] + spread * values**0.5 / 3 * torch.randn(len(y), values, generator=draw)
        return split(x[:samples], y[:samples]), split(x[samples:], y[samples:])

    return make


def plainly(train, validation):
    """The same from the normal equations in float64."""
    x, t = train.x.double(), torch.nn.functional.one_hot(train.y, 3).double()
    mean, offset = x.mean(0), t.mean(0)
    x, t = x - mean, t - offset
    if x.shape[0] < x.shape[1]:
        kernel = x @ x.t()
        weight = x.t() @ torch.linalg.solve(kernel + PENALTY * kernel.diagonal().mean() * torch.eye(len(kernel)), t)
    else:
        gram = x.t() @ x
        weight = torch.linalg.solve(gram + PENALTY * gram.diagonal().mean() * torch.eye(len(gram)), x.t() @ t)
    logits = (validation.x.double() - mean) @ weight + offset
    return float((logits.argmax(1) == validation.y).double().mean())


@pytest.mark.parametrize(("samples", "values"), [(2500, 40), (60, 200), (100, 100)])
def test_it_is_the_normal_equations_solution(made, samples, values):
    train, validation = made(samples, values)
    fitted, validated = ridge_accuracies(train, validation, 3, samples, 1)
    assert validated == pytest.approx(plainly(train, validation), abs=0.006)
    assert 0.4 < validated <= fitted + 0.1


def test_bfloat16_embeddings(made):
    train, validation = made(500, 30)
    half = [split(one.x.bfloat16(), one.y) for one in (train, validation)]
    assert ridge_accuracies(*half, 3, 500, 1)[1] == pytest.approx(
        ridge_accuracies(train, validation, 3, 500, 1)[1], abs=0.05
    )


def test_samples_are_drawn_by_the_seed(made):
    train, validation = made(600, 50)
    one, same, other = (ridge_accuracies(train, validation, 3, 40, seed) for seed in (1, 1, 2))
    assert one == same != other
    assert ridge_accuracies(train, validation, 3, 600, 1) == ridge_accuracies(train, validation, 3, 10_000, 2)


@pytest.mark.parametrize(("samples", "values"), [(2000, 300), (1000, 1500)])
def test_any_number_of_threads_finds_the_same_bits(made, samples, values, monkeypatch):
    solved, plain = [], ridge._solve
    monkeypatch.setattr(ridge, "_solve", lambda *given: solved.append(plain(*given)) or solved[-1])
    train, validation = made(samples, values)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            ridge_accuracies(train, validation, 3, samples, 1)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(solved[0], other) for other in solved[1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("samples", "values", "looked_at"),
    [(1500, 2000, 2000), (1500, 2000, 1200), (600, 4000, 600), (3000, 700, 3000), (3000, 700, 1100), (990, 980, 990)],
)
def test_its_memory_is_known_before(made, samples, values, looked_at, dtype):
    train, validation = (split(one.x.to(dtype), one.y) for one in made(samples, values))
    with torch.inference_mode(), PeakMemory() as memory:
        ridge_accuracies(train, validation, 3, looked_at, 1)
    predicted = ridge_bytes(samples, len(validation.y), values, dtype.itemsize, looked_at)
    assert predicted == pytest.approx(memory.peak, rel=0.03)


def one_by_one(made):
    """Each sample told by the normal equations of all others, with the penalty of all."""
    x, t = made.x.double(), torch.nn.functional.one_hot(made.y, 3).double()
    penalty = PENALTY * (x - x.mean(0)).square().sum() / min(x.shape)
    right = 0
    for sample in range(len(x)):
        others = torch.arange(len(x)) != sample
        mean, offset = x[others].mean(0), t[others].mean(0)
        centred = x[others] - mean
        weight = centred.t() @ torch.linalg.solve(
            centred @ centred.t() + penalty * torch.eye(len(centred)), t[others] - offset
        )
        right += int(((x[sample] - mean) @ weight + offset).argmax() == made.y[sample])
    return right / len(x)


@pytest.mark.parametrize(("samples", "values"), [(90, 20), (60, 200), (80, 80)])
def test_leaving_one_out_in_closed_form_is_leaving_each_out(made, samples, values):
    train, validation = made(samples, values)
    fitted, left_out = leave_one_out_accuracies(train.x, train.y, 3)
    assert left_out == one_by_one(train)
    assert left_out < fitted == ridge_accuracies(train, validation, 3, samples, 1)[0]


def test_leaving_one_out_foretells_images_that_were_not_fitted_to(made):
    train, validation = made(1200, 30)
    assert leave_one_out_accuracies(train.x, train.y, 3)[1] == pytest.approx(plainly(train, validation), abs=0.06)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("samples", "values"), [(1500, 2000), (600, 4000), (3000, 700), (990, 980)])
def test_the_memory_of_leaving_one_out_is_known_before(made, samples, values, dtype):
    train, _ = made(samples, values)
    x = train.x.to(dtype)
    with torch.inference_mode(), PeakMemory() as memory:
        leave_one_out_accuracies(x.clone(), train.y, 3)
    assert 0.99 < leave_one_out_bytes(samples, values, dtype.itemsize) / memory.peak < 1.2


def test_an_embedding_that_says_nothing(made):
    train, validation = made(50, 10)
    constant = split(torch.ones_like(train.x), train.y)
    assert 0 < ridge_accuracies(constant, split(torch.ones_like(validation.x), validation.y), 3, 50, 1)[1] < 0.6


def test_values_too_large_are_an_error(made):
    train, validation = made(50, 10)
    with pytest.raises(EvaluationError, match="too large"):
        ridge_accuracies(split(train.x * 1e37, train.y), validation, 3, 50, 1)
