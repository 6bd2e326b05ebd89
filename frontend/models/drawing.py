"""Pictures of models by matplotlib; boxes stand where the inspector's layout puts them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kerac.inspector.layout import Point, layered_layout
from kerac.ir.errors import UnsupportedError

if TYPE_CHECKING:
    from kerac.models.plot import Box, Dot

# In points, of which an inch has 72.
TITLE, TEXT = 11.0, 9.5
ROW = 24.0
LETTER = 0.66  # width of a letter to its height
PADDING = 16.0
MARGIN = 24.0


@dataclass(frozen=True)
class Rectangle:
    """Centre and size of a box, y downwards."""

    x: float
    y: float
    width: float
    height: float


def draw(dot: Dot, path: str | os.PathLike[str], form: str) -> None:
    """Write a picture; `form` is one of matplotlib's formats."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UnsupportedError(
            f"{os.fspath(path)}: a picture of {dot.name!r} is asked for, "
            "but matplotlib is not installed",
            remedy="Install matplotlib, or write text for Graphviz to a file that ends in .dot.",
        ) from None
    figure = Figure()
    known = figure.canvas.get_supported_filetypes()
    if form not in known:
        raise UnsupportedError(
            f"{os.fspath(path)}: format {form!r} is asked for, "
            f"but pictures are {', '.join(sorted(known))}, and text is dot"
        )
    boxes, lines, width, height = _placed(dot)
    width, height = width + 2 * MARGIN, height + 2 * MARGIN
    figure.set_size_inches(width / 72, height / 72)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-MARGIN, width - MARGIN)
    axes.set_ylim(height - MARGIN, -MARGIN)
    axes.axis("off")
    for cluster in dot.clusters():
        _draw_cluster(axes, cluster, boxes)
    for points in lines:
        _draw_arrow(axes, points, dot.rankdir)
    for box in dot.boxes():
        _draw_box(axes, box, boxes[box.number])
    figure.savefig(path, format=form, dpi=dot.dpi)


def _size(box: Box) -> tuple[float, float]:
    title = len(box.name) + len(box.class_name) + (3 if box.name else 0)
    width = title * TITLE * LETTER
    for row in box.rows:
        width = max(width, sum(_cell_width(cell) for cell in row))
    return width + PADDING, ROW * (1 + len(box.rows))


def _cell_width(cell: Any) -> float:
    return (len(cell.label) + len(cell.value) + 2) * TEXT * LETTER + PADDING


def _placed(
    dot: Dot,
) -> tuple[dict[int, Rectangle], list[list[Point]], float, float]:
    """Rectangles by the numbers of boxes, lines, and the size of the whole."""
    boxes = list(dot.boxes())
    order = {box.number: place for place, box in enumerate(boxes)}
    # an arrow that leads back runs as one that leads on; one from a box to itself is not drawn
    ends = [(order[a], order[b]) for a, b in dot.edges if a in order and b in order and a != b]
    sizes = [_size(box) for box in boxes]
    across = dot.rankdir in ("LR", "RL")
    layout = layered_layout(
        [size[::-1] if across else size for size in sizes], [(min(e), max(e)) for e in ends]
    )
    width, height = layout.width, layout.height

    def turned(point: Point) -> Point:
        x, y = point
        y = height - y if dot.rankdir in ("BT", "RL") else y
        return (y, x) if across else (x, y)

    rectangles = {
        box.number: Rectangle(*turned(centre), *size)
        for box, centre, size in zip(boxes, layout.centres, sizes, strict=True)
    }
    lines = [
        [turned(point) for point in (points if source < target else points[::-1])]
        for (source, target), points in zip(ends, layout.lines, strict=True)
    ]
    return rectangles, lines, *((height, width) if across else (width, height))


def _draw_cluster(axes: Any, cluster: Dot, boxes: dict[int, Rectangle]) -> None:
    from matplotlib.patches import Rectangle as Patch

    members = [boxes[box.number] for box in cluster.boxes()]
    if not members:
        return
    inset = 10.0
    left = min(box.x - box.width / 2 for box in members) - inset
    right = max(box.x + box.width / 2 for box in members) + inset
    top = min(box.y - box.height / 2 for box in members) - inset
    bottom = max(box.y + box.height / 2 for box in members) + inset
    axes.add_patch(
        Patch((left, top), right - left, bottom - top, fill=False, linestyle="--", color="gray")
    )
    axes.text(left + 2, top - 2, cluster.name, fontsize=TEXT - 1, color="gray", va="bottom")


def _draw_arrow(axes: Any, points: list[Point], rankdir: str) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    corners, codes = [points[0]], [Path.MOVETO]
    for (x, y), (next_x, next_y) in pairwise(points):
        if rankdir in ("LR", "RL"):
            middle = (x + next_x) / 2
            corners += [(middle, y), (middle, next_y), (next_x, next_y)]
        else:
            middle = (y + next_y) / 2
            corners += [(x, middle), (next_x, middle), (next_x, next_y)]
        codes += [Path.CURVE4] * 3
    axes.add_patch(
        FancyArrowPatch(
            path=Path(corners, codes), arrowstyle="-|>", mutation_scale=10, color="black", lw=1.3
        )
    )


def _draw_box(axes: Any, box: Box, place: Rectangle) -> None:
    left, top = place.x - place.width / 2, place.y - place.height / 2
    _draw_field(axes, (left, top, place.width), "black")
    title = f"{box.name} ({box.class_name})" if box.name else box.class_name
    axes.text(place.x, top + ROW / 2, title, color="white", fontsize=TITLE, **CENTRED)
    for number, row in enumerate(box.rows, 1):
        widths = [_cell_width(cell) for cell in row]
        x, y = left, top + number * ROW
        for cell, part in zip(row, widths, strict=True):
            width = place.width * part / sum(widths)
            _draw_field(axes, (x, y, width), cell.color or "white")
            text = f"{cell.label}: {cell.value}" if cell.label else cell.value
            color = "white" if cell.color else "black"
            axes.text(x + width / 2, y + ROW / 2, text, color=color, fontsize=TEXT, **CENTRED)
            x += width


CENTRED: dict[str, Any] = {"ha": "center", "va": "center"}


def _draw_field(axes: Any, place: tuple[float, float, float], color: str) -> None:
    from matplotlib.patches import Rectangle as Patch

    x, y, width = place
    axes.add_patch(Patch((x, y), width, ROW, facecolor=color, edgecolor="black", linewidth=1))
