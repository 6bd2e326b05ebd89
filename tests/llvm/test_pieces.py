"""Values that lie inside larger ones: what is joined or split along the last axis is not copied."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.memory import plan_memory
from kerac.backends.llvm.target import find_target
from kerac.ir import Graph, TensorType, Value, parse
from kerac.ir import ops as o
from tests.llvm.native import check
from tests.random_graphs import N

WIDTHS = (16, 24, 32)  # at least a vector, so that rows may lie apart


def launched(graph: Graph) -> list[str]:
    """The kernels that a graph runs, without their numbers."""
    plan = lower_graph(graph, find_target())
    return [launch.kernel.name.rpartition("_")[0] for launch in plan.launches]


READERS = {
    "elementwise": "tanh(c)",
    "broadcast": "add(c, reshape(reduce_mean(x, axes=(1, 2)), shape=(N, 1, 1, 32)))",
    "pointwise": "convolution(c, k1, activation='relu')",
    "same": "convolution(c, k3, padding='same')",
    "strided": "convolution(c, k3, strides=(2, 2))",
    "groups": "convolution(c, kg, groups=2)",
    "depthwise": "convolution(c, kd, padding='same', groups=32)",
    "wide": "convolution(c, kw, padding='same')",
    "residual": "convolution(x, ks, residual=c)",
    "dense": "dense(c, w)",
    "max_pool": "max_pool(c, window=(3, 3), strides=(2, 2), padding='same')",
    "average_pool": "average_pool(c, window=(2, 2), strides=(1, 1))",
    "wide_pool": "max_pool(c, window=(1, 17), strides=(1, 1), padding='same')",
    "reduce_image": "reduce_mean(c, axes=(1, 2))",
    "reduce_line": "reduce_max(c, axes=(3,), keepdims=True)",
    "reduce_all": "reduce_sum(c, axes=(1, 2, 3))",
    "softmax": "softmax(c, axis=3)",
    "softmax_rows": "softmax(c, axis=2)",
    "log_softmax": "log_softmax(c, axis=3)",
    "layer_norm": "layer_norm(c, gamma=b, beta=b, axes=(3,))",
    "transpose": "transpose(c, permutation=(0, 3, 1, 2))",
    "reverse": "reverse(c, axes=(2, 3))",
    "repeat": "repeat(c, axis=2, count=2)",
    "slice": "slice(c, start=(0, 1, 0, 3), stop=(N, 6, 5, 21))",
    "joined_again": "concatenate(c, x, axis=3)",
    "joined_twice": "concatenate(tanh(c), c, axis=3)",
    "joined_in_rows": "concatenate(c, x, axis=2)",
    "padded": "pad(c, padding=((0, 0), (1, 0), (0, 2), (0, 0)))",
    "reshape": "reshape(c, shape=(N, 30, 32))",
}
SHAPES = {
    "k1": (1, 1, 32, 20), "k3": (3, 3, 32, 20), "kg": (3, 3, 16, 20), "kd": (3, 3, 1, 32),
    "kw": (1, 17, 32, 5), "ks": (1, 1, 32, 32), "w": (32, 7), "b": (32,),
}  # fmt: skip


def weights() -> tuple[str, dict[str, np.ndarray]]:
    """Parameters as text, and their arrays."""
    random = np.random.default_rng(5)
    arrays = {name: random.normal(size=shape).astype("f4") for name, shape in SHAPES.items()}
    lines = [
        f'    {name}: f32[{", ".join(map(str, shape))}] = parameter("{name}")'
        for name, shape in SHAPES.items()
    ]
    return "\n".join(lines), arrays


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["joined", "split"])
def test_every_op_reads_and_writes_pieces(reader: str, kind: str) -> None:
    """c is a piece, and so is what reads it, where it can be."""
    lines, arrays = weights()
    if kind == "joined":
        made = "c = multiply(x, 0.5)\n    wider = concatenate(x, c, axis=3)"
    else:
        made = (
            "wider = concatenate(x, x, axis=3)\n"
            "    c = slice(wider, start=(0, 0, 0, 16), stop=(N, 6, 5, 48))"
        )
    text = f"def f(x: f32[N, 6, 5, 32]):\n{lines}\n    {made}\n    y = {READERS[reader]}\n"
    graph = parse(f"{text}    return y, wider\n", arrays=arrays)
    check(graph, seed=1)
    result = graph.outputs[0]
    if result.ndim > 1 and isinstance(result.shape[-1], int):
        text += "    last = concatenate(y, y, axis=-1)\n    z = relu(last)\n    w = sigmoid(y)\n"
        text = text.replace("axis=-1", f"axis={result.ndim - 1}")
        check(parse(f"{text}    return z, last, w, wider\n", arrays=arrays), seed=2)


def test_a_chain_of_concatenations_copies_its_first_operand_alone() -> None:
    """What a dense block does: every layer reads all before it and adds its own columns."""
    text = "def f(x: f32[N, 6, 5, 16]):\n"
    for number in range(4):
        width = 16 * (number + 1)
        text += f'    k{number}: f32[3, 3, {width}, 16] = parameter("k{number}")\n'
    text += "    c0 = x\n"
    for number in range(4):
        text += f"    a{number} = relu(c{number})\n"
        text += f"    y{number} = convolution(a{number}, k{number}, padding='same')\n"
        text += f"    c{number + 1} = concatenate(c{number}, y{number}, axis=3)\n"
    text += "    p = max_pool(c4, window=(2, 2), strides=(2, 2))\n    return p, c4\n"
    random = np.random.default_rng(0)
    arrays = {
        f"k{n}": random.normal(size=(3, 3, 16 * (n + 1), 16)).astype("f4") / 12 for n in range(4)
    }
    graph = parse(text, arrays=arrays)
    check(graph)
    assert launched(graph).count("concatenate") == 1
    plan = lower_graph(graph, find_target())
    slots = [buffer.name for buffer in plan_memory(plan).slots]
    names = {name.split("_")[0] for name in slots if name not in ("elements", "sums", "halves")}
    assert names == {"a0", "a1", "a2", "a3"}


def test_branches_are_written_into_their_columns() -> None:
    random = np.random.default_rng(0)
    arrays = {"k": random.normal(size=(1, 1, 16, 16)).astype("f4")}
    text = """def f(x: f32[N, 6, 5, 16]):
        k: f32[1, 1, 16, 16] = parameter("k")
        one = convolution(x, k, activation="relu")
        two = average_pool(x, window=(3, 3), strides=(1, 1), padding="same")
        three = tanh(x)
        whole = concatenate(one, two, three, axis=3)
        y = convolution(slice(whole, start=(0, 0, 0, 16), stop=(N, 6, 5, 32)), k)
        z = convolution(slice(whole, start=(0, 0, 0, 32), stop=(N, 6, 5, 48)), k)
        return add(y, z), relu(whole)
    """
    graph = parse(text, arrays=arrays)
    check(graph)
    assert not {"concatenate", "slice"} & set(launched(graph))


@pytest.mark.parametrize("target", ["native", "avx2", "x86-64"])
@pytest.mark.parametrize(
    ("use", "apart"),
    [
        ("dense(c, w)", True),
        ("convolution(c, k)", True),
        ("convolution(c, k, strides=(2, 2))", True),
        ("dense(tanh(c), w)", True),
        ("add(dense(c, w), reduce_mean(c, axes=(3,), keepdims=True))", True),
        ("dense(c, w2, residual=c)", True),
        ("add(dense(c, w2), c)", True),
        ("add(dense(c, w), convolution(c, k3, padding='same'))", False),
        ("dense(reshape(c, shape=(N, 15, 1024)), w)", False),
        ("reduce_mean(c, axes=(1, 2))", False),
    ],
)
def test_rows_that_would_collide_in_the_cache_lie_apart(use: str, apart: bool, target: str) -> None:
    text = f"""
