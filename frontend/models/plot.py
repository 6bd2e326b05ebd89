"""A model as boxes and arrows, as Keras draws it: text for Graphviz, or a picture."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from kerac.configured import suggestion
from kerac.ir.errors import CompileError
from kerac.layers.base import Layer
from kerac.layers.input import InputLayer
from kerac.models.functional import Functional
from kerac.models.model import Model
from kerac.models.sequential import Sequential
from kerac.structure import map_structure
from kerac.tensor import KerasTensor, Node

DIRECTIONS = ("TB", "BT", "LR", "RL")
TEXT_FORMATS = ("dot", "gv")


@dataclass(frozen=True)
class Cell:
    """One field of a box: what it is called, its value, and a colour that is not white."""

    label: str
    value: str
    color: str = ""


@dataclass(frozen=True)
class Box:
    """A layer: its title in two parts, then rows of fields."""

    number: int
    name: str
    class_name: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass
class Dot:
    """Boxes, clusters of them and arrows; `to_string()` is Graphviz's language."""

    name: str
    rankdir: str = "TB"
    dpi: int = 200
    splines: str = "ortho"
    members: list[Box | Dot] = field(default_factory=list)
    edges: dict[tuple[int, int], None] = field(default_factory=dict)

    def boxes(self) -> Iterator[Box]:
        """All boxes, those in clusters included, each where it stands first."""
        for member in self.members:
            yield from member.boxes() if isinstance(member, Dot) else (member,)

    def clusters(self) -> Iterator[Dot]:
        """All clusters, outer ones first."""
        for member in self.members:
            if isinstance(member, Dot):
                yield member
                yield from member.clusters()

    def to_string(self) -> str:
        """The diagram in the language of Graphviz."""
        lines = [
            f"digraph {_quoted(self.name)} {{",
            f'rankdir="{self.rankdir}"; concentrate=true; dpi={self.dpi}; splines={self.splines};',
            'node [shape=record, fontname="Helvetica", margin=0];',
            *self._member_lines(),
            *(f"{source} -> {target} [penwidth=2];" for source, target in self.edges),
        ]
        return "\n".join([*lines, "}", ""])

    def _member_lines(self) -> Iterator[str]:
        for member in self.members:
            if isinstance(member, Box):
                yield f"{member.number} [label={_table(member)}];"
                continue
            name = _quoted(member.name)
            yield f"subgraph {_quoted(f'cluster_{member.name}')} {{"
            yield f"label={name}; labeljust=l; style=dashed;"
            yield from member._member_lines()
            yield "}"

    def write(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the text (`dot`, `gv`) or a picture in one of matplotlib's formats."""
        form = format or os.path.splitext(path)[1][1:] or "png"
        if form in TEXT_FORMATS:
            Path(path).write_text(self.to_string(), encoding="utf-8")
        else:
            from kerac.models.drawing import draw

            draw(self, path, form)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _table(box: Box) -> str:
    """The box as a table in Graphviz's HTML."""
    columns = max((len(row) for row in box.rows), default=1)
    title = f"<b>{escape(box.name or box.class_name)}</b>"
    title += f" ({escape(box.class_name)})" if box.name else ""
    text = '<<table border="0" cellborder="1" bgcolor="black" cellpadding="10">'
    text += f'<tr><td colspan="{columns}" bgcolor="black">'
    text += f'<font point-size="16" color="white">{title}</font></td></tr>'
    for row in box.rows:
        text += "<tr>"
        for cell in row:
            span = columns if len(row) == 1 else 1
            font = ' color="white"' if cell.color else ""
            label = f"{escape(cell.label)}: " if cell.label else ""
            text += f'<td bgcolor="{cell.color or "white"}" colspan="{span}">'
            text += f'<font point-size="14"{font}>{label}<b>{escape(cell.value)}</b></font></td>'
        text += "</tr>"
    return text + "</table>>"


@dataclass(frozen=True)
class _Options:
    shapes: bool
    dtype: bool
    names: bool
    nested: bool
    activations: bool
    trainable: bool


class _Drawer:
    """Numbers for layers, and the boxes and arrows of a model and those in it."""

    def __init__(self, options: _Options, dot: Dot) -> None:
        self.options = options
        self.dot = dot
        self.numbers: dict[Layer, int] = {}

    def number(self, layer: Layer) -> int:
        return self.numbers.setdefault(layer, len(self.numbers))

    def add(self, model: Model, to: Dot) -> None:
        """Put the layers of a model into `to`, and its arrows into the diagram."""
        if not isinstance(model, Functional | Sequential):
            to.members.append(self.box(model))
            return
        layers = model.layers if isinstance(model, Sequential) else model.operations
        for layer in layers:
            if layer in self.numbers:
                continue
            self.number(layer)
            if self.options.nested and isinstance(layer, Functional | Sequential):
                cluster = Dot(str(layer.name))
                to.members.append(cluster)
                self.add(layer, cluster)
            else:
                to.members.append(self.box(layer))
        for node in _whole(model)._topology.nodes:
            for position, tensor in enumerate(node.inputs):
                self.connect(model, tensor, node, position)

    def connect(self, model: Model, tensor: KerasTensor, node: Node, position: int) -> None:
        """The arrow of an argument, which ends at layers inside models where these are drawn."""
        source, target = tensor.node.layer, node.layer
        if isinstance(model, Sequential) and isinstance(source, InputLayer):
            return
        while self.options.nested and isinstance(source, Functional | Sequential):
            tensor = source.outputs[tensor.position]
            source = tensor.node.layer
        while self.options.nested and isinstance(target, Functional | Sequential):
            if isinstance(target, Sequential):
                target = target.layers[0]
            else:
                target = target.inputs[position].node.layer
        self.dot.edges.setdefault((self.number(source), self.number(target)))

    def box(self, layer: Layer) -> Box:
        class_name = getattr(layer, "class_name", "") or type(layer).__name__
        rows: list[tuple[Cell, ...]] = []
        activation = getattr(layer, "activation", None)
        if self.options.activations and activation is not None:
            rows.append((Cell("Activation", _activation_name(activation)),))
        cells = tuple(self.cells(layer))
        rows += [cells] if cells else []
        name = str(layer.name) if self.options.names else ""
        return Box(self.number(layer), name, class_name, tuple(rows))

    def cells(self, layer: Layer) -> Iterator[Cell]:
        if self.options.shapes:
            if not isinstance(layer, InputLayer):
                yield Cell("Input shape", _of_tensors(layer, "input", "shape"))
            yield Cell("Output shape", _of_tensors(layer, "output", "shape"))
        if self.options.dtype:
            yield Cell("Output dtype", _of_tensors(layer, "output", "dtype"))
        if self.options.trainable and layer.weights:
            if layer.trainable:
                yield Cell("", "Trainable", "forestgreen")
            else:
                yield Cell("", "Non-trainable", "firebrick")


def _whole(model: Functional | Sequential) -> Functional:
    return model.whole() if isinstance(model, Sequential) else model


def _activation_name(activation: Any) -> str:
    name = getattr(activation, "name", None) or getattr(activation, "__name__", None)
    return str(name or activation)


def _of_tensors(layer: Layer, side: str, attribute: str) -> str:
    """Shapes or dtypes of what goes in or comes out; unknown if the layer has several calls."""
    try:
        found = map_structure(lambda x: getattr(x, attribute), getattr(layer, side))
    except (CompileError, AttributeError, IndexError):
        return "?"
    if isinstance(found, dict):
        return ", ".join(f"{key}: {value}" for key, value in found.items())
    return str(found)


def model_to_dot(
    model: Model,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Dot:
    """The layers of a model as boxes and arrows.

    `subgraph` is what Keras makes of a model in a model; here clusters are diagrams all the same.
    """
    if not isinstance(model, Model) or not model.built:
        raise CompileError(
            f"{getattr(model, 'name', model)!s:.40}: is drawn, but is no model that is built",
            remedy="Begin the model with kerac.Input(shape), or call it on data first.",
        )
    if rankdir not in DIRECTIONS:
        raise CompileError(
            f"model_to_dot: rankdir is {rankdir!r}, but must be one of {', '.join(DIRECTIONS)}",
            remedy=suggestion(str(rankdir), list(DIRECTIONS)),
        )
    options = _Options(
        show_shapes,
        show_dtype,
        show_layer_names,
        expand_nested,
        show_layer_activations,
        show_trainable,
    )
    dot = Dot(str(model.name), rankdir, dpi, splines)
    _Drawer(options, dot).add(model, dot)
    return dot


def plot_model(
    model: Model, to_file: str | os.PathLike[str] = "model.png", **options: Any
) -> Any:
    """Draw a model into a file: a picture by matplotlib, or text for Graphviz (`.dot`, `.gv`).

    `options` are those of `model_to_dot`. In a notebook the picture is returned.
    """
    model_to_dot(model, **options).write(to_file)
    display = sys.modules.get("IPython.display")
    form = os.path.splitext(to_file)[1][1:]
    if display is None or form in (*TEXT_FORMATS, "pdf"):
        return None
    return (display.SVG if form == "svg" else display.Image)(filename=os.fspath(to_file))
