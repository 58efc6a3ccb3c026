"""What a picture says and shows of a node, whoever draws it."""

from nasd.graph import Graph, Node
from nasd.pictures.style import GREY

# Fills light enough for the ink beside them, told apart by lightness too; each with its border.
_CONVOLUTION, _RESIDUAL = ("#56B4E9", "#0072B2"), ("#4fc3a1", "#007a59")
_POOLING, _LINEAR = ("#f2c14e", "#b97f00"), ("#e3a7c6", "#a8497a")
_PLAIN, _JOINING = ("#ffffff", GREY), ("#e8eaee", GREY)
_FILLS = {"wrn": _RESIDUAL, "spp": _POOLING, "fc": _LINEAR, "classifier": _LINEAR, "embedding": _JOINING,
          "add": _JOINING, "concat": _JOINING}  # fmt: skip
_NAMES = {
    "input": "image",
    "conv": "convolution",
    "wrn": "residual block",
    "spp": "pyramid pooling",
    "fc": "fully connected",
    "classifier": "linear classifier",
}


def colours(node: Node) -> tuple[str, str]:
    """Fill and border of its kind."""
    if node.kind in _FILLS:
        return _FILLS[node.kind]
    if "conv" in node.kind:
        return _CONVOLUTION
    return _POOLING if "pool" in node.kind else _PLAIN


def name(node: Node) -> str:
    """Its kind in words; pooling says which."""
    return _NAMES.get(node.kind, node.kind.replace("_", " ") + ("ing" if node.kind.endswith("pool") else ""))


def lines(node: Node) -> tuple[str, ...]:
    """What stands below it; the name first."""
    weights = f"{node.parameters:,} weights" if node.parameters else ""
    text = node.text if node.text != node.kind else ""
    return tuple(line for line in (name(node), text, _shape(node), weights) if line)


def summary(graph: Graph) -> str:
    """Its size in one line."""
    return f"{graph.parameters:,} weights, {graph.operations:,} multiply-adds for one image"


def _shape(node: Node) -> str:
    match node.kind, node.shape:
        case "input", (channels, height, width):
            return f"{height}×{width}, {channels} channel" + ("s" if channels > 1 else "")
        case "embedding", (values,):
            return f"{values:,} values"
        case "classifier", (classes,):
            return f"{classes} classes"
        case _, (units,):
            return f"{units} units"
        case _, (features, bins):
            return f"→ {features} × {bins} bins"
    features, *sides = node.shape
    return f"→ {features} × {'×'.join(map(str, sides))}"
