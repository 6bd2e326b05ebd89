"""A graph as plain data that a page draws: boxes with their places, lines between them, text."""

from __future__ import annotations

from typing import Any

from kerac.inspector.differences import Listing
from kerac.inspector.layout import Point, layered_layout
from kerac.ir import Value, type_text
from kerac.ir.op import operand_names
from kerac.ir.ops.constant import Call, Constant, Input, Parameter

LETTER, SMALL_LETTER, TYPE_LETTER = 7.6, 6.3, 6.8  # widths in the rows of a box
PADDING = 30.0
NARROWEST, WIDEST = 110.0, 300.0
LINE_HEIGHT = 15.0


def picture(listing: Listing) -> dict[str, Any]:
    """Boxes, lines, size and text of a graph; weights stand in the boxes that read them."""
    drawn = drawn_values(listing)
    place = {value: number for number, value in enumerate(drawn)}
    edges = [
        (place[operand], place[value])
        for value in drawn
        for operand in value.operands
        if operand in place
    ]
    boxes = [_box(listing, value, place) for value in drawn]
    layout = layered_layout([(box["w"], box["h"]) for box in boxes], edges)
    for box, (x, y) in zip(boxes, layout.centres, strict=True):
        box["x"], box["y"] = round(x), round(y)
    return {
        "boxes": boxes,
        "lines": [
            [source, target, path_text(points)]
            for (source, target), points in zip(edges, layout.lines, strict=True)
        ],
        "width": round(layout.width),
        "height": round(layout.height),
        "text": [[line.text, line.name] for line in listing.lines],
        "count": len(listing.graph.values),
    }


def path_text(points: list[Point]) -> str:
    """An SVG path through `points`, leaving each one straight downwards."""
    x, y = points[0]
    text = f"M{x:.0f} {y:.0f}"
    for next_x, next_y in points[1:]:
        if round(next_x) == round(x):
            text += f"V{next_y:.0f}"
        else:
            middle = (y + next_y) / 2
            text += f"C{x:.0f} {middle:.0f} {next_x:.0f} {middle:.0f} {next_x:.0f} {next_y:.0f}"
        x, y = next_x, next_y
    return text


def drawn_values(listing: Listing) -> list[Value]:
    """Values that get a box: all but weights, which stand with the values that read them."""
    outputs = listing.graph.outputs
    return [value for value in listing.graph.values if not _is_weight(value) or value in outputs]


def operand_texts(listing: Listing, value: Value) -> list[tuple[str, str]]:
    """The weights that a value reads, by their roles."""
    roles = operand_names(type(value.op), len(value.inputs))
    return [
        (role, f"{listing.names[operand]}: {type_text(operand.type)}")
        for role, operand in zip(roles, value.inputs, strict=True)
        if operand is not None and _is_weight(operand)
    ]


def _is_weight(value: Value) -> bool:
    return isinstance(value.op, Constant | Parameter)


def _box(listing: Listing, value: Value, place: dict[Value, int]) -> dict[str, Any]:
    names, type_ = listing.names, type_text(value.type)
    attributes = [] if isinstance(value.op, Input) else value.op.attribute_texts()
    if isinstance(value.op, Call):
        attributes = [f"{value.op.graph.name}: {len(value.op.graph.values)} values"]
    roles = operand_names(type(value.op), len(value.inputs))
    box: dict[str, Any] = {
        "name": names[value],
        "op": value.op.text_name,
        "family": type(value.op).__module__.rpartition(".")[2],
        "type": type_,
        "attributes": attributes,
        "operands": [
            [role, names[operand], place.get(operand, -1), *_weight_text(operand)]
            for role, operand in zip(roles, value.inputs, strict=True)
            if operand is not None
        ],
        "layers": list(value.origin.layers),
        "passes": list(value.origin.passes),
    }
    outputs = [
        n
        for n, v in zip(listing.graph.output_names, listing.graph.outputs, strict=True)
        if v is value
    ]
    if outputs:
        box["outputs"] = outputs
    last = f"{type_}  → {', '.join(outputs)}" if outputs else type_
    rows = (box["name"], " ".join([box["op"], *box["attributes"]]), last)
    letters = (LETTER, SMALL_LETTER, TYPE_LETTER)
    widest = max(len(row) * letter for row, letter in zip(rows, letters, strict=True))
    box["w"] = round(min(max(widest + PADDING, NARROWEST), WIDEST))
    box["h"] = round(3 * LINE_HEIGHT + 14)
    return box


def _weight_text(operand: Value) -> list[str]:
    """What a weight is, for the one that reads it: type, path or number, and layer."""
    if not _is_weight(operand):
        return []
    return [type_text(operand.type), operand.op.attribute_texts()[0], str(operand.origin)]
