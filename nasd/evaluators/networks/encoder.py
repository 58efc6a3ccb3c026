"""The encoder: an architecture's convolutional part as a torch module (DP-NAS, arXiv 2104.06788)."""

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasd.config import EncoderConfig
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.networks import activations
from nasd.evaluators.networks.batch_norm import BatchNorm, Relu
from nasd.evaluators.networks.cells import CellStack
from nasd.evaluators.networks.convolution import DIRECT, Convolution, Table, table
from nasd.evaluators.threads import one_thread_each
from nasd.spaces.cells import Cell
from nasd.spaces.layers import Architecture, State

Buildable = Architecture | Cell
"""Architectures that there are modules for."""


@one_thread_each()  # the bits of a factorisation depend on how many share it
def _orthogonal(weight: Tensor, g: torch.Generator) -> Tensor:
    return nn.init.orthogonal_(weight, generator=g)


INITS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "kaiming-normal": lambda weight, g: nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=g),
    "kaiming-uniform": lambda weight, g: nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=g),
    "xavier-normal": lambda weight, g: nn.init.xavier_normal_(weight, generator=g),
    "xavier-uniform": lambda weight, g: nn.init.xavier_uniform_(weight, generator=g),
    "orthogonal": _orthogonal,
}


def _norm(features: int, eps: float) -> nn.Module:
    return BatchNorm(features, eps) if eps > 0 else Relu()


class ConvBlock(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, state: State, eps: float, table: Table = DIRECT) -> None:
        super().__init__(
            Convolution(inputs, state.filter_depth, state.filter_size, state.stride, state.padding, table),
            _norm(state.filter_depth, eps),
        )

    def forward(self, input: Tensor, pool: nn.Module | None = None) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H', W'), max pooled if `pool` is given."""
        conv, norm = self
        out: Tensor = norm(conv(input), pool)
        return out


class MaxPool(nn.MaxPool2d):
    """Max pooling without padding."""

    def __init__(self, size: int, stride: int) -> None:
        super().__init__(size, stride)
        self._window = (size, stride)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H', W')."""
        return activations.max_pool(input, *self._window)


class WideResidualBlock(nn.Module):
    """Pre-activation block (arXiv 1603.05027) as DP-NAS builds it.

    BN-ReLU-conv3x3-BN-ReLU-conv3x3 plus the input; where the number of channels changes, plus a 1x1 convolution of the
    pre-activated input instead.
    """

    def __init__(self, inputs: int, outputs: int, eps: float, table: Table = DIRECT) -> None:
        super().__init__()
        self.norm1 = _norm(inputs, eps)
        self.conv1 = Convolution(inputs, outputs, 3, 1, 1, table)
        self.norm2 = _norm(outputs, eps)
        self.conv2 = Convolution(outputs, outputs, 3, 1, 1, table)
        self.shortcut = None if inputs == outputs else Convolution(inputs, outputs, 1, 1, 0, table)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        active = self.norm1(x, keep=True)
        skip = x if self.shortcut is None else self.shortcut(active)
        del x
        out: Tensor = self.conv1(active)
        del active
        out = self.conv2(self.norm2(out))
        out += skip
        return out


class SpatialPyramid(nn.Module):
    """Spatial pyramid pooling (arXiv 1406.4729): maxima over 1x1, 2x2, ... levels x levels windows of the image."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 1 + 4 + ... + levels^2), each window as adaptive pooling cuts it."""
        pooled = [functional.adaptive_max_pool2d(x, side).flatten(2) for side in range(1, self.levels + 1)]
        return torch.cat(pooled, 2)


def _layers(architecture: Architecture, channels: int, eps: float, table: Table) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for state in architecture.layers:
        match state.layer_type:
            case "conv":
                layers.append(ConvBlock(channels, state, eps, table))
                channels = state.filter_depth
            case "wrn":
                layers.append(WideResidualBlock(channels, state.filter_depth, eps, table))
                channels = state.filter_depth
            case "max_pool":
                layers.append(MaxPool(state.filter_size, state.stride))
            case "spp":
                layers.append(SpatialPyramid(state.filter_size))
            case other:
                raise EvaluationError(f"The deep-prior evaluation does not know layers of type {other} yet.")
    return layers


class Encoder(nn.Module):
    """All layers up to the embedding: flattened, or, of a cell's network, globally pooled.

    Build it on the meta device, move it with `to_empty` and then `initialise` it: torch's own initialisation would cost
    time for weights that are drawn again, and draw from the global random stream.

    Args:
        architecture: What to build. Its terminal state and classifier are not part of the encoder.
        channels: Of the input images.
        config: Initialisation, batch norm, precision, and how convolutions are computed.
        trained: Batch norms are trained, too, and their weights may become negative.
        probe: A linear probe reads the embedding (see `CellStack`), not the last layer of a network.

    Raises:
        EvaluationError: It has a layer that is not supported yet (fully connected).
    """

    def __init__(
        self,
        architecture: Buildable,
        channels: int,
        config: EncoderConfig,
        *,
        trained: bool = False,
        probe: bool = True,
    ) -> None:
        super().__init__()
        self.config = config
        self.trained = trained
        self.embedding_dim = architecture.embedding_dim
        if isinstance(architecture, Cell):
            self.layers = nn.Sequential(CellStack(architecture, config.batch_norm, probe=probe))
        else:
            chosen = DIRECT if trained else table(config)  # transforms know no gradient
            self.layers = nn.Sequential(*_layers(architecture, channels, config.batch_norm, chosen))
        self._norms = [module for module in self.modules() if isinstance(module, BatchNorm)]
        self.dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # batch norms keep their statistics in float32
                module.to(self.dtype)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # see `to_input`

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) float32 in [0, 1] -> (N, embedding_dim), channel by channel."""
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=self.config.precision == "tf32"):
            features, waiting = images.to(self.dtype), deque(self.layers)
            pool_first = activations.fits(features) and not self.trained
            while waiting:
                layer = waiting.popleft()
                if pool_first and isinstance(layer, ConvBlock) and waiting and isinstance(waiting[0], MaxPool):
                    features = layer(features, waiting.popleft())
                else:
                    features = layer(features)
        return features.flatten(1).float()

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw all convolution weights, on the CPU; batch norms start as the identity."""
        init = INITS[self.config.init]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(init(torch.empty(module.weight.shape), generator))
            elif isinstance(module, BatchNorm):
                module.reset_parameters()

    def norms(self) -> list[BatchNorm]:
        """All batch norms, in the order in which data reach them."""
        return self._norms
