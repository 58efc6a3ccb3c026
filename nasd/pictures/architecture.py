"""An architecture, drawn: a block a layer, as high as its image and as wide as its features; or as a graphviz text."""

import math
import textwrap
from dataclasses import dataclass
from html import escape

from nasd.pictures.drawing import Box, Curve, Drawing, Label
from nasd.pictures.style import FAINT, GREY, INK
from nasd.spaces.layers import Architecture, describe
from nasd.spaces.layers.describe import LayerInfo

# Fills light enough for the ink beside them, told apart by lightness too; each with its border.
_FILLS = {
    "image": ("#ffffff", GREY),
    "conv": ("#56B4E9", "#0072B2"),
    "wrn": ("#4fc3a1", "#007a59"),
    "max_pool": ("#f2c14e", "#b97f00"),
    "spp": ("#f2c14e", "#b97f00"),
    "embedding": ("#e8eaee", GREY),
    "fc": ("#e3a7c6", "#a8497a"),
    "classifier": ("#e3a7c6", "#a8497a"),
}
_NAMES = {
    "conv": "convolution",
    "wrn": "residual block",
    "max_pool": "max pooling",
    "spp": "pyramid pooling",
    "fc": "fully connected",
    "classifier": "linear classifier",
}
_TALLEST, _LOWEST = 150.0, 14.0
_WIDEST, _THINNEST = 84.0, 8.0
_STEP = 132.0  # from block to block
_PER_ROW = 8
_ROW = 272.0


@dataclass(frozen=True)
class _Block:
    kind: str
    side: int  # of the image; 0 where there is none
    features: int
    lines: tuple[str, ...]  # below it, the first in bold


