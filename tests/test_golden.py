"""What the compiler makes of small networks, as text: a change to it is read as a difference.

Write the files anew with --update-golden.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import kerac
from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.target import find_target
from kerac.ir import parse
from kerac.passes.pipeline import run_pipeline

Golden = Callable[[str, str], None]

KERNELS = {
    "elementwise": "def f(x: f32[N, 20], y: f32[20]): return relu(add(x, y))",
    "dense": "def f(x: f32[N, 5], k: f32[5, 3]): return dense(x, k, activation='relu')",
    "convolution": """
def f(x: f32[N, 4, 4, 2], k: f32[3, 3, 2, 8]): return convolution(x, k, padding="same")
""",
}


def test_final_graph_of_a_network(golden: Golden) -> None:
    kerac.utils.clear_session()
    layers = kerac.layers
    inputs = kerac.Input((28, 28, 1), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.ReLU(name="stem_relu")(x)
    shortcut = x
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="body")(x)
    x = layers.Conv2D(8, 1, name="project")(x)
    x = layers.Activation("swish", name="swish")(layers.Add(name="join")([shortcut, x]))
    x = layers.Dropout(0.5, name="drop")(layers.MaxPooling2D(name="pool")(x))
    x = layers.Dense(10, activation="softmax", name="scores")(layers.Flatten(name="flat")(x))
    graph = kerac.Model(inputs, x, name="network").trace()
    trace = run_pipeline(graph)
    golden("network_before.txt", str(graph))
    golden("network_after.txt", str(trace.graph))


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_of_an_op(name: str, golden: Golden) -> None:
    plan = lower_graph(parse(KERNELS[name]), find_target("avx2"))
    golden(f"{name}_avx2.txt", "\n".join(map(str, plan.kernels)))
