"""Pictures by graphviz's own program `dot`, where it is installed, and the text that it draws."""

import os
import re
import shutil
import subprocess
import textwrap
from html import escape

from nasd.errors import NasdError
from nasd.graph import Graph
from nasd.pictures import nodes
from nasd.pictures.layout import arrange, is_chain
from nasd.pictures.style import FAINT, GREY

TIMEOUT = 60.0  # seconds; an architecture takes a fraction of one


def dot(graph: Graph, net: str, title: str = "") -> str:
    """An architecture as a text for graphviz: a table of lines a node; a chain in rows as our own picture has them.

    Arguments as those of `nasd.pictures.architecture.draw_architecture`.
    """
    written = "".join(f"{escape(line)}<br align='left'/>" for line in [*textwrap.wrap(net, 120), nodes.summary(graph)])
    headline = f"<b>{escape(title or 'Architecture')}</b><br align='left'/>{written}"
    lines = [
        "digraph architecture {",
        f"  label=<{headline}>; labelloc=t; labeljust=l; rankdir=LR; newrank=true; fontname=Helvetica;",
        '  node [shape=box, style="filled,rounded", fontname=Helvetica, fontsize=11, margin="0.15,0.08"];',
        f'  edge [color="{GREY}", arrowsize=0.7];',
    ]
    groups = dict.fromkeys(node.group for node in graph.nodes)
    for number, group in enumerate(groups):
        if group:
            lines.append(f'  subgraph cluster_{number} {{ label=<{escape(group)}>; color="{FAINT}"; labeljust=l;')
        lines += [_node(graph, place) for place, node in enumerate(graph.nodes) if node.group == group]
        if group:
            lines.append("  }")
    places, in_rows = arrange(graph), is_chain(graph)
    for start, end in graph.edges:
        further_row = " [constraint=false]" if in_rows and places[start].row != places[end].row else ""
        lines.append(f"  n{start} -> n{end}{further_row};")
    if in_rows:  # each row begins at the left
        begins = [number for number, place in enumerate(places) if place.column == 0 and place.row]
        lines += [f"  {{ rank=same; n0; n{begin}; }}" for begin in begins]
    return "\n".join([*lines, "}\n"])


def _node(graph: Graph, place: int) -> str:
    node = graph.nodes[place]
    fill, border = nodes.colours(node)
    first, *rest = map(escape, nodes.lines(node))
    label = "<br/>".join([f"<b>{first}</b>", *rest])
    written = f'  n{place} [label=<{label}>, fillcolor="{fill}", color="{border}"];'
    if node.kind == "wrn":  # the way around it
        written += f'\n  n{place}:n -> n{place}:n [color="{border}"];'
    return written


def installed() -> bool:
    """Whether there is a `dot` on the PATH."""
    return shutil.which("dot") is not None


def render(text: str, form: str, timeout: float = TIMEOUT) -> bytes:
    """Lay out and draw a graphviz text.

    Args:
        text: In the DOT language.
        form: `png`, `svg` or `pdf`.
        timeout: Seconds after which `dot` is ended.

    Raises:
        NasdError: There is no `dot`, or it does not succeed.
    """
    program = shutil.which("dot")
    if program is None:
        raise NasdError("graphviz's dot is not on the PATH: install graphviz, or draw with --with own")
    try:
        done = subprocess.run(
            [program, f"-T{form}"],
            input=text.encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "SOURCE_DATE_EPOCH": "0"},
        )
    except subprocess.TimeoutExpired as error:
        raise NasdError(f"{program} did not draw within {timeout:g} s: draw with --with own") from error
    except OSError as error:
        raise NasdError(f"{program} cannot be started ({error.strerror}): draw with --with own") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"exit code {done.returncode}"
        raise NasdError(f"{program} failed ({reason}): draw with --with own")
    # The same architecture, the same file: graphviz before version 3 does not heed SOURCE_DATE_EPOCH.
    return re.sub(rb"(?<=/CreationDate \(D:)\d{14}", b"19700101000000", done.stdout)
