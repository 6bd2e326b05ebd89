"""A table of a model's layers, as Keras prints it."""

from __future__ import annotations

import io
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from kerac.ir.errors import CompileError
from kerac.layers.base import Layer
from kerac.layers.operation import Operation
from kerac.structure import leaves, map_structure

if TYPE_CHECKING:
    from kerac.layers.base import Layer
    from kerac.models.model import Model
    from kerac.tensor import Node


# Where columns end, as shares of the line, and the length of a line: those of Keras.
Ends = tuple[tuple[float, ...], int]
CHAIN: Ends = ((0.45, 0.80, 1.0), 88)
BRANCHES: Ends = ((0.3, 0.56, 0.74, 1.0), 108)


def summary_text(
    model: Model, line_length: int | None, expand_nested: bool, show_trainable: bool
) -> str:
    """The table as text."""
    from rich.console import Console
    from rich.table import Column, Table

    calls = _calls(model)
    branches = not _is_chain(calls)
    headers = ["Layer (type)", "Output Shape", "Param #"]
    headers += ["Connected to"] if branches else []
    headers += ["Trainable"] if show_trainable else []
    ends, usual = BRANCHES if branches else CHAIN
    if show_trainable:
        ends, usual = (*(end * 0.9 for end in ends), 1.0), usual + 12
    screen = shutil.get_terminal_size().columns
    length = line_length or min(usual, screen - 4)
    stops = [0, *(int(end * length) for end in ends)]
    columns = [
        Column(header, justify=_justified(header), width=max(stop - start, 4))
        for header, start, stop in zip(headers, stops, stops[1:], strict=False)
    ]
    table = Table(*columns, width=length, show_lines=True)
    for depth, layer in _rows(model, expand_nested, 0):
        row = [_title(layer, depth), _shape(layer), _count(layer)]
        row += [_sources(layer, calls)] if branches else []
        row += [_flag(layer)] if show_trainable else []
        table.add_row(*row)
    file = io.StringIO()
    width = max(screen, length)
    console = Console(file=file, width=width, color_system=None, highlight=False, markup=False)
    console.print(f'Model: "{model.name}"')
    console.print(table)
    for line in _totals(model):
        console.print(line)
    return file.getvalue().rstrip("\n")


def _justified(header: str) -> Literal["left", "right", "center"]:
    return "right" if header == "Param #" else "center" if header == "Trainable" else "left"


def _rows(model: Model, expand_nested: bool, depth: int) -> list[tuple[int, Layer]]:
    """The layers, and how deep they lie; operators only where they are the model's own."""
    from kerac.models.functional import Functional
    from kerac.models.model import Model

    members = model.operations if isinstance(model, Functional) and not depth else model.layers
    rows: list[tuple[int, Layer]] = []
    for layer in members:
        rows.append((depth, layer))
        if expand_nested and isinstance(layer, Model):
            rows += _rows(layer, expand_nested, depth + 1)
    return rows


def _calls(model: Model) -> dict[Node, None]:
    """The calls of a functional model, in order; others are shown as a chain."""
    from kerac.models.functional import Functional

    return dict.fromkeys(model._topology.nodes) if isinstance(model, Functional) else {}


def _is_chain(calls: dict[Node, None]) -> bool:
    """Whether each call reads one tensor, the result of the call before, and no layer is shared."""
    nodes = list(calls)
    one_by_one = all(
        [x.node for x in node.inputs] == [before] for before, node in pairwise(nodes)
    )
    return one_by_one and len({node.layer for node in nodes}) == len(nodes)


def _title(layer: Layer, depth: int) -> str:
    prefix = "   " * depth + "└ " if depth else ""
    return f"{prefix}{layer.name} ({getattr(layer, 'class_name', '') or type(layer).__name__})"


def _count(layer: Layer) -> str:
    if isinstance(layer, Operation):
        return "0"
    return f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"


def _flag(layer: Layer) -> str:
    """Whether training changes the weights."""
    return ("Y" if layer.trainable else "N") if layer.weights else "-"


def _shape(layer: Layer) -> str:
    if layer.nodes:
        shapes = map_structure(lambda x: str(x.shape), layer.nodes[-1].outputs)
    elif layer._build_shapes and type(layer).build is not Layer.build:
        try:
            given = layer.compute_output_shape(*layer._build_shapes.values())
        except CompileError:  # what it returns depends on more than shapes
            return "?"
        shapes = str(given)
    else:
        return "?"
    flat = leaves(shapes)
    if len(flat) == 1:
        return str(flat[0])
    return str(list(shapes) if isinstance(shapes, tuple) else shapes).replace("'", "")


def _sources(layer: Layer, calls: dict[Node, None]) -> str:
    """Layer, call and result that each argument comes from."""
    names = [
        f"{x.node.layer.name}[{x.node.layer.nodes.index(x.node)}][{x.position}]"
        for node in layer.nodes
        if node in calls
        for x in node.inputs
    ]
    return ", ".join(names) or "-"


def _totals(model: Model) -> list[str]:
    def line(label: str, variables: list[Any]) -> str:
        count = sum(v.size for v in variables)
        size = float(sum(v.size * v.type.numpy_dtype.itemsize for v in variables))
        units = iter(("B", "KB", "MB", "GB", "TB"))
        unit = next(units)
        while size >= 1024 and unit != "TB":
            size, unit = size / 1024, next(units)
        return f" {label}: {count:,} ({size:.2f} {unit})"

    state = list(model.optimizer.variables) if model.optimizer and model.optimizer.built else []
    lines = [
        line("Total params", [*model.weights, *state]),
        line("Trainable params", model.trainable_weights),
        line("Non-trainable params", model.non_trainable_weights),
    ]
    return [*lines, line("Optimizer params", state)] if state else lines
