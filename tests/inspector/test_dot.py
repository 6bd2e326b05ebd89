"""Graphs for Graphviz."""

import re
import shutil
import subprocess

import pytest

from kerac.inspector.differences import Listing
from kerac.inspector.dot import dot_text
from kerac.ir import parse
from tests.inspector.traces import nested, residual


def test_boxes_lines_and_weights() -> None:
    text = dot_text(Listing(residual()))
    assert text.startswith('digraph "residual" {\n')
    assert (
        '"conv" [label="conv\\nconvolution(padding=\\"same\\")\\nkernel kernel: f32[3, 3, 4, 4]\\n'
        in text
    )
    assert 'tooltip="block/conv"' in text
    edges = re.findall(r'"(\w+)" -> "(\w+)"', text)
    assert edges == [
        ("x", "conv"), ("conv", "activation"), ("activation", "sum"), ("x", "sum"),
        ("sum", "half"), ("half", "mean"),
    ]  # fmt: skip


def test_names_of_layers_cannot_break_out() -> None:
    text = dot_text(
        Listing(parse('def f(x: f32[N]):\n    y = relu(x)  # "] evil [\\"\n    return y'))
    )
    assert 'tooltip="\\"] evil [\\\\\\""' in text


@pytest.mark.parametrize("graph", [residual(), nested()], ids=["residual", "nested"])
def test_graphviz_reads_it(graph: object) -> None:
    if not shutil.which("dot"):
        pytest.skip("dot is not installed")
    subprocess.run(
        ["dot", "-Tsvg"], input=dot_text(Listing(graph)), text=True, check=True, capture_output=True
    )
