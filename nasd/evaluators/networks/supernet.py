"""A supernet as a torch module, and each of its architectures alone: the same modules with one choice for each unit.

Of a unit whose paths share their weights (1 and 32 bits) only batch norms are there twice, else all of it (LightNAS).
A weight of a path is named alike in the supernet and in the architecture alone, so that the one is read as the other.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasd.config import EncoderConfig, SupernetConfig
from nasd.evaluators.networks.binary import approx_sign, binary_conv, sign_ste
from nasd.evaluators.networks.encoder import INITS
from nasd.evaluators.networks.network import Dropout
from nasd.evaluators.seeding import generator
from nasd.spaces.supernet import Supernet
from nasd.spaces.supernet.layers import Conv, Path, Stem, Transition, Unit
from nasd.spaces.supernet.skeleton import skeleton


def _weight(conv: Conv) -> nn.Parameter:
    return nn.Parameter(torch.empty(conv.outputs, conv.inputs // conv.groups, conv.kernel, conv.kernel))


def _norms(channels: Iterable[int], eps: float) -> nn.ModuleList:
    return nn.ModuleList(nn.BatchNorm2d(width, eps=eps) for width in channels)


def _float_conv(x: Tensor, weight: Tensor, conv: Conv) -> Tensor:
    return functional.conv2d(x, weight, stride=conv.stride, padding=conv.kernel // 2, groups=conv.groups)


class UnitModule(nn.Module):
    """A unit with all or some of its choices."""

    def __init__(self, unit: Unit, allowed: Sequence[str], space: SupernetConfig, eps: float) -> None:
        super().__init__()
        self.unit, self.scaling = unit, space.scaling
        self.allowed = tuple(allowed)
        self.activate: Callable[[Tensor], Tensor] = (
            approx_sign if space.activation == "approx_sign" else lambda x: sign_ste(x, space.grad_cancel)
        )
        self.weights = nn.ParameterDict()
        for choice in self.allowed[:1] if unit.shared else self.allowed:
            for number, conv in enumerate(unit.paths[choice].convs):
                self.weights[self._name(choice, number)] = _weight(conv)
        self.norms = nn.ModuleDict({choice: _norms(unit.paths[choice].norms, eps) for choice in self.allowed})

    def forward(self, x: Tensor, choice: str) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H', W')."""
        path = self.unit.paths[choice]
        match self.unit.kind:
            case "residual":
                return self._residual(x, choice, path)
            case "residual_v2":
                return self._residual_v2(x, choice, path)
            case "dense":
                return torch.cat((x, self._conv(self._norm(x, choice, 0), choice, 0)), dim=1)
            case "improvement":
                if not path.convs:
                    return x
                added = self._conv(self._norm(x, choice, 0), choice, 0)
                kept = x.shape[1] - added.shape[1]
                return torch.cat((x[:, :kept], x[:, kept:] + added), dim=1)

    def _residual(self, x: Tensor, choice: str, path: Path) -> Tensor:
        out = self._norm(self._conv(x, choice, 0), choice, 0)
        out = self._norm(self._conv(out, choice, 1), choice, 1)
        shortcut = x if len(path.convs) == 2 else self._norm(self._conv(x, choice, 2), choice, 2)
        return out + shortcut

    def _residual_v2(self, x: Tensor, choice: str, path: Path) -> Tensor:
        normalised = self._norm(x, choice, 0)
        out = self._conv(self._norm(self._conv(normalised, choice, 0), choice, 1), choice, 1)
        return out + (x if len(path.convs) == 2 else self._conv(normalised, choice, 2))

    def _norm(self, x: Tensor, choice: str, number: int) -> Tensor:
        out: Tensor = self.norms[choice][number](x)  # type: ignore[index]
        return out

    def _conv(self, x: Tensor, choice: str, number: int) -> Tensor:
        """Activation and convolution, of one bit or of 32."""
        conv, weight = self.unit.paths[choice].convs[number], self.weights[self._name(choice, number)]
        if conv.binary:
            return binary_conv(self.activate(x), weight, conv, self.scaling)
        return _float_conv(functional.relu(x), weight, conv)

    def _name(self, choice: str, number: int) -> str:
        return f"{number}" if self.unit.shared else f"{choice}-{number}"


