"""`kerac verify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from kerac.command_line.arrays import inputs_option, read_inputs
from kerac.command_line.comparison import (
    Layer,
    deviation,
    first_deviating_prefix,
    layers_of,
    with_layers,
)
from kerac.command_line.console import examples, progress, say, write
from kerac.command_line.contestants import CONTESTANTS, Inputs, NotAvailableError, run_reference
from kerac.command_line.samples import sample_inputs
from kerac.command_line.source import (
    dims_option,
    load_graph,
    model_argument,
    read_dims,
    weights_option,
)
from kerac.ir import Graph

EXAMPLES = (
    "kerac verify model.keras",
    "kerac verify model.keras --input images.npy --layers",
    "kerac verify model.keras --batch 32 --tolerance 1e-4",
)
MISMATCH = 1

Array = np.ndarray[Any, Any]


@click.command(
    "verify", short_help="Compare all ways to compute a model.", epilog=examples(EXAMPLES)
)
@model_argument
@weights_option
@inputs_option
@click.option("--batch", type=click.IntRange(min=1), default=3, show_default=True, help="Rows.")
@dims_option
@click.option("--seed", type=int, default=0, show_default=True, help="Of the inputs made up.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    default=5e-5,
    show_default=True,
    help="The largest difference allowed, as a part of the output's largest magnitude.",
)
@click.option("--layers", is_flag=True, help="Compare layer by layer; name the first that differs.")
@click.pass_context
def verify_command(
    ctx: click.Context,
    model: Path,
    weights: Path | None,
    inputs: tuple[str, ...],
    batch: int,
    dims: tuple[str, ...],
    seed: int,
    tolerance: float,
    layers: bool,
) -> None:
    """Compare all ways to compute MODEL: reference, compiled in memory, as a library, by ONNX.

    The reference is the graph as traced from the model, op by op in NumPy. Exits with 1 where an
    output differs by more than the tolerance.
    """
    graph = load_graph(model, weights)
    lengths = dict.fromkeys(_batch_symbols(graph), batch) | read_dims(graph, dims)
    arrays = _arrays(graph, inputs, seed, lengths)
    if layers:
        agrees = _verify_layers(graph, arrays, tolerance)
    else:
        agrees = _verify_outputs(graph, arrays, tolerance)
    if not agrees:
        ctx.exit(MISMATCH)


def _batch_symbols(graph: Graph) -> set[str]:
    return {str(v.shape[0]) for v in graph.inputs if v.shape and str(v.shape[0]) in graph.symbols}


def _arrays(graph: Graph, texts: tuple[str, ...], seed: int, lengths: dict[str, int]) -> Inputs:
    if not texts:
        return sample_inputs(_inlined(graph), seed, lengths)
    from kerac.backends.reference import ReferenceExecutable
    from kerac.runtime.arguments import arrange, bind_dims

    info = ReferenceExecutable(graph).info
    arrays = arrange(info, (read_inputs(info.inputs, texts),))
    bind_dims(info, arrays)
    return dict(zip(graph.input_names, arrays, strict=True))


def _inlined(graph: Graph) -> Graph:
    from kerac.passes.inline_calls import InlineCalls

    return InlineCalls()(graph)


def _verify_outputs(graph: Graph, inputs: Inputs, tolerance: float) -> bool:
    with progress("interpreting"):
        expected = run_reference(graph, inputs)
    rows = [("output", *CONTESTANTS)]
    columns, agrees = [], True
    for name in CONTESTANTS:
        results = _results(name, graph, inputs)
        cells, fits = _cells(results, expected, tolerance)
        columns.append(cells)
        agrees &= fits
    rows += list(zip(graph.output_names, *columns, strict=True))
    _write_table(rows)
    say(_verdict(agrees, tolerance))
    return agrees


def _verify_layers(graph: Graph, inputs: Inputs, tolerance: float) -> bool:
    graph = _inlined(graph)
    layers = layers_of(graph)
    wide = with_layers(graph, layers)
    with progress("interpreting"):
        expected = run_reference(wide, inputs)
    columns, firsts, agrees = [], [], True
    for name in CONTESTANTS:
        results = _results(name, wide, inputs)
        cells, fits = _cells(results, expected, tolerance)
        columns.append(cells)
        if fits and results is not None:
            fits = _prefixes_agree(name, graph, layers, expected, inputs, tolerance)
        elif results is not None:
            layer = layers[next(i for i, cell in enumerate(cells) if cell.endswith(DIFFERS))]
            firsts.append(f"{name}: the first layer that differs is {_describe(layer)}")
        agrees &= fits
    rows = [("layer", "op", "type", *CONTESTANTS)]
    rows += [
        (layer.name, layer.value.op.text_name, str(layer.value.type), *cells)
        for layer, *cells in zip(layers, *columns, strict=True)
    ]
    _write_table(rows)
    for text in firsts:
        say(text)
    say(_verdict(agrees, tolerance))
    return agrees


def _prefixes_agree(
    name: str,
    graph: Graph,
    layers: Sequence[Layer],
    expected: Sequence[Array],
    inputs: Inputs,
    tolerance: float,
) -> bool:
    """Whether the whole graph agrees too, where passes fuse what outputs of layers keep apart."""
    results, reference = _results(name, graph, inputs), run_reference(graph, inputs)
    if _cells(results, reference, tolerance)[1]:
        return True
    with progress(f"{name}: looking for the layer"):
        layer = first_deviating_prefix(
            graph, layers, expected, CONTESTANTS[name], inputs, tolerance
        )
    where = _describe(layer) if layer else "not found by cutting the graph off"
    say(f"{name}: only fused layers differ; the first is {where}")
    return False


DIFFERS = " differs"


def _results(name: str, graph: Graph, inputs: Inputs) -> Sequence[Array] | None:
    try:
        with progress(f"{name}: compiling and running"):
            return CONTESTANTS[name](graph, inputs)
    except NotAvailableError as error:
        say(f"{name}: left out: {error}")
        return None


def _cells(
    results: Sequence[Array] | None, expected: Sequence[Array], tolerance: float
) -> tuple[list[str], bool]:
    """A cell of the table for each output, and whether all agree."""
    if results is None:
        return ["-"] * len(expected), True
    cells, agrees = [], True
    for found, wanted in zip(results, expected, strict=True):
        apart = deviation(found, wanted)
        exceeds = apart.exceeds(tolerance)
        agrees &= not exceeds
        cells.append(f"{apart.relative:.1e}{DIFFERS if exceeds else ''}")
    return cells, agrees


def _describe(layer: Layer) -> str:
    return f"{layer.name} ({layer.value!r})"


def _verdict(agrees: bool, tolerance: float) -> str:
    if agrees:
        return f"all agree with the reference within {tolerance:g} of the largest magnitude"
    return f"not all agree with the reference within {tolerance:g} of the largest magnitude"


def _write_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        write("  ".join(cells).rstrip())
