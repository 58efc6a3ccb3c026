"""A cell as a picture of text: which operators read what, and which blocks they are added to."""

import re
from collections.abc import Sequence

from textual.content import Content

_BLOCK = re.compile(r"\((\S+) (\S+), (\S+) (\S+)\)")


def draw(net: str, width: int) -> Sequence[Content]:
    """Three lines a block: its two operators, and the block that they make; then what the cell puts out.

    Blocks that no other reads are marked, but all of them are concatenated into the output.
    """
    blocks = _BLOCK.findall(net)
    if not blocks:
        return [Content.styled("No cell.", "$dim")]
    names = [f"b{number}" for number in range(1, len(blocks) + 1)]
    read = {source for block in blocks for source in (block[0], block[2])}
    wide = max(len(operator) for block in blocks for operator in (block[1], block[3]))
    if width < wide + 18:
        return _narrow(blocks)
    lines = []
    for name, (first, above, second, below) in zip(names, blocks, strict=True):
        for source, operator, corner in ((first, above, "╮"), (second, below, "╯")):
            lines.append(
                Content.assemble(
                    (f"{source:>3} ", "$primary" if source.startswith("b") else "$dim"),
                    ("─ ", "$border"),
                    (f"{operator:<{wide}}", ""),
                    (f" ─{corner}", "$border"),
                )
            )
        joint = Content.assemble((" " * (wide + 7), ""), ("├─ ", "$border"), (name, "bold"), _end(name in read))
        lines.insert(-1, joint)
    lines.append(Content.assemble(("out ", "$dim"), ("═ ", "$border"), (" ⊕ ".join(names), "bold")))
    return lines


def _narrow(blocks: Sequence[tuple[str, str, str, str]]) -> Sequence[Content]:
    """Two lines a block."""
    lines = []
    for number, (first, above, second, below) in enumerate(blocks, start=1):
        lines.append(Content.assemble((f"b{number} ", "bold"), (f"{first:>3} ", "$dim"), above))
        lines.append(Content.assemble(" + ", (f"{second:>3} ", "$dim"), below))
    return lines


def _end(is_read: bool) -> tuple[str, str]:
    return ("", "") if is_read else (" → out", "$dim")