class TransitionModule(nn.Module):
    """Between two stages of a MeliusNet."""

    def __init__(self, transition: Transition, eps: float) -> None:
        super().__init__()
        self.conv = transition.conv
        self.norm = nn.BatchNorm2d(self.conv.inputs, eps=eps)
        self.weight = _weight(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H // 2, W // 2)."""
        out = _float_conv(functional.relu(functional.max_pool2d(self.norm(x), 2)), self.weight, self.conv)
        return out if self.conv.groups == 1 else functional.channel_shuffle(out, self.conv.groups)


class StemModule(nn.Module):
    """What images meet first."""

    def __init__(self, stem: Stem, eps: float) -> None:
        super().__init__()
        self.stem = stem
        self.weights = nn.ParameterList(map(_weight, stem.convs))
        self.norms = _norms(stem.norms, eps)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, width, H', W')."""
        x = images
        for number, (conv, weight) in enumerate(zip(self.stem.convs, self.weights, strict=True)):
            x = _float_conv(x, weight, conv)
            if self.stem.norms:
                x = functional.relu(self.norms[number](x))
        return functional.max_pool2d(x, 3, 2, padding=1) if self.stem.pool else x


class SupernetNetwork(nn.Module):
    """The network of a config, with all its choices or with those of one architecture.

    Build it on the meta device, move it with `to_empty` and then `initialise` it.

    Args:
        space: Which network.
        config: Initialisation, batch norm, precision.
        architecture: Only its choices; None: all.
        dropout: Share of values that the classifier does not see in training.

    Attributes:
        features: Values that the classifier reads of an image.
        alone: The choices of `architecture`; None where all are there.
    """

    def __init__(
        self,
        space: SupernetConfig,
        config: EncoderConfig,
        architecture: Supernet | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        made, eps = skeleton(space), config.batch_norm or 1e-5
        self.config, self.space = config, space
        self.alone = None if architecture is None else architecture.choices
        self.features = made.head.features
        self.stem = StemModule(made.stem, eps)
        self.steps = nn.ModuleList()
        for step in made.steps:
            if isinstance(step, Transition):
                self.steps.append(TransitionModule(step, eps))
            else:
                number = sum(isinstance(module, UnitModule) for module in self.steps)
                allowed = step.choices if self.alone is None else (self.alone[number],)
                self.steps.append(UnitModule(step, allowed, space, eps))
        self.norm = nn.BatchNorm2d(self.features, eps=eps) if made.head.norm else nn.Identity()
        self.dropout = Dropout(dropout)
        self.classifier = nn.Linear(self.features, made.head.classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor, choices: Sequence[str] | None = None) -> Tensor:
        """(N, channels, H, W) float32 in [0, 1] -> (N, classes) logits, of the architecture of these choices."""
        left = iter(self.alone or () if choices is None else choices)
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=self.config.precision == "tf32"):
            x = self.stem(images)
            for step in self.steps:
                x = step(x, next(left)) if isinstance(step, UnitModule) else step(x)
            logits: Tensor = self.classifier(self.dropout(functional.relu(self.norm(x)).mean(dim=(2, 3))))
        return logits

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw all weights, on the CPU; batch norms start as the identity, the classifier's biases as 0."""
        init, stream = INITS[self.config.init], generator(seed, "weights")
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                parameter.copy_(init(torch.empty(parameter.shape), stream))
            elif name == "classifier.bias":
                parameter.zero_()
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()

    def binary_weights(self) -> list[nn.Parameter]:
        """The weights that some choice takes the signs of: they must not decay (LightNAS)."""
        return [
            module.weights[module._name(choice, number)]
            for module in self.steps
            if isinstance(module, UnitModule)
            for choice in module.allowed
            for number, conv in enumerate(module.unit.paths[choice].convs)
            if conv.binary
        ]

    def norms_of(self, choices: Sequence[str]) -> list[nn.BatchNorm2d]:
        """The batch norms that an architecture passes through."""
        left, found = iter(choices), list[nn.Module](self.stem.modules())
        for step in self.steps:
            if isinstance(step, UnitModule):
                found += step.norms[next(left)].modules()
            else:
                found += step.modules()
        return [module for module in (*found, self.norm) if isinstance(module, nn.BatchNorm2d)]
