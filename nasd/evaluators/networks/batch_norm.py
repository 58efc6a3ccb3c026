"""Batch norm and ReLU as one module, and ReLU alone."""

from torch import Tensor, nn
from torch.nn import functional

from nasd.evaluators.networks import activations


class Relu(nn.Module):
    """ReLU, where there is no batch norm before it."""

    def forward(self, input: Tensor, pool: nn.Module | None = None, *, keep: bool = False) -> Tensor:
        """As that of `BatchNorm`."""
        pooled = input if pool is None else pool(input)
        return functional.relu(pooled) if keep and pool is None else functional.relu_(pooled)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation and ReLU; can be told the statistics of a mini-batch it sees only a part of."""

    def __init__(self, features: int, eps: float) -> None:
        super().__init__(features, eps=eps)
        self._given: tuple[Tensor, Tensor] | None = None

    def forward(self, input: Tensor, pool: nn.Module | None = None, *, keep: bool = False) -> Tensor:
        """Normalise (N, C, H, W), with the given statistics if any, else as torch does; ReLU; pool.

        Args:
            input: Its memory may become the result's.
            pool: Max pooling, if the weight is positive, which it is untrained. Then neither normalising nor ReLU
                changes which of two values is the larger one, and pooling may come first: the same bits, and a quarter
                of the values to normalise.
            keep: Leave the input as it is.
        """
        if not activations.fits(input):
            out = functional.relu_(self._normalised(input))
            return out if pool is None else pool(out)
        mean, variance = self._statistics(input)
        out = pool(input) if pool is not None else input.clone() if keep else input
        return activations.rectify_(out, mean, variance, self.weight, self.bias, self.eps)

    def _normalised(self, input: Tensor) -> Tensor:
        if self._given is None:
            return super().forward(input)
        mean, variance = self._given
        return functional.batch_norm(input, mean, variance, self.weight, self.bias, False, 0.0, self.eps)

    def _statistics(self, input: Tensor) -> tuple[Tensor, Tensor]:
        if self._given is not None:
            return self._given
        if not self.training and self.running_mean is not None and self.running_var is not None:
            return self.running_mean, self.running_var
        mean, variance = activations.moments(input)
        self._average_in(mean, variance, input.numel() // len(mean))
        return mean, variance

    def give(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Use the (C,) mean and biased variance of `count` values a channel, and average them in as torch would."""
        self._given = (mean, variance)
        self._average_in(mean, variance, count)

    def _average_in(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if self.running_mean is not None and self.running_var is not None and self.momentum is not None:
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)

    def forget(self) -> None:
        """Go back to the statistics of whatever comes in."""
        self._given = None
