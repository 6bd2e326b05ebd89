"""Native reductions, softmax and normalization against the reference, over random shapes."""

from __future__ import annotations

import numpy as np
import pytest

from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.target import find_target
from kerac.ir import evaluate_graph, parse
from tests.compare import assert_close
from tests.llvm.native import check, compile_graph, random_inputs

TARGETS = ("native", "avx2", "x86-64")
SHAPES = (
    ("N", 7, 6, 8),
    ("N", "T", 37),
    (5, 9),
    ("N", 9),
    ("N", 3, 200),
    ("T", "N", 70),
    ("N", 5, 3, 2, 4),
    (300,),
    ("N", 1000, 3),
    ("N", 1, 5),
    (1,),
    ("N", 30, 1),
    ("N", 70, "T"),
)
Shape = tuple[int | str, ...]


def random_axes(random: np.random.Generator, ndim: int) -> tuple[int, ...]:
    count = int(random.integers(1, ndim + 1))
    return tuple(sorted(int(axis) for axis in random.permutation(ndim)[:count]))


def random_dims(random: np.random.Generator) -> dict[str, int]:
    return {"N": int(random.choice([1, 3])), "T": int(random.choice([1, 5, 33]))}


def text_of(shape: Shape) -> str:
    return ", ".join(map(str, shape))


def result_shape(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    if keepdims:
        return tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min", "product"])
@pytest.mark.parametrize("shape", SHAPES, ids=text_of)
def test_random_reduction(kind: str, shape: Shape) -> None:
    random = np.random.default_rng([len(kind), *map(len, map(str, shape))])
    for _ in range(3):
        axes, keepdims = random_axes(random, len(shape)), bool(random.random() < 0.5)
        kept = result_shape(shape, axes, keepdims)
        factor = tuple(n if random.random() < 0.5 else 1 for n in kept)
        # away from 0, so that sums do not cancel and products stay in the range
        check(
            f"def f(x: f32[{text_of(shape)}], s: f32[{text_of(factor)}]):\n"
            f"    y = reduce_{kind}(exp(multiply(x, 0.01)), axes={axes}, keepdims={keepdims})\n"
            "    return multiply(y, s)\n"
            if kept
            else f"def f(x: f32[{text_of(shape)}]):\n"
            f"    y = reduce_{kind}(exp(multiply(x, 0.01)), axes={axes})\n    return y\n",
            random_dims(random),
            target=str(random.choice(TARGETS)),
        )


@pytest.mark.parametrize("dtype", ["bool", "u8", "i8", "i16", "i32", "i64", "u64", "f64"])
@pytest.mark.parametrize("kind", ["sum", "max", "min", "product"])
def test_reductions_of_other_dtypes(kind: str, dtype: str) -> None:
    for axes in ((1,), (2,), (0, 2)):
        check(f"def f(x: {dtype}[N, 21, 37]):\n    return reduce_{kind}(x, axes={axes})\n")


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_narrow_floats_are_summed_in_f32(dtype: str) -> None:
    graph = parse(f"def f(x: {dtype}[N, 4000]):\n    return reduce_mean(x, axes=(1,))\n")
    x = np.full((2, 4000), 1.0, graph.inputs[0].tensor_type.numpy_dtype)
    # in the narrow dtype the sum would come to rest at 2048 or 256
    np.testing.assert_array_equal(compile_graph(graph)(x).astype(np.float32), [1.0, 1.0])


@pytest.mark.parametrize("kind", ["max", "min"])
@pytest.mark.parametrize("axis", [0, 1])
def test_nan_comes_through_extremes(kind: str, axis: int) -> None:
    graph = parse(f"def f(x: f32[40, 40]):\n    return reduce_{kind}(x, axes=({axis},))\n")
    x = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    x[[3, 17, 39], [0, 20, 39]] = np.nan
    x[5, 5], x[6, 6] = np.inf, -np.inf
    assert_close(compile_graph(graph)(x), evaluate_graph(graph, [x])[0])


def test_long_sums_keep_their_digits() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (1, 3_000_000, 3)).astype(np.float32)
    for axes in ((1,), (1, 2)):
        graph = parse(f"def f(x: f32[1, 3000000, 3]):\n    return reduce_sum(x, axes={axes})\n")
        exact = x.astype(np.float64).sum(axes)
        assert_close(compile_graph(graph)(x), exact, 1e-6)


@pytest.mark.parametrize("kind", ["softmax", "log_softmax", "sparsemax"])
@pytest.mark.parametrize("shape", SHAPES, ids=text_of)
def test_along_every_axis(kind: str, shape: Shape) -> None:
    random = np.random.default_rng(len(text_of(shape)))
    for axis in range(len(shape)):
        factor = tuple(n if random.random() < 0.5 else 1 for n in shape)
        check(
            f"def f(x: f32[{text_of(shape)}], s: f32[{text_of(factor)}]):\n"
            f"    y = {kind}(multiply(x, 3.0), axis={axis})\n"
            f"    return {'multiply(y, s)' if random.random() < 0.5 else 'y'}, s\n",
            random_dims(random),
            target=str(random.choice(TARGETS)),
        )


