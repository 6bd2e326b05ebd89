"""The kernel IR: what the builder makes, how it prints, and that the emitter means the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kerac.backends.llvm.kernel import INDEX, Kernel, KernelBuilder, Kind, Mask
from kerac.ir import symbol
from kerac.ir.errors import InternalError
from kerac.ir.types import numpy_dtype
from tests.llvm.kernels import builder, kernel_text, run

LANES = (1, 2, 4, 16)


def mapped(
    dtype: str, lanes: int, function: Callable[[KernelBuilder, Any, Any], Any], to: str
) -> Kernel:
    """z[i] = function(x[i], y[i]) for one vector."""
    k = builder()
    x, y, z = k.pointer("x", dtype, "in"), k.pointer("y", dtype, "in"), k.pointer("z", to, "out")
    k.store(z, 0, function(k, k.load(x, 0, lanes), k.load(y, 0, lanes)))
    return k.kernel


def numbers(dtype: str, count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    if dtype == "bool":
        return random.random(count) < 0.5
    low = 1 if dtype.startswith("u") else -9
    array = random.uniform(low, 9, count)
    return np.where(np.abs(array) < 1, 1, array).astype(numpy_dtype(dtype))


def sums(k: KernelBuilder) -> None:
    """sum[r] = the sum of x[r, i] where keep[i] holds, and 0 in rows beyond the third."""
    x, keep = k.pointer("x", "f32", "in"), k.pointer("keep", "bool", "in")
    out = k.pointer("sum", "f32", "out")
    length = k.dim(symbol("T"))

    def row(r: Any) -> None:
        def step(i: Any, total: Any) -> Any:
            kept = k.tail_mask(length - i, 4)
            value = k.load(x, r * length + i, 4, kept)
            chosen = k.load(keep, i, 4, kept)
            return total + k.select(chosen, value, 0.0)

        zero = k.number(0.0, Kind("f32", 4))
        (total,) = k.loop("i", 0, length, step, step=4, carried=[zero])
        k.store(out, r, k.number(0.0, Kind("f32")))
        k.when(k.compare("less", r, 3), lambda: k.store(out, r, k.reduce("add", total)))

    k.parallel({"r": k.dim(symbol("N"))}, row, cost=1)


def test_kernels_print(golden: Callable[[str, str], None]) -> None:
    k = builder()
    sums(k)
    golden("kernel.txt", str(k.kernel))
    golden("kernel.ll", kernel_text(k.kernel).partition("\nattributes")[0] + "\n")


@pytest.mark.parametrize("length", [1, 3, 4, 5, 9])
def test_loops_carry_and_masks_keep_inside(length: int) -> None:
    k = builder()
    sums(k)
    random = np.random.default_rng(length)
    x = random.normal(size=(5, length)).astype(np.float32)
    keep = random.random(length) < 0.5
    result = np.full(5, np.nan, np.float32)
    run(k.kernel, x, keep, result, T=length, N=5)
    expected = np.where(keep, x, 0).sum(1)
    expected[3:] = 0
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "divide": lambda x, y: np.trunc(np.divide(x, y)) if x.dtype.kind in "iu" else np.divide(x, y),
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "shift_left": lambda x, y: np.left_shift(x, y % 8),
    "shift_right": lambda x, y: np.right_shift(x, y % 8),
}


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "bf16", "i8", "u8", "i32", "u32", "i64"])
@pytest.mark.parametrize("operation", ARITHMETIC)
@pytest.mark.parametrize("lanes", LANES)
def test_arithmetic(operation: str, dtype: str, lanes: int) -> None:
    bitwise = operation in ("and", "or", "xor", "shift_left", "shift_right")
    if bitwise and numpy_dtype(dtype).kind not in "iu":
        return

    def compute(k: KernelBuilder, x: Any, y: Any) -> Any:
        return k.compute(operation, x, k.compute("and", y, 7) if "shift" in operation else y)

    x, y = numbers(dtype, lanes, 1), numbers(dtype, lanes, 2)
    result = np.zeros_like(x)
    run(mapped(dtype, lanes, compute, dtype), x, y, result)
    np.testing.assert_array_equal(result, ARITHMETIC[operation](x, y).astype(x.dtype))


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "i8", "u8", "i32", "u64"])
@pytest.mark.parametrize(
    "predicate", ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
)
def test_comparisons(predicate: str, dtype: str) -> None:
    x, y = numbers(dtype, 16, 1), numbers(dtype, 16, 2)
    y[:5] = x[:5]
    if x.dtype.kind == "f":
        x[7], y[8], x[9], y[9] = (np.nan,) * 4
    result = np.zeros(16, bool)
    run(mapped(dtype, 16, lambda k, x, y: k.compare(predicate, x, y), "bool"), x, y, result)
    np.testing.assert_array_equal(result, getattr(np, predicate)(x, y))


@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16", "i32", "u8", "i64"])
@pytest.mark.parametrize("operation", ["add", "multiply", "maximum", "minimum"])
@pytest.mark.parametrize("lanes", LANES)
def test_lanes_are_reduced(operation: str, dtype: str, lanes: int) -> None:
    k = builder()
    x, y = k.pointer("x", dtype, "in"), k.pointer("y", dtype, "out")
    k.store(y, 0, k.reduce(operation, k.load(x, 0, lanes)))
    array, result = numbers(dtype, lanes) // 3, numbers(dtype, 1)
    run(k.kernel, array, result)
    wide = array.astype(np.float64 if numpy_dtype(dtype).kind not in "iu" else array.dtype)
    expected = np.asarray(getattr(np, operation).reduce(wide)).astype(array.dtype)
    tolerance = 1e-2 if dtype == "bf16" else 1e-6
    np.testing.assert_allclose(result[0].astype(float), expected.astype(float), rtol=tolerance)


FLOATS, INTEGERS = (
    ("f16", "bf16", "f32", "f64"),
    ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"),
)


@pytest.mark.parametrize("source", [*FLOATS, *INTEGERS, "bool"])
@pytest.mark.parametrize("lanes", [1, 16])
def test_conversions(source: str, lanes: int) -> None:
    x = numbers(source, lanes)
    for target in (*FLOATS, *INTEGERS, "bool"):
        if source[0] in "fbi" and target[0] == "u":
            x = np.abs(x.astype(np.float64)).astype(x.dtype)
        result = np.zeros(lanes, numpy_dtype(target))
        run(
            mapped(source, lanes, lambda k, x, _, to=target: k.convert(x, to), target), x, x, result
        )
        np.testing.assert_array_equal(result, x.astype(result.dtype), err_msg=target)


@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("target", INTEGERS)
def test_floats_beyond_the_range_are_clamped(source: str, target: str) -> None:
    limits = np.iinfo(numpy_dtype(target))
    edges = [limits.max, limits.min, limits.max / 2, limits.min / 2, 0.9, -0.9]
    with np.errstate(over="ignore"):
        x = np.array([*edges, 2.0**70, -(2.0**70), np.inf, -np.inf, np.nan], np.float64)
        x = np.concatenate([x, x[:5] * 1.01]).astype(numpy_dtype(source))
    result = np.zeros(16, numpy_dtype(target))
    run(mapped(source, 16, lambda k, x, _: k.convert(x, target), target), x, x, result)
    for value, got in zip(x.astype(np.float64), result, strict=True):
        if np.isnan(value) or value <= limits.min:
            assert got == limits.min
        elif value >= limits.max:
            assert got == limits.max
        else:
            assert got == int(value)


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
@pytest.mark.parametrize("abilities", [(), ("half",)])
def test_every_narrow_float_converts_exactly(dtype: str, abilities: tuple[str, ...]) -> None:
    everything = np.arange(2**16, dtype=np.uint16).view(numpy_dtype(dtype))
    near = everything.astype(np.float32).view(np.uint32)
    parts = [near + np.uint32(step) for step in (0, 1, 0xFFF, 0x1000, 0x1001, 0x7FFF, 0x8000)]
    wide = np.concatenate(parts).view(np.float32)
    for source, target, array in ((dtype, "f32", everything), ("f32", dtype, wide)):
        k = KernelBuilder("kernel", 16, abilities)
        x, y = k.pointer("x", source, "in"), k.pointer("y", target, "out")

        def convert(i: Any, k: Any = k, x: Any = x, y: Any = y, to: str = target) -> None:
            k.store(y, i, k.convert(k.load(x, i, 16), to))

        k.loop("i", 0, array.size, convert, step=16)
        result = np.zeros(array.size, numpy_dtype(target))
        run(k.kernel, array, result)
        with np.errstate(over="ignore", invalid="ignore"):
            expected = array.astype(result.dtype)
        not_a_number = np.isnan(expected.astype(np.float32))
        assert np.isnan(result[not_a_number].astype(np.float32)).all()
        bits = np.uint32 if target == "f32" else np.uint16
        np.testing.assert_array_equal(
            result[~not_a_number].view(bits), expected[~not_a_number].view(bits)
        )


MASKS: tuple[Mask, ...] = (None, (True,) * 16, (False,) * 16, (True,) * 5 + (False,) * 11)


@pytest.mark.parametrize("mask", [*MASKS, (True, False) * 8], ids=str)
@pytest.mark.parametrize("dtype", ["f32", "f16", "i64", "u8", "bool"])
def test_masks_of_known_lanes(mask: Mask, dtype: str) -> None:
    k = builder()
    x, y = k.pointer("x", dtype, "in"), k.pointer("y", dtype, "out")
    k.store(y, 0, k.keep(mask, k.load(x, 0, 16, mask), 1), mask)
    array = numbers(dtype, 16)
    result = np.zeros_like(array)
    run(k.kernel, array, result)
    lanes = np.ones(16, bool) if mask is None else np.array(mask)
    np.testing.assert_array_equal(result[lanes], array[lanes])
    assert not result[~lanes].any()


@pytest.mark.parametrize("remaining", [-3, 0, 1, 15, 16, 99])
def test_tail_masks_of_any_number(remaining: int) -> None:
    k = builder()
    y = k.pointer("y", "f32", "out")
    mask = k.tail_mask(k.dim(symbol("R")), 16)
    k.store(y, 0, k.number(1.0, Kind("f32", 16)), mask)
    result = np.zeros(16, np.float32)
    run(k.kernel, result, R=remaining)
    np.testing.assert_array_equal(result, np.arange(16) < remaining)
    assert k.tail_mask(16, 16) is None
    assert k.tail_mask(2, 4) == (True, True, False, False)


def test_lanes_move() -> None:
    k = builder()
    x, y = k.pointer("x", "f32", "in"), k.pointer("y", "f32", "out")
    first, second = k.load(x, 0, 4), k.load(x, 4, 4)
    k.store(y, 0, k.shuffle(first, second, [7, 0, 4, 3]))
    k.store(y, 4, k.shuffle(first, None, [3, 3, 0, 1, 2, 2, 1, 0]))
    k.store(y, 12, k.insert(first, k.extract(second, 2), 1))
    k.store(y, 16, k.broadcast(k.extract(first, 3), 4))
    result = np.zeros(20, np.float32)
    run(k.kernel, np.arange(8, dtype=np.float32), result)
    expected = [7, 0, 4, 3, 3, 3, 0, 1, 2, 2, 1, 0, 0, 6, 2, 3, 3, 3, 3, 3]
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("abilities", [(), ("scale",)])
def test_scaling_by_powers_of_two(abilities: tuple[str, ...]) -> None:
    k = KernelBuilder("kernel", 16, abilities)
    x, n, y = k.pointer("x", "f32", "in"), k.pointer("n", "i32", "in"), k.pointer("y", "f32", "out")
    k.store(y, 0, k.scale(k.load(x, 0, 16), k.load(n, 0, 16)))
    values = np.random.default_rng(0).uniform(0.5, 2, 16).astype(np.float32)
    steps = np.array([0, 1, -1, 5, -5, 60, -60, 126, -126, 127, 128, -140, -149, 200, -200, 3])
    result = np.zeros(16, np.float32)
    run(k.kernel, values, steps.astype(np.int32), result)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(result, np.ldexp(values, steps))


def test_known_numbers_fold() -> None:
    k = builder()
    n = k.dim(symbol("N"))
    assert k.add(2, 3) == 5
    assert k.add(n, 0) is n
    assert k.multiply(n, 1) is n
    assert k.multiply(0, n) == 0
    assert k.quotient(n, 1) is n
    assert k.remainder(n, 1) == 0
    assert k.compare("less", 1, 2) is True
    assert k.select(False, n, 7) == 7
    assert k.dim(3) == 3
    assert k.loop("i", 5, 5, lambda i, x: x, carried=[n]) == (n,)
    assert k.loop("i", 0, 1, lambda i, x: i, carried=[n]) == (0,)
    k.when(False, lambda: pytest.fail("is not done"))
    assert k.kernel.body == []


@pytest.mark.parametrize("sizes", [{"N": 7, "T": 3}, {"N": 1, "T": 100}])
def test_dimensions_are_computed(sizes: dict[str, int]) -> None:
    k = builder()
    n, t = symbol("N"), symbol("T")
    dims = (n * t + 3, (n + t - 1) // 4, 2 * n - t, (n // 2) * t)
    y = k.pointer("y", "i64", "out")
    for place, dim in enumerate(dims):
        index = k.dim(dim)
        assert not isinstance(index, int)
        assert index.kind == INDEX
        k.store(y, place, index)
    result = np.zeros(4, np.int64)
    run(k.kernel, result, **sizes)
    n, t = sizes["N"], sizes["T"]
    np.testing.assert_array_equal(result, [n * t + 3, (n + t - 1) // 4, 2 * n - t, n // 2 * t])


def test_mistakes_of_lowerings_are_found() -> None:
    k = builder()
    x = k.pointer("x", "f32", "in")
    y = k.pointer("y", "i32", "out")
    with pytest.raises(InternalError, match="holds i32"):
        k.store(y, 0, k.load(x, 0))
    with pytest.raises(InternalError, match="different dtypes"):
        k.add(k.load(x, 0), k.load(y, 0))
    with pytest.raises(InternalError, match="carries 1 values"):
        k.loop("i", 0, 9, lambda i, total: None, carried=[k.load(x, 0)])
    with pytest.raises(InternalError, match="needs a kind"):
        k.select(k.compare("less", k.load(x, 0), 1.0), 1.0, 2.0)


def test_names_are_given_once() -> None:
    k = builder()
    names = [k.pointer("x", "f32", "in").name for _ in range(3)]
    names += [k.load(k.kernel.pointers[0], 0).name for _ in range(3)]
    assert len(set(names)) == 6


def test_names_never_meet() -> None:
    k = KernelBuilder("names", 4)
    names = [k.pointer(name, "f32", "in").name for name in ("c", "c1", "c", "c", "c1", "v1", "v")]
    names += [k.load(k.kernel.pointers[0], 0, 4).name for _ in range(3)]
    assert len(set(names)) == len(names)
