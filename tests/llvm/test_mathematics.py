"""Errors of the vector functions over the whole range of f32, in units in the last place (ULP)."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from kerac.backends.llvm.kernel.mathematics import KernelMathematics
from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.module import build_modules
from kerac.backends.llvm.target import find_target
from kerac.ir import REGISTRY, evaluate_graph, parse
from kerac.ir.mathematics import NUMPY
from kerac.ir.ops.elementwise import Unary
from kerac.ir.types import numpy_dtype
from tests.compare import assert_close
from tests.llvm.native import compile_graph

TARGETS = ("native", "avx2", "x86-64")
# ULP that the docstrings promise, anywhere
BOUNDS = {
    "exp": 1.2,
    "expm1": 1.6,
    "log": 1.0,
    "log1p": 1.5,
    "tanh": 2.7,
    "sigmoid": 2.4,
    "erf": 4.0,
    "sin": 1.7,
    "cos": 1.7,
    "sqrt": 0.5,
}
STEP = 12289  # prime: every exponent and many fractions
SMALLEST_NORMAL = 2.0**-126


def whole_range() -> np.ndarray:
    """Some 700,000 f32 of all signs and sizes, and those at the edges."""
    bits = np.arange(0, 2**32, STEP, dtype=np.uint64).astype(np.uint32)
    edges = np.array([0x00000000, 0x00000001, 0x007FFFFF, 0x00800000, 0x3F7FFFFF], np.uint32)
    edges = np.concatenate([edges, np.array([0x3F800000, 0x7F7FFFFF, 0x7F800000], np.uint32)])
    ends = [88.7, 88.73, -87.33, -87.34, -103.9, -104.1, 9.02, 3.88, 4.0, 1e-8, math.pi]
    numbers = np.array(ends, np.float32).view(np.uint32)
    everything = np.concatenate([bits, edges, numbers, numbers + np.uint32(1)])
    return np.concatenate([everything, everything ^ np.uint32(2**31)]).view(np.float32)


def reference(name: str, x: np.ndarray) -> np.ndarray:
    """The function in f64."""
    with np.errstate(all="ignore"):
        wide = x.astype(np.float64)
        if name == "sigmoid":
            return np.where(wide < 0, np.exp(wide) / (1 + np.exp(wide)), 1 / (1 + np.exp(-wide)))
        return np.asarray(getattr(NUMPY, name)(wide))


def units(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The distance of f32 numbers from f64 ones in ULP; infinite where only one is finite."""
    with np.errstate(all="ignore"):
        nearest = expected.astype(np.float32)
        same = (actual == nearest) | (np.isnan(actual) & np.isnan(nearest))
        exponent = np.floor(np.log2(np.maximum(np.abs(expected), SMALLEST_NORMAL)))
        distance = np.abs(actual.astype(np.float64) - expected) / 2.0 ** (exponent - 23)
        finite = np.isfinite(actual) & np.isfinite(nearest)
        return np.where(finite, distance, np.where(same, 0.0, np.inf))


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("target", TARGETS)
def test_error_over_the_whole_range(name: str, target: str) -> None:
    x = whole_range()
    graph = parse(f"def f(x: f32[N]):\n    return {name}(x)\n")
    actual, expected = compile_graph(graph, target)(x), reference(name, x)
    error = units(actual, expected)
    if name == "sigmoid":
        # where the exact result is no normal number, it may be 0
        tiny = expected < SMALLEST_NORMAL
        assert (np.abs(actual[tiny] - expected[tiny]) < SMALLEST_NORMAL).all()
        error[tiny] = 0
    worst = int(error.argmax())
    assert error[worst] <= BOUNDS[name], f"{error[worst]} ULP at {x[worst]!r}"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("name", "bound", "end"), [("gelu", 4.0, -5), ("silu", 2.0, -20)])
def test_errors_relative_to_the_operand(name: str, bound: float, end: float, target: str) -> None:
    x = np.concatenate([whole_range(), np.linspace(-100, 100, 400_001, dtype=np.float32)])
    x = x[np.abs(x) < 1e38]
    actual = compile_graph(parse(f"def f(x: f32[N]):\n    return {name}(x)\n"), target)(x)
    wide = np.maximum(x.astype(np.float64), -500)
    half = 0.5 * (1 + NUMPY.erf(wide * math.sqrt(0.5)))
    expected = wide * half if name == "gelu" else wide / (1 + np.exp(-wide))
    error = np.abs(actual - expected) / np.spacing(np.maximum(np.abs(x), SMALLEST_NORMAL))
    worst = int(error.argmax())
    assert error[worst] <= bound, f"{error[worst]} ULP of {x[worst]!r}"
    assert np.abs(actual[x < end]).max() < 2e-6
    assert f"{bound} ULP of x" in getattr(KernelMathematics, name).__doc__


@pytest.mark.parametrize("name", BOUNDS)
def test_docstrings_state_the_errors(name: str) -> None:
    text = getattr(KernelMathematics, name).__doc__
    if name == "sqrt":
        assert "Correctly rounded" in text
    else:
        assert float(re.findall(r"([\d.]+) ULP", text)[0]) == BOUNDS[name]