def draw_architecture(architecture: Architecture, channels: int, image_size: int, title: str = "") -> Drawing:
    """All layers from left to right, in as many rows as they need.

    Args:
        architecture: Of any length.
        channels: Of the images.
        image_size: Their side in pixels.
        title: The headline; the architecture's string is below it.
    """
    blocks = _blocks(architecture, channels, image_size)
    per_row = _per_row(len(blocks))
    rows = -(-len(blocks) // per_row)
    width = 40 + _STEP * per_row
    most = max(*(block.features for block in blocks if block.side), 2)
    text = str(architecture)
    per_line = int(width / 6.8)
    written = [text[start : start + per_line] for start in range(0, len(text), per_line)]
    top = 34 + 16 * len(written)
    shapes: list[Box | Curve | Label] = [Label(20, 28, title or "Architecture", 16, INK, "start", bold=True)]
    shapes += [Label(20, 48 + 16 * n, line, 11.5, GREY, "start") for n, line in enumerate(written)]
    for number, block in enumerate(blocks):
        row, column = divmod(number, per_row)
        x = 20 + _STEP * (column + 0.5)
        y = top + _ROW * row + 30 + _TALLEST / 2
        box = _box(block, x, y, image_size, most)
        if column:
            previous = _box(blocks[number - 1], x - _STEP, y, image_size, most)
            start, end = previous.x + previous.width + 5, box.x - 5
            third = (end - start) / 3
            shapes.append(Curve(((start, y), (start + third, y), (end - third, y), (end, y)), GREY, arrow=True))
        elif row:
            end = box.x - 5
            shapes.append(Curve(((end - 24, y), (end - 16, y), (end - 8, y), (end, y)), GREY, arrow=True))
        if block.kind == "wrn":  # the way around it
            high = box.y - 14
            shapes.append(Box(box.x - 11, high, box.width + 22, y - high, "none", _FILLS["wrn"][1], 10))
        shapes.append(box)
        shapes += [
            Label(x, y + _TALLEST / 2 + 22 + 16 * line, words, 12, INK if line == 0 else GREY, bold=line == 0)
            for line, words in enumerate(block.lines)
        ]
    height = top + _ROW * rows
    shapes.insert(0, Box(0.5, 0.5, width - 1, height - 1, "white", FAINT, 10))
    return Drawing(width, height, tuple(shapes), text)


def dot(architecture: Architecture, channels: int, image_size: int, title: str = "") -> str:
    """The same as a text for graphviz: a table of lines a layer, rows of layers as `draw_architecture` has them.

    Arguments as there.
    """
    blocks = _blocks(architecture, channels, image_size)
    per_row = _per_row(len(blocks))
    written = "".join(f"{escape(line)}<br align='left'/>" for line in textwrap.wrap(str(architecture), 120))
    headline = f"<b>{escape(title or 'Architecture')}</b><br align='left'/>{written}"
    lines = [
        "digraph architecture {",
        f"  label=<{headline}>; labelloc=t; labeljust=l; rankdir=LR; newrank=true; fontname=Helvetica;",
        '  node [shape=box, style="filled,rounded", fontname=Helvetica, fontsize=11, margin="0.15,0.08"];',
        f'  edge [color="{GREY}", arrowsize=0.7];',
    ]
    for number, block in enumerate(blocks):
        fill, border = _FILLS[block.kind]
        first, *rest = map(escape, block.lines)
        label = "<br/>".join([f"<b>{first}</b>", *rest])
        lines.append(f'  n{number} [label=<{label}>, fillcolor="{fill}", color="{border}"];')
        if number:
            further_row = " [constraint=false]" if number % per_row == 0 else ""
            lines.append(f"  n{number - 1} -> n{number}{further_row};")
        if block.kind == "wrn":  # the way around it
            lines.append(f'  n{number}:n -> n{number}:n [color="{border}"];')
    for start in range(per_row, len(blocks), per_row):  # each row begins at the left
        lines.append(f"  {{ rank=same; n0; n{start}; }}")
    return "\n".join([*lines, "}\n"])


def _per_row(blocks: int) -> int:
    """Layers in a row, so that the rows are equally long."""
    return -(-blocks // -(-blocks // _PER_ROW))


def _blocks(architecture: Architecture, channels: int, image_size: int) -> list[_Block]:
    layers = describe(architecture, channels)
    what = f"{channels} channel" + ("s" if channels > 1 else "")
    blocks = [_Block("image", image_size, channels, ("image", f"{image_size}×{image_size}", what))]
    states = architecture.states
    for state, layer in zip(states, layers, strict=True):
        if layer.kind in ("fc", "classifier") and not any(b.kind == "embedding" for b in blocks):
            blocks.append(_Block("embedding", 0, 0, ("embedding", f"{architecture.embedding_dim:,} values")))
        blocks.append(_Block(layer.kind, layer.image_size, layer.features, _lines(layer, state)))
    return blocks


def _lines(layer: LayerInfo, state: object) -> tuple[str, ...]:
    size, stride = getattr(state, "filter_size", 0), getattr(state, "stride", 1)
    name = _NAMES[layer.kind]
    match layer.kind:
        case "fc" | "classifier":
            return name, f"{layer.features} {'units' if layer.kind == 'fc' else 'classes'}", _count(layer.parameters)
        case "spp":
            return name, f"{layer.image_size} bins", f"{layer.features} features"
        case "max_pool":
            return name, f"{size}×{size}, stride {stride}", f"→ {layer.image_size}×{layer.image_size}"
        case _:
            how = f"{size}×{size}" + (f", stride {stride}" if stride > 1 else "")
            shape = f"→ {layer.features} × {layer.image_size}×{layer.image_size}"
            return name, how if layer.kind == "conv" else "2 × 3×3", shape, _count(layer.parameters)


def _count(weights: int) -> str:
    return f"{weights:,} weights"


def _box(block: _Block, x: float, y: float, image_size: int, most: int) -> Box:
    fill, border = _FILLS[block.kind]
    if block.side:
        # The root, so that small images can still be told apart; features double from step to step, so their log.
        height = max(_LOWEST, _TALLEST * math.sqrt(block.side / max(image_size, block.side)))
        width = _THINNEST + (_WIDEST - _THINNEST) * math.log2(max(block.features, 1)) / math.log2(most)
    else:
        height, width = _TALLEST if block.kind == "embedding" else _TALLEST / 2, 16.0
    return Box(x - width / 2, y - height / 2, width, height, fill, border, 4)
