"""`kerac export`."""

from __future__ import annotations

from pathlib import Path

import click

from kerac.command_line.console import examples, progress, say, size_text
from kerac.command_line.source import load_graph, model_argument, weights_option

EXAMPLES = (
    "kerac export model.keras -o model.onnx",
    "kerac export model.keras -o model.onnx --opset 21",
)


def _onnx_path(_: click.Context, __: click.Parameter, path: Path) -> Path:
    if path.suffix != ".onnx":
        raise click.BadParameter(f"{path} must end in .onnx")
    return path


@click.command("export", epilog=examples(EXAMPLES))
@model_argument
@weights_option
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT.onnx",
    callback=_onnx_path, help="The file to write.",
)  # fmt: skip
@click.option(
    "--opset",
    type=click.IntRange(min=1),
    help="The version of ONNX's operators; the default suits most runtimes.",
)
def export_command(model: Path, weights: Path | None, output: Path, opset: int | None) -> None:
    """Write MODEL as an ONNX file, checked by ONNX's own checker."""
    from kerac.compile import export_onnx

    graph = load_graph(model, weights)
    with progress(f"exporting {model}"):
        export_onnx(graph, output, opset)
    say(f"{output}  {size_text(output)}")
