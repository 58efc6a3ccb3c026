"""A quick look at an embedding: ridge regression on one-hot labels, in closed form.

Its accuracy ranks architectures much as the trained classifier's does (measured: docs/performance.md), at the price of
one matrix product and one factorisation.
"""

import torch
from torch import Tensor
from torch.nn import functional

from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.seeding import generator
from nasd.evaluators.threads import one_thread_each

# Of the mean eigenvalue of what is factorised: the mean variance of a value times the larger of N and D. Values of an
# embedding hang together, so that with less the fit is at its worst where there are as many values as samples; from 0.3
# to 1 the ranking is as good as it gets (docs/performance.md).
PENALTY = 0.3
FLOAT = 4  # bytes
CHUNK = 1024  # rows whose products are added up at a time


@torch.inference_mode()
@one_thread_each()
def ridge_accuracies(
    train: EmbeddedSplit,
    validation: EmbeddedSplit,
    num_classes: int,
    samples: int,
    seed: int,
    penalty: float = PENALTY,
) -> tuple[float, float]:
    """Fit a linear classifier by ridge regression (Hoerl and Kennard 1970).

    Of the two equal forms of the solution the one with the smaller matrix is taken: values by values, or samples by
    samples. Products are added up in float32 chunk by chunk, the factorisation is in float64. On one thread: the bits
    of both depend on how many share them.

    Args:
        train: (N, D).
        validation: (M, D), on the same device.
        num_classes: C.
        samples: Rows of the training split to fit to, drawn once per seed; all if there are fewer.
        seed: The trial's.
        penalty: As a share, see `PENALTY`.

    Returns:
        Accuracy on the samples fitted to and on the validation split, fractions.

    Raises:
        EvaluationError: The matrix cannot be factorised: the embedding's values are too large.
    """
    if samples < len(train.y):
        rows = torch.randperm(len(train.y), generator=generator(seed, "screening"))[:samples].sort().values
        rows = rows.to(train.y.device)
        x, y = train.x[rows].float(), train.y[rows]
    else:
        x, y = train.x.float(), train.y
    mean = x.mean(0)
    targets = functional.one_hot(y, num_classes).double()
    offset = targets.mean(0)
    targets -= offset
    if len(x) < x.shape[1]:
        weights = _times(x, mean, _solve(_outer(x, mean), targets, penalty))
    else:
        weights = _solve(_inner(x, mean), _times(x, mean, targets), penalty)
    weight, bias = weights.float(), (offset - mean.double() @ weights).float()
    fitted, validated = (
        float((torch.addmm(bias, split.float(), weight).argmax(1) == labels).double().mean())
        for split, labels in ((x, y), (validation.x, validation.y))
    )
    return fitted, validated


@torch.inference_mode()
@one_thread_each()
def leave_one_out_accuracies(x: Tensor, y: Tensor, num_classes: int, penalty: float = PENALTY) -> tuple[float, float]:
    """Fit the same ridge regression, and judge it on each sample as if it had been fitted to all others.

    In closed form (PRESS: Allen 1974): the prediction for a sample without itself is its own prediction minus its
    residual times h / (1 - h), where h is the sample's leverage. So no image is needed but those that were fitted to.

    Args:
        x: (N, D), N at least 2.
        y: (N,) labels, on the same device.
        num_classes: C.
        penalty: As a share, see `PENALTY`.

    Returns:
        Accuracy on the samples as fitted, and as left out, fractions.

    Raises:
        EvaluationError: The matrix cannot be factorised: the embedding's values are too large.
    """
    x = x.float()
    mean = x.mean(0)
    targets = functional.one_hot(y, num_classes).double()
    offset = targets.mean(0)
    if len(x) < x.shape[1]:  # K (K + p)^-1 = 1 - p (K + p)^-1
        products = _outer(x, mean)
        added = _penalty(products, penalty)
        factor = _factor(products, penalty)
        smoothed = targets - offset - added * torch.cholesky_solve(targets - offset, factor)
        leverages = 1 - added * torch.cholesky_inverse(factor).diagonal()
    else:
        factor = _factor(_inner(x, mean), penalty)
        weights = torch.cholesky_solve(_times(x, mean, targets - offset), factor)
        parts = [
            (centred @ weights, torch.linalg.solve_triangular(factor, centred.t(), upper=False).square().sum(0))
            for centred in ((chunk - mean).double() for chunk in torch.split(x, CHUNK))
        ]
        smoothed, leverages = torch.cat([part for part, _ in parts]), torch.cat([part for _, part in parts])
    leverages = (leverages + 1 / len(x)).clamp(max=1 - 1e-9)[:, None]  # the offset is fitted to it, too
    left_out = (smoothed + offset - leverages * targets) / (1 - leverages)
    return _accuracy(smoothed + offset, y), _accuracy(left_out, y)


