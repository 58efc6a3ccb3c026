"""The published networks, by the name of the base, as skeletons of a config's widths and images."""

from typing import NamedTuple

from nasd.config import SupernetConfig
from nasd.errors import ConfigError
from nasd.spaces.supernet.layers import Conv, Head, Path, Skeleton, Stem, Transition, Unit

_BLOCKS = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3)}
_RESNET_WIDTHS = (64, 64, 128, 256, 512)


class _Melius(NamedTuple):
    pairs: tuple[int, ...]
    widths: tuple[int, ...]  # after the stem and after each transition
    groups: int = 1  # of the convolutions of transitions


_MELIUS = {
    "22": _Melius((4, 5, 4, 4), (64, 160, 224, 256)),
    "23": _Melius((2, 4, 6, 6), (64, 128, 192, 288), groups=8),
    "29": _Melius((4, 6, 8, 6), (64, 128, 192, 256)),
    "42": _Melius((5, 8, 14, 10), (64, 160, 256, 416)),
    "59": _Melius((6, 12, 24, 12), (64, 192, 320, 544)),
    "a": _Melius((4, 5, 5, 6), (64, 160, 256, 288), groups=4),
    "b": _Melius((4, 6, 8, 6), (64, 160, 224, 320), groups=2),
    "c": _Melius((3, 5, 10, 6), (64, 128, 192, 288), groups=4),
}


def skeleton(config: SupernetConfig) -> Skeleton:
    """The network that a config names.

    Raises:
        ConfigError: Its images are too small for it, or its widths do not fit.
    """
    return _resnet(config) if config.family == "resnet" else _meliusnet(config)


def _resnet(config: SupernetConfig) -> Skeleton:
    version = 2 if config.base.endswith("v2") else 1
    blocks = _BLOCKS[config.base.removeprefix("resnet").removesuffix("v2")]
    first, *widths = config.widths or _RESNET_WIDTHS
    stem = _stem(config, first)
    size, channels, steps = stem.size, first, list[Unit]()
    for stage, (count, width) in enumerate(zip(blocks, widths, strict=True), start=1):
        for block in range(1, count + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            size = (size - 1) // stride + 1
            steps.append(_residual(f"block {stage}.{block}", channels, width, stride, size, version))
            channels = width
    return Skeleton(stem, tuple(steps), Head(version == 2, channels, config.num_classes))


def _residual(label: str, inputs: int, outputs: int, stride: int, size: int, version: int) -> Unit:
    """A basic block. v1: activation, convolution, norm, twice; v2: norm, activation, convolution, twice."""
    projected = stride > 1 or inputs != outputs
    norms = (outputs,) * (3 if projected else 2) if version == 1 else (inputs, outputs)

    def path(*, binary: bool) -> Path:
        convs = [Conv(inputs, outputs, 3, stride, binary=binary), Conv(outputs, outputs, 3, binary=binary)]
        if projected:
            convs.append(Conv(inputs, outputs, 1, stride, binary=binary))
        return Path(tuple(convs), norms)

    paths = {"1": path(binary=True), "32": path(binary=False)}
    kind = "residual" if version == 1 else "residual_v2"
    return Unit(kind, label, inputs, outputs, stride, size, paths, shared=True)  # type: ignore[arg-type]


def _meliusnet(config: SupernetConfig) -> Skeleton:
    pairs, published, groups = _MELIUS[config.base.removeprefix("meliusnet")]
    first, *widths = config.widths or published
    growth, stem = config.growth, _stem(config, first)
    size, channels, steps = stem.size, first, list[Unit | Transition]()
    for stage, count in enumerate(pairs, start=1):
        for pair in range(1, count + 1):
            steps.append(_dense(f"dense {stage}.{pair}", channels, growth, size))
            channels += growth
            steps.append(_improvement(f"improvement {stage}.{pair}", channels, growth, size))
        if stage < len(pairs):
            width = widths[stage - 1]
            if channels % groups or width % groups:
                raise ConfigError(
                    f"space.widths: transition {stage} of {config.base} leads from {channels} to {width} channels, and "
                    f"both must be multiples of {groups}"
                )
            size //= 2
            if size == 0:
                raise ConfigError(
                    f"space: images of {config.patch_size} pixels are too small for the stem {config.stem} and the "
                    f"{len(pairs) - 1} transitions of {config.base}; set data.image_size, or space.stem to thumbnail"
                )
            steps.append(Transition(f"transition {stage}", Conv(channels, width, 1, groups=groups), size))
            channels = width
    return Skeleton(stem, tuple(steps), Head(True, channels, config.num_classes))


def _dense(label: str, channels: int, growth: int, size: int) -> Unit:
    def path(kernel: int) -> Path:
        return Path((Conv(channels, growth, kernel, binary=True),), (channels,))

    return Unit("dense", label, channels, channels + growth, 1, size, {"d3": path(3), "d1": path(1)})


def _improvement(label: str, channels: int, growth: int, size: int) -> Unit:
    path = Path((Conv(channels, growth, 3, binary=True),), (channels,))
    return Unit("improvement", label, channels, channels, 1, size, {"i": path, "-": Path()})


def _stem(config: SupernetConfig, width: int) -> Stem:
    size, channels = config.patch_size, config.channels
    if config.stem == "thumbnail":
        return Stem("conv3x3", (Conv(channels, width, 3),), (), pool=False, size=size)
    halved = (size - 1) // 2 + 1
    quarter = (halved - 1) // 2 + 1
    if config.stem == "imagenet":
        conv = Conv(channels, width, 7, 2)
        return Stem("conv7x7/2, bn, relu, maxpool3/2", (conv,), (width,), pool=True, size=quarter)
    if width % 8:
        raise ConfigError(f"space.widths: the grouped stem needs a multiple of 8 channels, not {width}")
    half = width // 2
    convs = (Conv(channels, half, 3, 2), Conv(half, half, 3, groups=4), Conv(half, width, 3, groups=4))
    return Stem("grouped conv3x3, maxpool3/2", convs, (half, half, width), pool=True, size=quarter)
