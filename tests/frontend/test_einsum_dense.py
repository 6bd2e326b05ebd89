"""EinsumDense against real Keras, and equations by themselves against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kerac
from kerac.ir import CompileError, Graph, TensorType, evaluate_graph
from kerac.ir.ops import graph_input
from kerac.layers.einsum import einsum
from tests.compare import assert_close
from tests.frontend.checking import check_layer


@pytest.mark.parametrize(
    ("equation", "output_shape", "bias_axes", "shape"),
    [
        ("ab,bc->ac", 4, "c", (3, 5)),
        ("abc,cde->abde", (None, 3, 4), "de", (2, 5, 6)),
        ("abcd,cde->abe", (5, 7), "e", (2, 5, 3, 4)),
        ("...x,xy->...y", 7, "y", (2, 5, 6)),
        ("ab...,bc->ac...", 7, "c", (2, 5, 6)),
        ("abc,bd->acd", (6, 4), "cd", (2, 5, 6)),
        ("abc,bcd->abd", (5, 4), None, (2, 5, 6)),
    ],
)
def test_equations(
    equation: str, output_shape: Any, bias_axes: str | None, shape: tuple[int, ...]
) -> None:
    def make(layers: Any) -> Any:
        return layers.EinsumDense(equation, output_shape, bias_axes=bias_axes, activation="relu")

    free = [1] if equation == "abc,cde->abde" else []
    check_layer(make, shape, free=free)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk", [(3, 4), (4, 5)]),
        ("ij,jk->ki", [(3, 4), (4, 5)]),
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
        ("...ij,jk->...ik", [(2, 3, 4), (4, 5)]),
        ("i,j->ij", [(3,), (4,)]),
        ("bi,bi->b", [(3, 4), (3, 4)]),
        ("bi,bi->bi", [(3, 4), (3, 4)]),
        ("ijk->kj", [(2, 3, 4)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
        ("aij,b->aj", [(2, 3, 4), (5,)]),
    ],
)
def test_einsum(equation: str, shapes: list[tuple[int, ...]]) -> None:
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape) for shape in shapes]
    inputs = [graph_input(f"x{i}", TensorType("f64", shape)) for i, shape in enumerate(shapes)]
    graph = Graph("einsum", tuple(inputs), (einsum(equation, *inputs),))
    assert_close(evaluate_graph(graph, arrays)[0], np.einsum(equation, *arrays))


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("ab", "must be like 'ab,bc->ac'"),
        ("abc,cd->abd", "does not name 2 axes"),
        ("ab,bc->aa", "names an axis twice"),
        ("ab,bc->ad", "has 'd' in its result alone"),
    ],
)
def test_mistakes(equation: str, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        kerac.layers.EinsumDense(equation, 3)(np.ones((2, 3), "float32"))
