"""A few shapes, written as SVG by ourselves or drawn by matplotlib as PNG and PDF. Lengths are pixels, y goes down."""

from dataclasses import dataclass
from html import escape
from typing import Literal

from nasd.pictures.style import render

Anchor = Literal["start", "middle", "end"]
FONT = "Inter, Helvetica, Arial, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Box:
    """A rectangle with rounded corners."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str = "none"
    radius: float = 6


@dataclass(frozen=True)
class Curve:
    """A Bezier curve through `points`: start, two control points, end. With an arrow's head if asked for."""

    points: tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
    stroke: str
    arrow: bool = False


@dataclass(frozen=True)
class Label:
    """One line of text; `y` is its baseline."""

    x: float
    y: float
    text: str
    size: float
    fill: str
    anchor: Anchor = "middle"
    bold: bool = False


@dataclass(frozen=True)
class Drawing:
    """Shapes on white, the first at the bottom."""

    width: float
    height: float
    shapes: tuple[Box | Curve | Label, ...]
    title: str

    def svg(self) -> bytes:
        """As an SVG file of its own."""
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" height="{self.height:g}" '
            f'viewBox="0 0 {self.width:g} {self.height:g}" role="img" font-family="{FONT}">',
            f"<title>{escape(self.title)}</title>",
            '<rect width="100%" height="100%" fill="white"/>',
            *(_svg(shape) for shape in self.shapes),
            "</svg>\n",
        ]
        return "\n".join(parts).encode()

    def rendered(self, form: str) -> bytes:
        """As `png` or `pdf`, inside `style.styled`."""
        from matplotlib.figure import Figure  # noqa: PLC0415
        from matplotlib.patches import FancyArrowPatch, FancyBboxPatch  # noqa: PLC0415
        from matplotlib.path import Path  # noqa: PLC0415

        inch = 100
        figure = Figure(figsize=(self.width / inch, self.height / inch))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, self.width), ylim=(self.height, 0))
        axes.set_axis_off()
        points = 72 / inch
        for shape in self.shapes:
            match shape:
                case Box():
                    style = f"round,pad=0,rounding_size={min(shape.radius, shape.width / 2, shape.height / 2)}"
                    corner = (shape.x, shape.y)
                    axes.add_patch(
                        FancyBboxPatch(
                            corner, shape.width, shape.height, boxstyle=style, facecolor=shape.fill,
                            edgecolor=shape.stroke, linewidth=1.2 * points,
                        )
                    )  # fmt: skip
                case Curve():
                    path = Path(shape.points, (Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4))
                    head = "-|>,head_length=3,head_width=1.6" if shape.arrow else "-"
                    axes.add_patch(
                        FancyArrowPatch(
                            path=path, arrowstyle=head, edgecolor=shape.stroke, linewidth=1.4 * points, shrinkA=0,
                            shrinkB=0, facecolor=shape.stroke if shape.arrow else "none", mutation_scale=1.6,
                        )
                    )  # fmt: skip
                case Label():
                    axes.text(
                        shape.x, shape.y, shape.text, fontsize=shape.size * points, color=shape.fill,
                        ha={"start": "left", "middle": "center", "end": "right"}[shape.anchor], va="baseline",
                        fontweight="bold" if shape.bold else "normal", parse_math=False,
                    )  # fmt: skip
        return render(figure, form)


def _svg(shape: Box | Curve | Label) -> str:
    match shape:
        case Box():
            return (
                f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}" '
                f'rx="{shape.radius:g}" fill="{shape.fill}" stroke="{shape.stroke}" stroke-width="1.2"/>'
            )
        case Curve():
            start, *rest = (f"{x:.1f} {y:.1f}" for x, y in shape.points)
            line = f'<path d="M{start} C{", ".join(rest)}" fill="none" stroke="{shape.stroke}" stroke-width="1.4"/>'
            if not shape.arrow:
                return line
            x, y = shape.points[-1]
            before = shape.points[-2]
            tip = f"{x:.1f},{y:.1f}"
            if abs(x - before[0]) >= abs(y - before[1]):
                wings = f"{x - 6:.1f},{y - 3:.1f} {x - 6:.1f},{y + 3:.1f}"
            else:
                wings = f"{x - 3:.1f},{y - 6:.1f} {x + 3:.1f},{y - 6:.1f}"
            return f'{line}<polygon points="{tip} {wings}" fill="{shape.stroke}"/>'
        case Label():
            weight = ' font-weight="bold"' if shape.bold else ""
            return (
                f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size:g}" fill="{shape.fill}" '
                f'text-anchor="{shape.anchor}"{weight}>{escape(shape.text)}</text>'
            )