def f(x: f32[N, 3, 5, 16]):
    k1: f32[1, 1, 16, 1024] = parameter("k1")
    w: f32[1024, 7] = parameter("w")
    w2: f32[1024, 1024] = parameter("w2")
    k: f32[1, 1, 1024, 7] = parameter("k")
    k3: f32[3, 3, 1024, 7] = parameter("k3")
    c = convolution(x, k1, activation="relu")
    return {use}
"""
    random = np.random.default_rng(0)
    shapes = {
        "k1": (1, 1, 16, 1024), "w": (1024, 7), "w2": (1024, 1024), "k": (1, 1, 1024, 7),
        "k3": (3, 3, 1024, 7),
    }  # fmt: skip
    weights = {
        name: random.normal(size=shape, scale=0.03).astype(np.float32)
        for name, shape in shapes.items()
    }
    check(text, {"N": 3}, weights, target=target)
    plan = lower_graph(parse(text, weights), find_target(target))
    assert any(buffer.pitch for buffer in plan.buffers) == apart


def test_convolutions_by_transforms_read_and_write_pieces() -> None:
    random = np.random.default_rng(0)
    arrays = {"k": (random.normal(size=(3, 3, 128, 128)) / 34).astype("f4")}
    text = """def f(x: f32[N, 16, 16, 128]):
        k: f32[3, 3, 128, 128] = parameter("k")
        c = relu(x)
        y = convolution(c, k, padding="same", activation="relu")
        return relu(concatenate(y, c, axis=3)), concatenate(c, y, axis=3)
    """
    graph = parse(text, arrays=arrays)
    check(graph, tolerance=5e-5)
    assert launched(graph).count("concatenate") == 1


@pytest.mark.parametrize("seed", range(25))
def test_random_joins_and_splits(seed: int) -> None:
    check(random_joins(seed), {"N": 3}, seed=seed)


def random_joins(seed: int) -> Graph:
    """Images that are joined, split, added and convolved in random order."""
    random = np.random.default_rng(seed)
    images = [o.graph_input(f"x{i}", TensorType("f32", (N, 5, 4, w))) for i, w in enumerate(WIDTHS)]

    def convolve(x: Value) -> Value:
        window, width = int(random.choice([1, 3])), int(random.choice(WIDTHS))
        shape = (window, window, x.shape[-1], width)
        scale = float(np.prod(shape[:-1])) ** -0.5
        kernel = (random.normal(size=shape) * scale).astype("f4")
        alike = [value for value in images if value.shape[-1] == width]
        residual = alike[random.integers(len(alike))] if random.random() < 0.4 and alike else None
        return o.Convolution(padding="same")(x, o.constant(kernel), None, residual)

    def join(x: Value) -> Value:
        others = [images[i] for i in random.integers(len(images), size=random.integers(1, 3))]
        return o.concatenate([x, *others], 3)

    def split(x: Value) -> Value:
        start = int(random.integers(0, x.shape[-1] - 12))
        return o.slice_axis(x, 3, start, int(random.integers(start + 8, x.shape[-1] + 1)))

    def combine(x: Value) -> Value:
        alike = [value for value in images if value.shape == x.shape]
        return o.add(o.Tanh()(x), alike[random.integers(len(alike))])

    def pool(x: Value) -> Value:
        return o.MaxPool((2, 2), (1, 1), "same")(x)

    while len(images) < 16:
        x = images[random.integers(max(0, len(images) - 5), len(images))]
        step = [convolve, join, join, split, combine, pool][random.integers(6)]
        new = step(x)
        if 13 <= new.shape[-1] <= 160:
            images.append(new)
    return Graph("joins", tuple(images[:3]), (images[-1], images[8]), ("last", "other"))


def test_columns_of_a_row_whose_length_varies() -> None:
    text = """
        def f(x: f32[N, T]):
            first = slice(x, start=(0, 1), stop=(N, 33))
            front = reverse(first, axes=(1,))
            last = slice(x, start=(0, T - 33), stop=(N, T - 1))
            y = concatenate(front, x, tanh(last), axis=1)
            z = exp(first)
            return y, z
    """
    check(textwrap.dedent(text), {"T": 40})
