"""Native dense layers and matrix products against the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.plan import Later
from kerac.backends.llvm.target import find_target
from kerac.ir import parse
from tests.llvm.native import check, random_inputs


@pytest.mark.parametrize("target", ["native", "avx2", "x86-64"])
@pytest.mark.parametrize("leading", ["N", "N, 5", "N, 17", "49", "N, T"])
@pytest.mark.parametrize(("inputs", "columns"), [(7, 10), (100, 64), (64, 33), (1, 1), (64, 330)])
def test_dense(inputs: int, columns: int, leading: str, target: str) -> None:
    kernel = np.random.default_rng(0).normal(size=(inputs, columns)).astype(np.float32)
    text = f"""
def f(x: f32[{leading}, {inputs}], b: f32[{columns}], r: f32[{leading}, {columns}]):
    k: f32[{inputs}, {columns}] = parameter("k")
    d = dense(x, k, bias=b, residual=r, activation="relu")
    return multiply(d, sigmoid(b))
"""
    check(text, {"N": 19, "T": 3}, {"k": kernel}, target=target)


@pytest.mark.parametrize("target", ["native", "avx2", "x86-64"])
@pytest.mark.parametrize("columns", [8, 31, 40, 48, 65, 96, 112, 200])
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_weights_of_any_number_of_columns(rows: int, columns: int, target: str) -> None:
    kernel = np.random.default_rng(0).normal(size=(9, columns)).astype(np.float32)
    for leading in (str(rows), "N"):
        text = f"""
def f(x: f32[{leading}, 9]):
    k: f32[9, {columns}] = parameter("k")
    return dense(x, k)
"""
        check(text, {"N": rows}, {"k": kernel}, target=target)


@pytest.mark.parametrize(("rows", "inputs", "columns"), [(601, 256, 96), (300, 500, 33)])
def test_rows_that_leave_the_cache(rows: int, inputs: int, columns: int) -> None:
    kernel = np.random.default_rng(0).normal(size=(inputs, columns)).astype(np.float32)
    text = f"""
def f(x: f32[N, {rows}, {inputs}]):
    k: f32[{inputs}, {columns}] = parameter("k")
    return dense(x, k)
"""
    check(text, {"N": 2}, {"k": kernel})


def test_packed_weights_are_the_same_for_every_target() -> None:
    generator = np.random.default_rng(0)
    weights = {
        "k": generator.normal(size=(3, 3, 6, 70)).astype(np.float32),
        "d": generator.normal(size=(70, 45)).astype(np.float32),
    }
    text = """
def f(x: f32[N, 9, 9, 12]):
    k: f32[3, 3, 6, 70] = parameter("k")
    d: f32[70, 45] = parameter("d")
    return dense(convolution(x, k, groups=2), d)
"""
    graph = parse(text, arrays=weights)
    packed = []
    for target in ("native", "avx2", "x86-64"):
        plan = lower_graph(graph, find_target(target))
        arrays = [b.array for b in plan.buffers if b.place == "constant"]
        packed.append([a.make() if isinstance(a, Later) else a for a in arrays])
    for other in packed[1:]:
        for one, same in zip(packed[0], other, strict=True):
            assert np.array_equal(one, same)


def test_dense_with_weights_from_an_input() -> None:
    check("def f(x: f32[N, 20], k: f32[20, 45]): return dense(x, k)", {"N": 30})


@pytest.mark.parametrize("batch", [1, 3, 20])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("N, 13, 20", "N, 20, 37"),
        ("N, T, 20", "N, 20, S"),
        ("N, 3, T, S", "N, 3, S, T"),
        ("N, 1, 1", "N, 1, 1"),
    ],
)
def test_matmul(a: str, b: str, batch: int) -> None:
    check(f"def f(a: f32[{a}], b: f32[{b}]): return matmul(a, b)", {"N": batch, "T": 19, "S": 45})


@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize(
    ("outer", "rows", "depth", "columns"),
    [
        ((), "3", "5", "7"),
        ((), "67", "33", "70"),
        ((), "N", "20", "45"),
        ((), "40", "N", "33"),
        ((), "19", "20", "N"),
        (("2", "3"), "65", "17", "16"),
        (("N",), "64", "1", "100"),
        (("N",), "T", "T", "96"),
    ],
)
def test_products_of_any_orientation(
    outer: tuple[str, ...],
    rows: str,
    depth: str,
    columns: str,
    transpose_a: bool,
    transpose_b: bool,
) -> None:
    a = (*outer, *((depth, rows) if transpose_a else (rows, depth)))
    b = (*outer, *((columns, depth) if transpose_b else (depth, columns)))
    text = f"""
def f(a: f32[{", ".join(a)}], b: f32[{", ".join(b)}]):
    return matmul(a, b, transpose_a={transpose_a}, transpose_b={transpose_b})
"""
    for name in ("native", "avx2"):
        # a cache with little room, so that right sides are packed and rows take turns
        check(text, {"N": 66, "T": 9}, target=replace(find_target(name), second_level_cache=2048))
        check(text, {"N": 5, "T": 21}, target=name)


@pytest.mark.parametrize("cache", [1024, 1 << 19])
@pytest.mark.parametrize("columns", [10, 64, 330])
def test_a_row_is_the_same_in_every_batch(columns: int, cache: int) -> None:
    kernel = np.random.default_rng(0).normal(size=(77, columns)).astype(np.float32)
    text = f"""
def f(x: f32[N, 77]):
    k: f32[77, {columns}] = parameter("k")
    return dense(x, k, activation="tanh")
"""
    target = replace(find_target("native"), second_level_cache=cache)
    executable = check(text, weights={"k": kernel}, target=target)
    x = np.random.default_rng(1).normal(size=(33, 77)).astype(np.float32)
    together = executable(x)
    for size in (1, 2, 5, 16):
        parts = [executable(x[start : start + size]) for start in range(0, 33, size)]
        assert (np.concatenate(parts) == together).all()


@pytest.mark.parametrize("target", ["native", "avx2", "x86-64"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 9), (13, 70), (33, 48), (64, 5)])
def test_sums_over_many_rows(rows: int, columns: int, target: str) -> None:
    text = f"""
def f(x: f32[N, 64, {rows}], y: f32[N, 64, {columns}], z: f32[{columns}]):
    a = reshape(x, shape=(64 * N, {rows}))
    b = reshape(y, shape=(64 * N, {columns}))
    c = matmul(a, b, transpose_a=True)
    return multiply(add(c, z), z)
"""
    for batch in (1, 4, 41):
        executable = check(text, {"N": batch}, target=target)
    arrays = random_inputs(parse(text), {"N": 41})
    executable.threads = 1
    alone = executable(*arrays)
    executable.threads = 3
    assert (executable(*arrays) == alone).all()
