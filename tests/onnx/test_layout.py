"""Transposes are where the meaning of an op needs one, and nowhere else."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kerac.backends.onnx import export_graph
from kerac.ir import Graph, parse
from tests.onnx.session import assert_same_as_reference, count


def graph_of(text: str) -> Graph:
    """Read IR text and give its parameters random values."""
    random = np.random.default_rng(1)
    found = re.findall(r'f32\[([\d, ]*)\] = parameter\("([^"]*)"\)', text)
    weights = {
        path: random.uniform(0.1, 0.5, [int(n) for n in shape.split(",")]).astype(np.float32)
        for shape, path in found
    }
    return parse(text, weights)


def arrays_of(graph: Graph, sizes: dict[str, int]) -> list[np.ndarray]:
    random = np.random.default_rng(2)
    shapes = [value.tensor_type.substitute(sizes).shape for value in graph.inputs]
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def transposes(text: str, **options: int) -> int:
    """The number of transposes in the export, which agrees with the reference for two batches."""
    graph = graph_of(text)
    for batch in (1, 3):
        model = assert_same_as_reference(graph, arrays_of(graph, {"N": batch, "T": 4}), **options)
    return count(model, "Transpose")


NETWORK = """
def network(x: f32[N, 20, 20, 3]):
    stem_kernel: f32[3, 3, 3, 8] = parameter("stem/kernel")
    mean: f32[8] = parameter("bn/mean")
    variance: f32[8] = parameter("bn/variance")
    gamma: f32[8] = parameter("bn/gamma")
    slopes: f32[20, 20, 8] = parameter("prelu/alpha")
    depthwise: f32[3, 3, 8, 1] = parameter("depthwise/kernel")
    depthwise_kernel = reshape(depthwise, shape=(3, 3, 1, 8))
    pointwise: f32[1, 1, 8, 8] = parameter("pointwise/kernel")
    bias: f32[8] = parameter("pointwise/bias")
    squeeze_kernel: f32[1, 1, 8, 2] = parameter("squeeze/kernel")
    excite_kernel: f32[1, 1, 2, 8] = parameter("excite/kernel")
    dense_kernel: f32[400, 5] = parameter("dense/kernel")
    scaled = multiply(x, 0.5)
    stem = convolution(scaled, stem_kernel, padding="same")
    normal = batch_norm(stem, mean, variance, gamma=gamma, axis=3)
    steep = multiply(minimum(normal, 0.0), slopes)
    prelu = add(maximum(normal, 0.0), steep)
    apart = convolution(prelu, depthwise_kernel, groups=8, padding="same", activation="relu6")
    mixed = convolution(apart, pointwise, bias=bias, residual=prelu, activation="hard_silu")
    pooled = reshape(reduce_mean(mixed, axes=(1, 2)), shape=(N, 1, 1, 8))
    squeezed = convolution(pooled, squeeze_kernel, activation="relu")
    excited = convolution(squeezed, excite_kernel, activation="sigmoid")
    gated = multiply(mixed, excited)
    softened = softmax(gated, axis=3)
    both = concatenate(gated, softened, axis=3)
    half = slice(both, start=(0, 0, 0, 4), stop=(N, 20, 20, 8))
    padded = pad(half, padding=((0, 0), (1, 1), (1, 1), (0, 0)))
    small = average_pool(padded, window=(2, 2), strides=(2, 2), padding="valid")
    less = slice(max_pool(small, window=(2, 2), strides=(1, 1)), start=(0, 0, 0, 0),
                 stop=(N, 10, 10, 4))
    flat = reshape(dropout(less, rate=0.5), shape=(N, 400))
    return softmax(dense(flat, dense_kernel), axis=1)
"""


@pytest.mark.parametrize("opset", [13, 17, 24])
def test_a_network_has_one_at_the_input_and_one_before_the_dense_layer(opset: int) -> None:
    assert transposes(NETWORK, opset=opset) == 2


def test_constants_are_stored_in_the_order_in_which_they_are_read() -> None:
    model = export_graph(graph_of(NETWORK))
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    assert shapes["stem/kernel"] == (8, 3, 3, 3)
    assert shapes["depthwise/kernel"] == (8, 1, 3, 3)
    assert shapes["prelu/alpha"] == (8, 20, 20)
    assert shapes["dense/kernel"] == (400, 5)


def test_global_pooling_needs_none() -> None:
    text = """
def f(x: f32[N, 8, 8, 3]):
    kernel: f32[3, 3, 3, 4] = parameter("kernel")
    return reduce_max(convolution(x, kernel), axes=(1, 2))
"""
    assert transposes(text) == 1


def test_channels_first_models_need_none() -> None:
    text = """
