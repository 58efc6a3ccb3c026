"""Binary layers: inputs and weights of one bit (BMXNet's layers; XNOR-Net, arXiv 1603.05279; Bi-Real net, 1808.00278).

Everything is computed with floats that are -1 or +1: the results are those of binary kernels, the speed is not.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from nasd.spaces.supernet.layers import Conv

Scaling = Literal["none", "xnor", "bi_real"]


def sign(x: Tensor) -> Tensor:
    """-1 or +1; 0 counts as positive."""
    return torch.where(x < 0, -1.0, 1.0).to(x.dtype)


class _Sign(torch.autograd.Function):
    """Passes the gradient straight through, except where the input is larger than `cancel`."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, cancel: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.cancel = cancel  # type: ignore[attr-defined]
        return sign(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradients[0] * (x.abs() <= ctx.cancel), None  # type: ignore[attr-defined]


class _ApproximatedSign(torch.autograd.Function):
    """The gradient of a piecewise quadratic approximation: 2 - 2|x| within [-1, 1] (Bi-Real net, equation 4)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        cancelled: Tensor = gradients[0] * (2 - 2 * x.abs()).clamp_(min=0)
        return cancelled


class _SignOfWeights(torch.autograd.Function):
    """Passes the gradient straight through, whatever the weight."""

    @staticmethod
    def forward(_ctx: torch.autograd.function.FunctionCtx, weight: Tensor) -> Tensor:
        return sign(weight)

    @staticmethod
    def backward(_ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> Tensor:
        return gradients[0]


def sign_ste(x: Tensor, cancel: float = 1.0) -> Tensor:
    """The sign of activations; the gradient is 0 where `|x| > cancel`."""
    out: Tensor = _Sign.apply(x, cancel)  # type: ignore[no-untyped-call]
    return out


def approx_sign(x: Tensor) -> Tensor:
    """The sign of activations, with Bi-Real net's gradient."""
    out: Tensor = _ApproximatedSign.apply(x)  # type: ignore[no-untyped-call]
    return out


def sign_of_weights(weight: Tensor) -> Tensor:
    """The sign of weights, with the gradient of the identity."""
    out: Tensor = _SignOfWeights.apply(weight)  # type: ignore[no-untyped-call]
    return out


def binary_conv(signs: Tensor, weight: Tensor, conv: Conv, scaling: Scaling = "none") -> Tensor:
    """Convolve signs with the signs of weights, padded with -1.

    Args:
        signs: (N, inputs, H, W), of -1 and +1.
        weight: (outputs, inputs / groups, kernel, kernel), of any values.
        conv: Stride and groups.
        scaling: none: what counts is how many signs are equal. Else the sum times the mean size of the weights of each
            output: as XNOR-Net, without a gradient of its own, or as Bi-Real net, with it.

    Returns:
        (N, outputs, H', W'): (sum + values per output) / 2, or the scaled sum.
    """
    pad = conv.kernel // 2
    padded = functional.pad(signs, (pad, pad, pad, pad), value=-1.0) if pad else signs
    total = functional.conv2d(padded, sign_of_weights(weight), stride=conv.stride, groups=conv.groups)
    if scaling == "none":
        return (total + conv.values) / 2
    scale = weight.abs().mean(dim=(1, 2, 3))
    if scaling == "xnor":
        scale = scale.detach()
    return total * scale[:, None, None]
