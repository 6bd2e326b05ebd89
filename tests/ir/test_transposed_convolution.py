"""A convolution turned round is its adjoint: <conv(x), g> = <x, turned(g)>."""

import numpy as np
import pytest

from kerac.compile import substitute_dims
from kerac.ir import Graph, evaluate_graph, ops, symbol, type_of
from kerac.ir.gradients.convolution import spread_back
from kerac.ir.ops import graph_input
from kerac.ir.types import TensorType


@pytest.mark.parametrize("seed", range(40))
def test_the_adjoint_of_a_convolution(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rank, groups = int(draw.integers(1, 3)), int(draw.integers(1, 3))
    window = draw.integers(1, 6, rank).tolist()
    strides = tuple(draw.integers(1, 4, rank).tolist())
    lengths = [size + int(draw.integers(0, 8)) for size in window]
    padding = tuple((int(draw.integers(0, n)), int(draw.integers(0, n))) for n in window)
    x = draw.normal(size=(2, *lengths, 2 * groups))
    kernel = draw.normal(size=(*window, 2, 3 * groups))
    convolution = ops.Convolution(strides=strides, padding=padding, groups=groups)
    y = convolution.evaluate(x, kernel)
    g = draw.normal(size=y.shape)
    names = "HW"[:rank]
    symbols = tuple(map(symbol, names))
    shape = convolution.infer(TensorType("f64", (2, *symbols, 2 * groups)), type_of(kernel)).shape
    found = []
    for places, target in ((type_of(g), tuple(lengths)), (TensorType("f64", shape), symbols)):
        inputs = graph_input("g", places), graph_input("kernel", type_of(kernel))
        turned = spread_back(*inputs, target, strides, (1,) * rank, padding, groups)
        graph = Graph("turned", inputs, (turned,))
        if graph.symbols:
            graph = substitute_dims(graph, dict(zip(names, lengths, strict=True)))
        found.append(evaluate_graph(graph, [g, kernel])[0])
    assert found[0].shape == x.shape
    np.testing.assert_allclose((x * found[0]).sum(), (y * g).sum(), rtol=1e-9)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)
