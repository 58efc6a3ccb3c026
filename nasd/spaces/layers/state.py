"""States of the search (MetaQNN, arXiv 1611.02167, section 4.1): one layer each, with what its successors need."""

from typing import Literal, NamedTuple

LayerType = Literal["start", "conv", "wrn", "max_pool", "spp", "fc"]


class State(NamedTuple):
    """One layer, or the start, or (`terminate` 1) the end, which repeats the fields of the layer before it.

    A plain tuple of text and ints, so that it compares equal with what JSON and CSV files hold.
    """

    layer_type: LayerType
    layer_depth: int  # convolution layers so far (a wrn block counts two), fully connected ones and the end one each
    filter_depth: int  # features of the output; of fc: how many fc layers came before
    filter_size: int  # of spp: its levels
    stride: int
    padding: int
    image_size: int  # side of the output image; of spp: its number of bins; of fc: 0
    fc_size: int  # units of fc, else 0
    terminate: int  # 0 or 1


def start_state(patch_size: int) -> State:
    """The state before the first layer: an image of `patch_size` pixels a side."""
    return State("start", 0, 0, 0, 0, 0, patch_size, 0, 0)


def conv_state(before: State, features: int, size: int, stride: int, padding: int) -> State:
    """A convolution after `before`. Sizes round down, as torch does."""
    side = output_size(before.image_size, size, stride, padding)
    return State("conv", before.layer_depth + 1, features, size, stride, padding, side, 0, 0)


def wrn_state(before: State, features: int) -> State:
    """A wide-residual block after `before`: two 3x3 convolutions that keep the image size."""
    return State("wrn", before.layer_depth + 2, features, 3, 1, 1, before.image_size, 0, 0)


def pool_state(before: State, size: int, stride: int) -> State:
    """Max pooling after `before`; the depth stays."""
    side = output_size(before.image_size, size, stride, 0)
    return State("max_pool", before.layer_depth, before.filter_depth, size, stride, 0, side, 0, 0)


def spp_state(before: State, levels: int) -> State:
    """Spatial pyramid pooling after `before`: 1 + 4 + ... + levels^2 bins a feature."""
    bins = levels * (levels + 1) * (2 * levels + 1) // 6
    return State("spp", before.layer_depth + 1, before.filter_depth, levels, 0, 0, bins, 0, 0)


def fc_state(before: State, units: int) -> State:
    """A fully connected layer after `before`."""
    earlier = before.filter_depth + 1 if before.layer_type == "fc" else 0
    return State("fc", before.layer_depth + 1, earlier, 0, 0, 0, 0, units, 0)


def end_state(before: State) -> State:
    """The end after `before`."""
    return before._replace(layer_depth=before.layer_depth + 1, terminate=1)


def output_size(image_size: int, size: int, stride: int, padding: int) -> int:
    """Side of the output of a convolution or pooling window; below 1 where the window does not fit."""
    return (image_size - size + 2 * padding) // stride + 1
