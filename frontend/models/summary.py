"""A table of a model's layers, as Keras prints it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from kerac.structure import leaves

if TYPE_CHECKING:
    from kerac.layers.base import Layer
    from kerac.models.model import Model
    from kerac.tensor import Node


def summary_text(
    model: Model, line_length: int | None, expand_nested: bool, show_trainable: bool
) -> str:
    """The table as text."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=_box(), padding=(0, 1))
    branches = _has_branches(model)
    headers = ["Layer (type)", "Output Shape", "Param #"]
    headers += ["Connected to"] if branches else []
    headers += ["Trainable"] if show_trainable else []
    for header in headers:
        is_number = header == "Param #"
        table.add_column(header, justify="right" if is_number else "left", overflow="fold")
    for depth, layer, calls in _rows(model, expand_nested, 0):
        row = ["   " * depth + f"{layer.name} ({type(layer).__name__})", _shape(layer)]
        row.append(f"{layer.count_params():,}" if layer.built else "0 (unbuilt)")
        row += [_sources(calls)] if branches else []
        row += [_flag(layer)] if show_trainable else []
        table.add_row(*row)
    file = io.StringIO()
    console = Console(file=file, width=line_length or (96 if branches else 80), color_system=None)
    console.print(f'Model: "{model.name}"', highlight=False)
    console.print(table)
    for line in _totals(model):
        console.print(line, highlight=False)
    return file.getvalue().rstrip("\n")


def _box() -> Any:
    from rich import box

    return box.HEAVY_HEAD


def _rows(model: Model, expand_nested: bool, depth: int) -> list[tuple[int, Layer, list[Node]]]:
    """The layers, how deep they lie, and their calls in their model."""
    from kerac.models.model import Model

    calls = _calls(model)
    rows: list[tuple[int, Layer, list[Node]]] = []
    for layer in model.layers:
        rows.append((depth, layer, [node for node in layer.nodes if node in calls]))
        if expand_nested and isinstance(layer, Model):
            rows += _rows(layer, expand_nested, depth + 1)
    return rows


def _calls(model: Model) -> set[Node]:
    from kerac.models.functional import Functional
    from kerac.models.sequential import Sequential

    known = isinstance(model, Functional) or (isinstance(model, Sequential) and model.built)
    return set(model.functional()._topology.nodes) if known else set()


def _has_branches(model: Model) -> bool:
    rows = _rows(model, False, 0)
    return any(
        len(calls) > 1 or any(len(node.inputs) > 1 for node in calls) for _, _, calls in rows
    )


def _flag(layer: Layer) -> str:
    """Whether training changes the weights."""
    return ("Y" if layer.trainable else "N") if layer.weights else "-"


def _shape(layer: Layer) -> str:
    if not layer.nodes:
        return "?"
    shapes = [str(x.shape) for x in leaves(layer.nodes[0].outputs)]
    return ", ".join(shapes)


def _sources(calls: list[Node]) -> str:
    """Layer, call and result that each argument comes from."""
    names = [
        f"{x.node.layer.name}[{x.node.layer.nodes.index(x.node)}][{x.position}]"
        for node in calls
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

    return [
        line("Total params", model.weights),
        line("Trainable params", model.trainable_weights),
        line("Non-trainable params", model.non_trainable_weights),
    ]