def f(x: f32[N, 3, 8, 8]):
    kernel: f32[3, 3, 3, 4] = parameter("kernel")
    mean: f32[4] = parameter("mean")
    variance: f32[4] = parameter("variance")
    last = transpose(x, permutation=(0, 2, 3, 1))
    first = transpose(convolution(last, kernel), permutation=(0, 3, 1, 2))
    normal = relu(batch_norm(first, mean, variance, axis=1))
    again = max_pool(transpose(normal, permutation=(0, 2, 3, 1)), window=(2, 2), strides=(2, 2))
    return transpose(again, permutation=(0, 3, 1, 2))
"""
    assert transposes(text) == 0


def test_an_operand_of_two_branches_is_transposed_once() -> None:
    text = """
def f(x: f32[N, 8, 8, 3]):
    one: f32[3, 3, 3, 4] = parameter("one")
    other: f32[1, 1, 3, 4] = parameter("other")
    a = convolution(multiply(x, 0.5), one, padding="same")
    b = convolution(add(x, 1.0), other)
    return reduce_sum(add(a, b), axes=(1, 2, 3))
"""
    assert transposes(text) == 1


def test_results_that_are_read_twice_are_transposed_once() -> None:
    text = """
def f(x: f32[N, 3, 8]):
    swapped = transpose(x, permutation=(0, 2, 1))
    a = reshape(sigmoid(swapped), shape=(N, 24))
    b = reshape(relu(swapped), shape=(N, 24))
    return add(a, b)
"""
    assert transposes(text) == 1


def test_axes_of_length_one_are_reshaped() -> None:
    text = """
def f(x: f32[N, 1, 8, 1]):
    kernel: f32[1, 3, 1, 1] = parameter("kernel")
    return reshape(convolution(x, kernel), shape=(N, 6))
"""
    assert transposes(text) == 0


def test_one_dimension_and_layer_norm() -> None:
    text = """
def f(x: f32[N, T, 6]):
    kernel: f32[3, 6, 6] = parameter("kernel")
    gamma: f32[6] = parameter("gamma")
    dense_kernel: f32[6, 6] = parameter("dense/kernel")
    mixed = convolution(x, kernel, padding="same")
    normal = layer_norm(mixed, gamma=gamma, axes=(2,))
    return add(dense(normal, dense_kernel, activation="gelu"), x)
"""
    assert transposes(text) == 2
    assert transposes(text, opset=13) == 2


def test_attention() -> None:
    text = """
def f(x: f32[N, T, 8]):
    query_kernel: f32[8, 8] = parameter("query")
    value_kernel: f32[8, 8] = parameter("value")
    q = reshape(dense(x, query_kernel), shape=(N, T, 2, 4))
    v = reshape(dense(x, value_kernel), shape=(N, T, 2, 4))
    queries = transpose(q, permutation=(0, 2, 1, 3))
    keys = transpose(q, permutation=(0, 2, 3, 1))
    scores = softmax(multiply(matmul(queries, keys), 0.5), axis=3)
    mixed = matmul(scores, transpose(v, permutation=(0, 2, 1, 3)))
    return reshape(transpose(mixed, permutation=(0, 2, 1, 3)), shape=(N, T, 8))
"""
    assert transposes(text) == 4


def test_upsampling_is_one_resize() -> None:
    text = """
def f(x: f32[N, 4, 5, 3]):
    kernel: f32[3, 3, 3, 4] = parameter("kernel")
    second: f32[3, 3, 4, 2] = parameter("second")
    tall = repeat(convolution(x, kernel, padding="same"), axis=1, count=3)
    large = repeat(tall, axis=2, count=2)
    return reduce_max(convolution(large, second, padding="same"), axes=(1, 2))
"""
    assert transposes(text) == 1
    assert count(export_graph(graph_of(text)), "Resize") == 1


@pytest.mark.parametrize(
    ("order", "expected"), [("(0, 3, 1, 2)", 1), ("(3, 2, 1, 0)", 0), ("(2, 0, 3, 1)", 1)]
)
def test_transposes_around_elementwise_ops_meet(order: str, expected: int) -> None:
    text = f"""
def f(x: f32[2, 3, 4, 5]):
    swapped = transpose(x, permutation={order})
    scaled = add(multiply(swapped, 0.5), 2.0)
    back = transpose(sigmoid(scaled), permutation={order})
    return back, transpose(reverse(scaled, axes=(1, 3)), permutation={order})
"""
    assert transposes(text) == expected


def test_operands_that_broadcast() -> None:
    text = """
def f(x: f32[N, 3, 4, 5], a: f32[4, 1], b: f32[5], c: f32[3, 1, 1], d: f32, e: f32[N, 1, 4, 1]):
    kernel: f32[1, 1, 5, 5] = parameter("kernel")
    constant: f32[3, 4, 1] = parameter("constant")
    mixed = convolution(x, kernel)
    y = multiply(add(add(mixed, a), b), subtract(divide(mixed, constant), c))
    return reduce_sum(multiply(maximum(y, e), d), axes=(1,))
"""
    assert transposes(text) == 2
