"""A convolution of an untrained encoder: direct, or by Fourier transform where the run's table says so."""

from collections.abc import Mapping

from torch import Tensor, nn

from nasd.config import EncoderConfig
from nasd.evaluators.networks import fft

Table = Mapping[int, Mapping[int, int]]
"""By side of the window and side of the image: how many channels there are at least where a transform is faster."""

DIRECT: Table = {}
ALWAYS: Table = {2: {1: 1}}


def table(config: EncoderConfig) -> Table:
    """Of a run. What is still to be measured is direct."""
    if isinstance(config.convolution, str):
        return ALWAYS if config.convolution == "fft" else DIRECT
    return config.convolution


def by_fft(table: Table, kernel: int, stride: int, side: int, inputs: int, outputs: int) -> bool:
    """Whether a convolution is computed by Fourier transform: a function of its shape, never of time or memory.

    The next smaller window and image of the table count, as larger ones only gain more. A stride s leaves a direct
    convolution as much work for each place as a window s times smaller. Transforms take time in proportion to
    inputs + outputs, products in proportion to inputs x outputs: what decides is their quotient, the harmonic mean.
    """
    kernels = [one for one in table if one <= kernel // stride]
    sides = table[max(kernels)] if kernels else {}
    smaller = [one for one in sides if one <= side]
    return bool(smaller) and 2 * inputs * outputs >= sides[max(smaller)] * (inputs + outputs)


class Convolution(nn.Conv2d):
    """A convolution without bias whose weights are not trained if there is a table."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, padding: int, table: Table) -> None:
        super().__init__(inputs, outputs, size, stride=stride, padding=padding, bias=False)
        self._shape = (size, stride, padding)
        self._table = table

    def forward(self, input: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H', W')."""
        size, stride, padding = self._shape
        _, inputs, height, width = input.shape
        if height == width and by_fft(self._table, size, stride, height, inputs, self.out_channels):
            return fft.conv2d(input, self.weight, stride, padding)
        return super().forward(input)
