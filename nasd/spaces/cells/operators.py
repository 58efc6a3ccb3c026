"""What the operators of a cell are made of: pooling and convolutions, whose weights and work are known without torch.

An operator is the pooling, if any, and then units of ReLU, convolutions, batch norm (PNAS, arXiv 1712.00559, section
3.1; the order of ReLU and convolution as in the NASNet family, arXiv 1707.07012). Separable convolutions come twice.
All are padded, so that a stride of s makes n pixels `ceil(n / s)`. No biases.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution. Pairs are (height, width)."""

    inputs: int
    outputs: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: int = 1
    groups: int = 1

    @property
    def padding(self) -> tuple[int, int]:
        """Keeps the size where the stride is 1."""
        height, width = self.kernel
        return self.dilation * (height - 1) // 2, self.dilation * (width - 1) // 2

    @property
    def parameters(self) -> int:
        """Weights."""
        return self.outputs * (self.inputs // self.groups) * self.kernel[0] * self.kernel[1]

    def out_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the output for an input of this (height, width)."""
        return -(-size[0] // self.stride[0]), -(-size[1] // self.stride[1])


Unit = tuple[Conv, ...]
"""ReLU, these convolutions, batch norm."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator for given numbers of channels."""

    kind: str  # for pictures, such as separable_conv
    units: tuple[Unit, ...] = ()
    pool: Literal["avg", "max"] | None = None  # 3x3, before the units
    stride: int = 1  # of the pooling

    @property
    def parameters(self) -> int:
        """Weights; batch norm is not counted."""
        return sum(conv.parameters for unit in self.units for conv in unit)

    def multiply_adds(self, size: int) -> int:
        """For one image of `size` pixels a side; those of pooling, sums and batch norm are not counted."""
        at = (size, size)
        if self.pool is not None:
            at = -(-size // self.stride), -(-size // self.stride)
        total = 0
        for unit in self.units:
            for conv in unit:
                at = conv.out_size(at)
                total += conv.parameters * at[0] * at[1]
        return total


def operation(operator: str, inputs: int, outputs: int, stride: int = 1) -> Operation:
    """An operator of `OPERATORS` that makes `outputs` channels of `inputs`."""
    match operator:
        case "id":
            units = () if stride == 1 and inputs == outputs else (_pointwise(inputs, outputs, stride),)
            return Operation("identity", units)
        case "sep3x3" | "sep5x5" | "sep7x7":
            size = int(operator[-1])
            return Operation(
                "separable_conv", (_separable(inputs, outputs, size, stride), _separable(outputs, outputs, size, 1))
            )
        case "conv1x7-7x1":
            row = Conv(inputs, outputs, (1, 7), (1, stride))
            return Operation("factorised_conv", ((row, Conv(outputs, outputs, (7, 1), (stride, 1))),))
        case "avg3x3" | "max3x3":
            units = () if inputs == outputs else (_pointwise(inputs, outputs, 1),)
            pool: Literal["avg", "max"] = "avg" if operator == "avg3x3" else "max"
            return Operation(f"{pool}_pool", units, pool, stride)
        case "dil3x3":
            return Operation("dilated_conv", ((Conv(inputs, outputs, (3, 3), (stride, stride), dilation=2),),))
        case "conv3x3":
            return Operation("conv", ((Conv(inputs, outputs, (3, 3), (stride, stride)),),))
        case _:
            raise ValueError(f"{operator} is no operator of a cell")


def _pointwise(inputs: int, outputs: int, stride: int) -> Unit:
    return (Conv(inputs, outputs, stride=(stride, stride)),)


def _separable(inputs: int, outputs: int, size: int, stride: int) -> Unit:
    return Conv(inputs, inputs, (size, size), (stride, stride), groups=inputs), Conv(inputs, outputs)