def leave_one_out_bytes(samples: int, values: int, itemsize: int) -> int:
    """What `leave_one_out_accuracies` takes at most, its (N, D) copy of the embeddings included.

    Args:
        samples: N.
        values: D.
        itemsize: Bytes of a value.
    """
    chunk = min(CHUNK, samples)
    copies = (itemsize + (FLOAT if itemsize < FLOAT else 0)) * samples * values
    if samples < values:
        products = FLOAT * (2 * samples**2 + samples * values + chunk * (values + 3 * samples))
        return copies + max(products, 2 * FLOAT * 3 * samples**2, 3 * FLOAT * chunk * values)
    products = FLOAT * (3 * values**2 + 2 * chunk * values)
    leverages = FLOAT * (2 * values**2 + 7 * chunk * values)
    return copies + max(products, 2 * FLOAT * 2 * values**2, leverages)


def _accuracy(predicted: Tensor, labels: Tensor) -> float:
    return float((predicted.argmax(1) == labels).double().mean())


def ridge_bytes(rows: int, validation_rows: int, values: int, itemsize: int, samples: int) -> int:
    """What `ridge_accuracies` takes at most besides the embeddings.

    Args:
        rows: N.
        validation_rows: M.
        values: D.
        itemsize: Bytes of a value.
        samples: As there.
    """
    n, part = min(samples, rows), min(samples, rows, CHUNK)
    widened, side = itemsize < FLOAT, min(n, values)  # of the matrix
    x = FLOAT * n * values if widened or n < rows else 0
    gathered = itemsize * n * values if widened and n < rows else 0
    if n < values:
        products = FLOAT * (n * values + part * max(values + n, 3 * n))
    else:
        products = FLOAT * (part * values + max(part * values, values**2))
    times = 3 * FLOAT * part * values  # of the chunk, and in float64; beside the matrix if that is of values
    solving = 2 * FLOAT * side**2 + max(products, 2 * FLOAT * side**2, times if n >= values else 0)
    return x + max(gathered, solving, times, FLOAT * validation_rows * values if widened else 0)


def _solve(products: Tensor, right: Tensor, penalty: float) -> Tensor:
    """(products + penalty)^-1 right, of a symmetric matrix, which is overwritten."""
    return torch.cholesky_solve(right, _factor(products, penalty))


def _penalty(products: Tensor, penalty: float) -> Tensor:
    return penalty * products.diagonal().mean() + torch.finfo(torch.float64).tiny


def _factor(products: Tensor, penalty: float) -> Tensor:
    """The lower Cholesky factor of a symmetric matrix plus the penalty; the matrix is overwritten."""
    products.diagonal().add_(_penalty(products, penalty))
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(products)
    if bool(failed) or not bool(factor.diagonal().isfinite().all()):  # what is not finite in a row reaches its end
        raise EvaluationError("The embedding cannot be screened: its values are too large for a ridge regression.")
    return factor


def _inner(x: Tensor, mean: Tensor) -> Tensor:
    """(D, D) float64: the products of centred values, summed over samples."""
    total = torch.zeros((x.shape[1], x.shape[1]), dtype=torch.float64, device=x.device)
    for chunk in torch.split(x, CHUNK):
        centred = chunk - mean
        total += centred.t() @ centred
    return total


def _outer(x: Tensor, mean: Tensor) -> Tensor:
    """(N, N) float64: the products of centred samples."""
    total = torch.empty((len(x), len(x)), dtype=torch.float64, device=x.device)
    centred = x - mean
    for rows in torch.split(torch.arange(len(x), device=x.device), CHUNK):
        total[rows] = (centred[rows] @ centred.t()).double()
    return total


def _times(x: Tensor, mean: Tensor, right: Tensor) -> Tensor:
    """(D, C) float64: centred values times targets, summed over samples."""
    total = torch.zeros((x.shape[1], right.shape[1]), dtype=torch.float64, device=x.device)
    for chunk, part in zip(torch.split(x, CHUNK), torch.split(right, CHUNK), strict=True):
        total += (chunk - mean).double().t() @ part
    return total
