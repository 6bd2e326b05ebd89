"""Native movement against the reference, over random shapes, dtypes and targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from tests.llvm.native import check

TARGETS = ("native", "avx2", "x86-64")
DTYPES = ("f32", "f32", "f32", "f64", "i32", "u8", "bool", "f16", "bf16", "i64")
LENGTHS = (1, 2, 3, 4, 5, 7, 16, 17, 33, 40)
SYMBOLS = {"N": (1, 2, 3, 17), "T": (1, 5, 16, 33)}

Length = int | str


@dataclass(frozen=True)
class Call:
    """An op on x and others; `shape` is the result's, None where it is no plain dim."""

    text: str
    shape: tuple[Length | None, ...]
    others: tuple[tuple[Length, ...], ...] = ()


Random = np.random.Generator
Make = Callable[[Random, tuple[Length, ...]], Call]


def transpose(random: Random, shape: tuple[Length, ...]) -> Call:
    permutation = tuple(int(axis) for axis in random.permutation(len(shape)))
    return Call(
        f"transpose(x, permutation={permutation})", tuple(shape[axis] for axis in permutation)
    )


def slice_(random: Random, shape: tuple[Length, ...]) -> Call:
    start, stop, step, result = [], [], [], []
    for length in shape:
        first = 0 if isinstance(length, str) else int(random.integers(0, length))
        last = (
            length
            if isinstance(length, str)
            else int(random.integers(first, length, endpoint=True))
        )
        every = 1 if isinstance(length, str) else int(random.choice([1, 1, 2, 3, 9]))
        start.append(first)
        stop.append(last)
        step.append(every)
        result.append(length if isinstance(last, str) else -(-(last - first) // every))
    bounds = ", ".join(
        f"{name}=({', '.join(map(str, values))},)"
        for name, values in (("start", start), ("stop", stop), ("step", step))
    )
    return Call(f"slice(x, {bounds})", tuple(result))


def reverse(random: Random, shape: tuple[Length, ...]) -> Call:
    count = int(random.integers(1, len(shape) + 1))
    axes = tuple(sorted(int(a) for a in random.permutation(len(shape))[:count]))
    return Call(f"reverse(x, axes={axes})", shape)


def repeat(random: Random, shape: tuple[Length, ...]) -> Call:
    axis, count = int(random.integers(len(shape))), int(random.choice([2, 3, 9]))
    length = shape[axis]
    longer = None if isinstance(length, str) else length * count
    return Call(
        f"repeat(x, axis={axis}, count={count})", (*shape[:axis], longer, *shape[axis + 1 :])
    )


def pad(random: Random, shape: tuple[Length, ...]) -> Call:
    pairs = tuple((int(a), int(b)) for a, b in random.choice([0, 0, 1, 3], (len(shape), 2)))
    result = tuple(
        length + sum(pair) if isinstance(length, int) else length if not any(pair) else None
        for length, pair in zip(shape, pairs, strict=True)
    )
    return Call(f"pad(x, padding={pairs}, value=1.0)", result)


def concatenate(random: Random, shape: tuple[Length, ...]) -> Call:
    axis = int(random.integers(len(shape)))
    lengths = [int(n) for n in random.choice([1, 2, 5, 16, 20], random.integers(0, 4))]
    others = tuple((*shape[:axis], n, *shape[axis + 1 :]) for n in lengths)
    total = shape[axis] if not others else None
    if isinstance(shape[axis], int):
        total = shape[axis] + sum(lengths)
    names = ", ".join(["x", *(f"x{i}" for i in range(len(others)))])
    text = f"concatenate({names}, axis={axis})"
    return Call(text, (*shape[:axis], total, *shape[axis + 1 :]), others)


def broadcast_to(random: Random, shape: tuple[Length, ...]) -> Call:
    longer = tuple(int(random.choice([6, 20])) if n == 1 else n for n in shape)
    result = (*random.choice([2, 3], random.integers(0, 2)).tolist(), *longer)
    return Call(f"broadcast_to(x, shape=({', '.join(map(str, result))},))", result)


OPS = (transpose, transpose, slice_, reverse, repeat, pad, concatenate, broadcast_to)


def type_text(dtype: str, shape: tuple[Length | None, ...]) -> str:
    return f"{dtype}[{', '.join(map(str, shape))}]" if shape else dtype


def random_shape(random: Random) -> tuple[Length, ...]:
    shape: list[Length] = [int(n) for n in random.choice(LENGTHS, random.integers(1, 5))]
    for symbol in SYMBOLS:
        if random.random() < 0.5:
            shape[int(random.integers(len(shape)))] = symbol
    return tuple(shape)


def with_epilogue(random: Random, call: Call, dtype: str, inputs: list[str]) -> str:
    """The text of a function that applies the op and, mostly, multiplies by a part of its shape."""
    result = "y"
    if dtype == "f32" and random.random() < 0.6:
        factor = tuple(
            1 if n is None or random.random() < 0.4 else n
            for n in call.shape[int(random.integers(0, len(call.shape) + 1)) :]
        )
        inputs.append(f"s: {type_text('f32', factor)}")
        result = "multiply(y, s)"
    return f"def f({', '.join(inputs)}):\n    y = {call.text}\n    return {result}\n"


@pytest.mark.parametrize("seed", range(160))
def test_random_movement(seed: int) -> None:
    random = np.random.default_rng(seed)
    dtype, shape = str(random.choice(DTYPES)), random_shape(random)
    make: Make = OPS[seed % len(OPS)]
    call = make(random, shape)
    inputs = [f"x: {type_text(dtype, shape)}"]
    inputs += [f"x{i}: {type_text(dtype, other)}" for i, other in enumerate(call.others)]
    text = with_epilogue(random, call, dtype, inputs)
    dims = {symbol: int(random.choice(values)) for symbol, values in SYMBOLS.items()}
    check(text, dims, seed=seed, target=str(random.choice(TARGETS)))


@pytest.mark.parametrize("seed", range(40))
def test_random_gather(seed: int) -> None:
    random = np.random.default_rng(seed)
    dtype = str(random.choice(DTYPES))
    table = [random.choice(["3", "7", "N"]), *random.choice(["1", "3", "16", "40"], seed % 3)]
    places = [*random.choice(["T", "4", "1", "6"], random.integers(0, 3))]
    integers = str(random.choice(["i8", "u8", "i16", "i32", "u32", "i64", "u64"]))
    inputs = [f"x: {type_text(dtype, tuple(table))}", f"i: {type_text(integers, tuple(places))}"]
    call = Call("gather(x, i)", (*places, *table[1:]))
    text = with_epilogue(random, call, dtype, inputs)
    check(text, {"T": int(random.choice([1, 5, 33]))}, seed=seed, target=TARGETS[seed % 3])


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (65, 31), (3, 100), (100, 3), (5, 1)])
@pytest.mark.parametrize("target", TARGETS)
def test_transposed_matrices(size: tuple[int, int], target: str) -> None:
    rows, columns = size
    text = "def f(x: {}):\n    return transpose(x, permutation=(1, 0))\n"
    check(text.format(f"f32[{rows}, {columns}]"), target=target)
    check(text.format("f32[R, C]"), {"R": rows, "C": columns}, target=target)


@pytest.mark.parametrize("target", ["native", "avx2", "x86-64"])
@pytest.mark.parametrize("channels", [2, 3, 6, 7, 15])
def test_rows_shorter_than_vectors(channels: int, target: str) -> None:
    text = f"""
def f(x: f32[N, T, {channels}], a: f32[{channels}], b: f32[1, 1, {channels}], c: f32[N, T, 1]):
    y = add(multiply(x, a), b)
    z = multiply(x, c)
    u = multiply(tanh(add(x, 2.0)), a)
    return y, z, u
"""
    for batch, steps in ((1, 1), (2, 5), (3, 37)):
        check(text, {"N": batch, "T": steps}, target=target)
    check(text.replace("T", "16").replace("N", "2"), target=target)
