"""A convolution of an untrained encoder: direct, or by Fourier transform where the run's table says so."""

import torch
from torch import Tensor, nn

from nasd.config import EncoderConfig, FftConfig
from nasd.evaluators.networks import fft

Table = tuple[FftConfig, ...]
"""Where a transform is faster."""

DIRECT: Table = ()
ALWAYS: Table = (FftConfig(kernel=2, side=1, channels=1),)


def table(config: EncoderConfig) -> Table:
    """Of a run. What is still to be measured is direct."""
    if isinstance(config.convolution, str):
        return ALWAYS if config.convolution == "fft" else DIRECT
    return config.convolution


def by_fft(table: Table, kernel: int, stride: int, side: int, inputs: int, outputs: int) -> bool:
    """Whether a convolution is computed by Fourier transform: a function of its shape, never of time or memory.

    The entry of the next smaller window and image counts, as larger ones only gain more. A stride s leaves a direct
    convolution as much work for each place as a window s times smaller. Transforms take time in proportion to
    inputs + outputs, products in proportion to inputs x outputs: what decides is their quotient, the harmonic mean.
    """
    fitting = [entry for entry in table if entry.kernel <= kernel // stride]
    largest = max((entry.kernel for entry in fitting), default=0)
    fitting = [entry for entry in fitting if entry.kernel == largest and entry.side <= side]
    least = max(fitting, key=lambda entry: entry.side, default=None)
    return least is not None and 2 * inputs * outputs >= least.channels * (inputs + outputs)


class Convolution(nn.Conv2d):
    """A convolution without bias whose weights are not trained if there is a table."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, padding: int, table: Table) -> None:
        super().__init__(inputs, outputs, size, stride=stride, padding=padding, bias=False)
        self._shape = (size, stride, padding)
        self._table = table

    def transforms(self, height: int, width: int) -> bool:
        """Whether images of this size are convolved by Fourier transform."""
        size, stride, _ = self._shape
        return height == width and by_fft(self._table, size, stride, height, self.in_channels, self.out_channels)

    def forward(self, input: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H', W')."""
        _, stride, padding = self._shape
        if self.transforms(*input.shape[2:]) and not torch.compiler.is_exporting():  # a program for others is direct
            return fft.conv2d(input, self.weight, stride, padding)
        return super().forward(input)
