"""`kerac info`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from kerac.command_line.console import examples, write
from kerac.command_line.source import is_library, load_graph, model_argument
from kerac.ir import Graph, Value, type_text
from kerac.ir.ops.constant import Call, Constant, Input, Parameter
from kerac.timing.table import bytes_text

EXAMPLES = (
    "kerac info model.keras",
    "kerac info model.so --json",
)


@click.command(
    "info",
    short_help="Show inputs, outputs and weights of a model or library.",
    epilog=examples(EXAMPLES),
)
@model_argument
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
def info_command(model: Path, as_json: bool) -> None:
    """Show the inputs, outputs and weights of MODEL, a model file or a compiled library."""
    found = _library_info(model) if is_library(model) else _model_info(model)
    write(json.dumps(found, indent=2, ensure_ascii=False) if as_json else _text(found))


def _library_info(path: Path) -> dict[str, Any]:
    from kerac.runtime import load

    library = load(path)
    info = library.info
    return {
        "file": str(path),
        "kind": "library",
        "file_bytes": path.stat().st_size,
        "name": info.name,
        "producer": info.producer,
        "target": info.target,
        "variant": library.variant,
        "abi_version": info.abi_version,
        "dims": list(info.dim_names),
        "inputs": [{"name": t.name, "type": t.type} for t in info.inputs],
        "outputs": [{"name": t.name, "type": t.type, "origin": t.origin} for t in info.outputs],
        "weights_bytes": info.weights_size,
    }


def _model_info(path: Path) -> dict[str, Any]:
    from kerac.inspector.report import count_values, weight_counts

    graph = load_graph(path, numbers_matter=False)
    weights, size = weight_counts(graph)
    return {
        "file": str(path),
        "kind": "model",
        "file_bytes": path.stat().st_size,
        "name": graph.name,
        "dims": list(graph.symbols),
        "inputs": [
            _describe(name, v) for name, v in zip(graph.input_names, graph.inputs, strict=True)
        ],
        "outputs": [
            {**_describe(name, value), "origin": str(value.origin)}
            for name, value in zip(graph.output_names, graph.outputs, strict=True)
        ],
        "weights": weights,
        "weights_bytes": size,
        "values": count_values(graph),
        "ops": dict(_ops(graph).most_common()),
    }


def _describe(name: str, value: Value) -> dict[str, str]:
    return {"name": name, "type": type_text(value.type)}


def _ops(graph: Graph) -> Counter[str]:
    """How often each op computes something."""
    counts: Counter[str] = Counter()
    for value in graph.values:
        if isinstance(value.op, Input | Constant | Parameter):
            continue
        counts += (
            _ops(value.op.graph) if isinstance(value.op, Call) else Counter([value.op.text_name])
        )
    return counts


def _text(found: dict[str, Any]) -> str:
    rows = [("name", found["name"]), ("kind", found["kind"])]
    rows += [(key, found[key]) for key in ("producer", "target", "variant") if key in found]
    for kind in ("inputs", "outputs"):
        for number, tensor in enumerate(found[kind]):
            origin = f", from {tensor['origin']}" if tensor.get("origin") else ""
            rows.append(
                (kind if number == 0 else "", f"{tensor['name']}: {tensor['type']}{origin}")
            )
    rows.append(("dims", ", ".join(found["dims"]) or "none: all shapes are fixed"))
    count = f"{found['weights']:,} numbers, " if "weights" in found else ""
    rows.append(("weights", f"{count}{bytes_text(found['weights_bytes'])}"))
    rows.append(("file", f"{found['file']}, {bytes_text(found['file_bytes'])}"))
    if "ops" in found:
        ops = ", ".join(f"{name} ×{count}" for name, count in found["ops"].items())
        rows.append(("values", f"{found['values']}: {ops}"))
    if "abi_version" in found:
        rows.append(("interface", f"version {found['abi_version']}"))
    return "\n".join(f"{key:<10} {text}" for key, text in rows)
