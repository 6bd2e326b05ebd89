"""Native pooling against the reference, over random windows and targets."""

from __future__ import annotations

import numpy as np
import pytest

from kerac.ir import evaluate_graph, parse
from tests.compare import assert_close
from tests.llvm.native import check, compile_graph

TARGETS = ("native", "avx2", "x86-64")


def random_pooling(seed: int) -> tuple[str, dict[str, int]]:
    """The text of a random pooling with dims."""
    random = np.random.default_rng(seed)
    spatial = int(random.choice([1, 2, 2, 2, 3]))
    window = [int(n) for n in random.choice([1, 2, 3, 3, 4, 5], spatial)]
    if random.random() < 0.15:
        window[-1] = int(random.choice([7, 16, 20]))
    strides = [int(n) for n in random.choice([1, 2, 2, 3], spatial)]
    padding = str(random.choice(['"valid"', '"same"', "explicit", "explicit"]))
    if padding == "explicit":
        padding = repr(tuple((int(a), int(b)) for a, b in random.integers(0, 4, (spatial, 2))))
    lengths = [n + int(random.integers(0, 20 if spatial < 3 else 6)) for n in window]
    dims: dict[str, int] = {}
    names = [str(n) for n in lengths]
    if random.random() < 0.3:
        dims = {f"S{axis}": n for axis, n in enumerate(lengths)}
        names = list(dims)
    channels = int(random.choice([1, 3, 5, 16, 17, 40, 64]))
    dtype = str(random.choice(["f32", "f32", "f32", "f64", "f16"]))
    kind = str(random.choice(["max_pool", "average_pool"]))
    result = "multiply(relu(y), s)" if dtype == "f32" else "y"
    text = f"""
def f(x: {dtype}[{", ".join(["N", *names, str(channels)])}], s: {dtype}[{channels}]):
    y = {kind}(x, window={tuple(window)}, strides={tuple(strides)}, padding={padding})
    return {result}
"""
    return text, dims


@pytest.mark.parametrize("seed", range(80))
def test_random_pooling(seed: int) -> None:
    text, dims = random_pooling(seed)
    graph = parse(text)
    tolerance = 1e-5 if graph.outputs[0].dtype != "f16" else 1e-2
    check(text, dims, seed=seed, target=TARGETS[seed % 3], tolerance=tolerance)


@pytest.mark.parametrize("padding", ['"same"', '"valid"'])
def test_nan_and_infinity_come_through(padding: str) -> None:
    graph = parse(
        "def f(x: f32[1, 12, 12, 20]):\n"
        f"    return max_pool(x, window=(3, 3), strides=(2, 2), padding={padding})\n"
    )
    x = np.random.default_rng(0).normal(size=(1, 12, 12, 20)).astype(np.float32)
    x[0, 2, 2, 3] = np.nan
    x[0, 5, 5, 4] = np.inf
    x[0, :, :, 5] = -np.inf
    assert_close(compile_graph(graph)(x), evaluate_graph(graph, [x])[0])


def test_a_row_does_not_depend_on_its_batch() -> None:
    graph = parse(
        "def f(x: f32[N, 13, 14, 33]):\n"
        '    return average_pool(x, window=(3, 3), strides=(1, 1), padding="same")\n'
    )
    executable = compile_graph(graph)
    x = np.random.default_rng(0).normal(size=(4, 13, 14, 33)).astype(np.float32)
    together = executable(x)
    for row in range(4):
        np.testing.assert_array_equal(executable(x[row : row + 1])[0], together[row])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("shape", "window", "strides"),
    [
        ("6, 8, 5", (2, 2), (2, 2)),
        ("7, 9, 33", (2, 2), (2, 2)),
        ("6, 6, 17", (3, 2), (3, 2)),
        ("7, 7, 16", (3, 3), (2, 2)),
        ("H, 6, 20", (2, 2), (2, 2)),
        ("H, W, 4", (2, 3), (1, 2)),
    ],
)
def test_elementwise_work_on_the_gradient_of_a_maximum(
    shape: str, window: tuple[int, ...], strides: tuple[int, ...], target: str
) -> None:
    attributes = f"window={window}, strides={strides}"
    text = f"""
def f(x: f32[N, {shape}], g: f32[1], z: f32[{shape.split(",")[-1]}]):
    top = max_pool(x, {attributes})
    back = max_pool_gradient(x, top, multiply(top, g), {attributes})
    return select(less(x, 0.1), back, multiply(back, z))
"""
    check(text, {"N": 3, "H": 6, "W": 7}, target=target)