@pytest.mark.parametrize("kind", ["softmax", "log_softmax"])
def test_softmax_of_extreme_numbers(kind: str) -> None:
    graph = parse(f"def f(x: f32[6, 50]):\n    return {kind}(x, axis=1)\n")
    x = np.random.default_rng(0).normal(size=(6, 50)).astype(np.float32)
    x[0] *= 1e30
    x[1, 7] = -np.inf
    x[2] = 88.0
    x[3, 3] = np.nan
    x[4] = -np.inf
    x[5, 0] = np.inf
    assert_close(compile_graph(graph)(x), evaluate_graph(graph, [x])[0])


@pytest.mark.parametrize("shape", SHAPES, ids=text_of)
def test_random_layer_norm(shape: Shape) -> None:
    random = np.random.default_rng(len(text_of(shape)))
    for given in ("gamma=g, beta=b", "gamma=g", "beta=b", ""):
        axes = random_axes(random, len(shape))
        sizes = text_of(tuple(shape[axis] for axis in axes))
        known = given and not set(sizes) & {"N", "T"}
        inputs = f", g: f32[{sizes}], b: f32[{sizes}]" if known else ""
        call = f"layer_norm(x, {given}, axes={axes})" if known else f"layer_norm(x, axes={axes})"
        check(
            f"def f(x: f32[{text_of(shape)}], s: f32[{shape[-1]}]{inputs}):\n"
            f"    return maximum(multiply({call}, s), -1.0)\n",
            random_dims(random),
            target=str(random.choice(TARGETS)),
        )


@pytest.mark.parametrize("shape", SHAPES, ids=text_of)
def test_random_batch_norm(shape: Shape) -> None:
    random = np.random.default_rng(len(text_of(shape)))
    axis = int(random.choice([i for i, n in enumerate(shape) if isinstance(n, int)]))
    count = int(shape[axis])
    arrays = {n: random.uniform(0.5, 2, count).astype(np.float32) for n in "mvgb"}
    given = "".join(f'    {n}: f32[{count}] = parameter("{n}")\n' for n in "mvgb")
    inputs = "".join(f", {n}: f32[{count}]" for n in "mvgb")
    for call in ("gamma=g, beta=b, ", "gamma=g, ", "beta=b, ", ""):
        known = f"batch_norm(x, m, v, {call}axis={axis}, epsilon=0.1)"
        check(
            f"def f(x: f32[{text_of(shape)}]):\n{given}    return relu({known})\n",
            random_dims(random),
            arrays,
            target=str(random.choice(TARGETS)),
        )
        computed = f"batch_norm(x, m, exp(v), {call}axis={axis})"
        text = f"def f(x: f32[{text_of(shape)}]{inputs}):\n    return relu({computed})\n"
        check(text, random_dims(random))


ROWS = (
    "softmax(x, axis=1)",
    "log_softmax(x, axis=2)",
    "sparsemax(x, axis=2)",
    "layer_norm(x, axes=(1,))",
    "layer_norm(x, axes=(1, 2))",
    "reduce_sum(x, axes=(1,))",
    "reduce_mean(x, axes=(2,))",
    "reduce_product(x, axes=(1, 2))",
    "transpose(reduce_sum(transpose(x, permutation=(1, 0, 2)), axes=(0,)), permutation=(0, 1))",
)


@pytest.mark.parametrize("call", ROWS)
@pytest.mark.parametrize("shape", [(37, 50), (300, 7), (5, 1000)])
def test_a_row_does_not_depend_on_its_batch(call: str, shape: tuple[int, int]) -> None:
    graph = parse(f"def f(x: f32[N, {text_of(shape)}]):\n    return {call}\n")
    executable = compile_graph(graph)
    x = np.random.default_rng(0).normal(size=(9, *shape)).astype(np.float32)
    together = executable(x)
    for row in range(9):
        np.testing.assert_array_equal(executable(x[row : row + 1])[0], together[row])


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *((kind, "f32") for kind in ("sum", "mean", "max", "min", "product")),
        ("mean", "f64"),
        ("sum", "i32"),
        ("min", "i32"),
        ("sum", "f16"),
        ("max", "f16"),
    ],
)
def test_long_lines_side_by_side_are_cut_into_parts(kind: str, dtype: str) -> None:
    random = np.random.default_rng(len(kind))
    for columns in random.choice([1, 2, 5, 16, 33, 70, 150], 3, replace=False):
        keepdims = bool(random.random() < 0.5)
        shape = f"1, 1, {columns}" if keepdims else f"{columns}"
        text = f"""
def f(x: {dtype}[N, 64, {columns}], s: {dtype}[{shape}]):
    y = multiply(x, x)
    near_one = add(multiply(y, {"0.001" if dtype == "f32" else "0"}), 1)
    r = reduce_{kind}({"near_one" if kind == "product" else "x"}, axes=(0, 1), keepdims={keepdims})
    return add(multiply(r, s), s)
"""
        for batch in (1, 13, 40):
            target, tolerance = str(random.choice(TARGETS)), 2e-2 if dtype == "f16" else 1e-5
            executable = check(text, {"N": batch}, target=target, tolerance=tolerance)
        arrays = random_inputs(parse(text), {"N": 40})
        executable.threads = 1
        alone = executable(*arrays)
        executable.threads = 3
        np.testing.assert_array_equal(executable(*arrays), alone)


def test_threads_share_long_lines_side_by_side() -> None:
    graph = parse("def f(x: f32[N, 64, 5]):\n    return reduce_sum(x, axes=(0, 1))\n")
    plan = lower_graph(graph, find_target())
    assert [launch.kernel.name.rpartition("_")[0] for launch in plan.launches] == [
        "reduce_sum",
        "joined",
    ]