@pytest.mark.parametrize("name", ["tanh", "erf", "sin", "expm1", "log1p"])
def test_near_zero_functions_keep_their_digits(name: str) -> None:
    x = np.array([1e-45, -1e-45, 1e-38, -1e-30, 1e-10, 0.0], np.float32)
    graph = parse(f"def f(x: f32[6]):\n    return {name}(x)\n")
    assert (units(compile_graph(graph)(x), reference(name, x)) <= 1).all()


@pytest.mark.parametrize("target", TARGETS)
def test_power_over_the_whole_range(target: str) -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 2**32, 2**19, dtype=np.uint32).view(np.float32)
    x = np.concatenate([x, random.uniform(0.5, 2, 2**19).astype(np.float32)])
    y = (random.normal(size=x.size) * 10 ** random.uniform(-3, 3, x.size)).astype(np.float32)
    y[::3] = np.rint(y[::3])
    executable = compile_graph(
        parse("def f(x: f32[N], y: f32[N]):\n    return power(x, y)\n"), target
    )
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.float64), y.astype(np.float64))
    assert units(executable(x, y), expected).max() <= 0.6


@pytest.mark.parametrize("target", TARGETS)
def test_power_of_special_numbers(target: str) -> None:
    numbers = [0, 1, 2, 3, 0.5, 1.5, 1e-3, 0.1, 7, np.inf, 1e-45, 3e38, 2**24 - 1, 2**24, 8388607.5]
    numbers = [*numbers, *(-n for n in numbers), np.nan]
    x, y = (a.ravel().astype(np.float32) for a in np.meshgrid(numbers, numbers))
    executable = compile_graph(
        parse("def f(x: f32[N], y: f32[N]):\n    return power(x, y)\n"), target
    )
    actual = executable(x, y)
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.float64), y.astype(np.float64))
    assert units(actual, expected).max() <= 0.6
    ordered = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(actual[ordered]), np.signbit(expected[ordered]))


# intrinsics that are instructions of vectors
INSTRUCTIONS = {"masked", "fmuladd", "fabs", "sqrt", "floor", "roundeven", "copysign", "ldexp"}
INSTRUCTIONS |= {"maximum", "minimum", "smin", "vector"}
UNARY = sorted(name for name, op in REGISTRY.items() if issubclass(op, Unary) and not op.abstract)


@pytest.mark.parametrize("target_name", ["native", "x86-64"])
@pytest.mark.parametrize("name", [*UNARY, "power"])
def test_no_library_is_called_in_f32(name: str, target_name: str) -> None:
    operands = "x, x" if name == "power" else "x"
    graph = parse(f"def f(x: f32[N]):\n    return {name}({operands})\n")
    target = find_target(target_name)
    text = build_modules({target: lower_graph(graph, target)}, "model", in_memory=True).texts[
        target
    ]
    intrinsics = set(re.findall(r"declare .* @([\w.]+)\(", text))
    known = INSTRUCTIONS - (set() if "round" in target.abilities else {"floor", "roundeven"})
    assert not {name for name in intrinsics if name.split(".")[1] not in known}


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", ["round", "floor"])
@pytest.mark.parametrize("target", TARGETS)
def test_rounding_is_exact(target: str, name: str, dtype: str) -> None:
    halves = np.arange(-9, 10) / 2
    special = np.concatenate([halves, halves + 2.0**22, halves - 2.0**51, [-0.0, -0.2]])
    with np.errstate(all="ignore"):
        x = np.concatenate([whole_range(), special]).astype(numpy_dtype(dtype))
        expected = np.rint(x) if name == "round" else np.floor(x)
    actual = compile_graph(parse(f"def f(x: {dtype}[N]):\n    return {name}(x)\n"), target)(x)
    np.testing.assert_array_equal(actual, expected)
    ordered = ~np.isnan(x)
    np.testing.assert_array_equal(np.signbit(actual[ordered]), np.signbit(expected[ordered]))


@pytest.mark.parametrize("name", [*UNARY, "power"])
@pytest.mark.parametrize(
    ("dtype", "target"),
    [("f64", "native"), ("f16", "native"), ("f16", "x86-64"), ("bf16", "x86-64")],
)
def test_other_dtypes(name: str, dtype: str, target: str) -> None:
    operands = "x, x" if name == "power" else "x"
    graph = parse(f"def f(x: {dtype}[N]):\n    return {name}({operands})\n")
    x = np.random.default_rng(0).uniform(0.1, 3, 37).astype(numpy_dtype(dtype))
    tolerance = {"f64": 1e-14, "f16": 2e-3, "bf16": 2e-2}[dtype]
    assert_close(compile_graph(graph, target)(x), evaluate_graph(graph, [x])[0], tolerance)


@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "erf"])
def test_f64_keeps_its_digits_near_zero(name: str) -> None:
    graph = parse(f"def f(x: f64[N]):\n    return {name}(x)\n")
    x = np.concatenate([10.0 ** np.arange(-300, 2), -(10.0 ** np.arange(-300, 0))])
    expected = getattr(NUMPY, name)(x)
    np.testing.assert_allclose(compile_graph(graph)(x), expected, rtol=1e-14)
