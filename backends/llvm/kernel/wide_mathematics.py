"""f32 functions that need more bits on the way: computed in f64 vectors and rounded once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kerac.backends.llvm.kernel.builder import KernelBuilder
from kerac.backends.llvm.kernel.nodes import Operand, Register

# x + MAGIC - MAGIC is x rounded to an integer, which the lowest bits of x + MAGIC hold
MAGIC = 1.5 * 2.0**52
TWO_OVER_PI = 0.6366197723675814
# pi / 2 in two parts, the first with 33 bits, so that n * HALF_PI_HIGH is exact for n up to 2^20
HALF_PI_HIGH, HALF_PI_LOW = 1.5707963267341256, 6.077100506506192e-11
FAR = 2.0**20
# the bits of 2 / pi in pieces of 28, so that their products with 24 bits are exact
PIECES = tuple(
    piece * 2.0 ** (-28 * (place + 1))
    for place, piece in enumerate(
        (0xA2F9836, 0xE4E4415, 0x29FC275, 0x7D1F534, 0xDDC0DB6, 0x295993C, 0x439041F)
    )
)
# minimax of (sin r - r) / r^3 and of (cos r - 1 + r^2 / 2) / r^4 in r^2 on |r| <= pi / 4
SIN = (2.718046534419658e-6, -1.9839304422424527e-4, 8.333329280546182e-3, -0.16666666640588373)
COS = (-2.720503486425743e-7, 2.479945140590902e-5, -1.3888884663469847e-3, 4.166666661910024e-2)
# of log2(m) / s in s^2, s = (m - 1) / (m + 1), and of (2^f - 1) / f on |f| <= 1/2
LOG2 = (
    0.34073968132933463,
    0.41167222646540114,
    0.577083592697433,
    0.9617966733044099,
    2.8853900817901117,
)
EXP2 = (
    1.5314945980640104e-05,
    0.0001546711014779423,
    0.001333343079065187,
    0.009618036911599404,
    0.055504109625684535,
    0.2402265107584656,
    0.6931471805416538,
)
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
FRACTION_BITS = 2**52 - 1


def polynomial(k: KernelBuilder, coefficients: Sequence[float], x: Register) -> Any:
    """Horner's scheme, highest power first."""
    value: Operand = coefficients[0]
    for coefficient in coefficients[1:]:
        value = k.fma(value, x, coefficient)
    return value


def sine(k: KernelBuilder, x: Register) -> Any:
    """sin x, x in f32."""
    quadrant, r = _quarter_turns(k, x)
    return _wave(k, quadrant, r)


def cosine(k: KernelBuilder, x: Register) -> Any:
    """cos x = sin(x + pi / 2), x in f32."""
    quadrant, r = _quarter_turns(k, x)
    return _wave(k, quadrant + 1, r)


def _quarter_turns(k: KernelBuilder, x: Register) -> tuple[Register, Register]:
    """An integer n, of which the lowest bits are right, and r in f64 with x = n pi / 2 + r."""
    wide = k.convert(x, "f64")
    moved = k.fma(wide, TWO_OVER_PI, MAGIC)
    n = moved - MAGIC
    r = k.fma(n, -HALF_PI_LOW, k.fma(n, -HALF_PI_HIGH, wide))
    quadrant = k.convert(k.bitcast(moved, "i64"), "i32")
    far = k.compare("greater_equal", k.compute("absolute", x), FAR)
    count = k.convert(k.reduce("or", k.convert(far, "i32")), "i64")

    def reduce_exactly(_: Any, quadrant: Register, r: Register) -> tuple[Any, Any]:
        exact_quadrant, exact = _by_pieces(k, wide)
        return k.select(far, exact_quadrant, quadrant), k.select(far, exact, r)

    # a loop that runs once where a lane needs it, and else not at all
    result = k.loop("far", 0, count, reduce_exactly, carried=(quadrant, r))
    return result[0], result[1]


def _by_pieces(k: KernelBuilder, x: Register) -> tuple[Register, Register]:
    """`_quarter_turns` for large x: whole turns fall out of each exact product (Payne, Hanek)."""
    total: Any = 0.0
    for piece in PIECES:
        product = x * piece
        turns = product * 0.25
        rounded = turns + MAGIC - MAGIC
        # larger numbers are integers already
        rounded = k.select(k.compare("less", k.compute("absolute", turns), 2.0**51), rounded, turns)
        total = total + k.fma(rounded, -4.0, product)
    moved = total + MAGIC
    r = (total - (moved - MAGIC)) * (math.pi / 2)
    return k.convert(k.bitcast(moved, "i64"), "i32"), r


def _wave(k: KernelBuilder, quadrant: Register, r: Register) -> Any:
    """The sine after `quadrant` quarter turns and r."""
    r = k.convert(r, "f32")
    square = r * r
    odd = k.fma(polynomial(k, SIN, square) * square, r, r)
    even = k.fma(polynomial(k, COS, square) * square, square, k.fma(square, -0.5, 1.0))
    turned = k.compare("not_equal", k.compute("and", quadrant, 1), 0)
    wave = k.bitcast(k.select(turned, even, odd), "i32")
    sign = k.compute("shift_left", k.compute("and", quadrant, 2), 30)
    return k.bitcast(k.compute("xor", wave, sign), "f32")


def power(k: KernelBuilder, x: Register, y: Register) -> Any:
    """x^y = 2^(y log2 |x|) in f32, with the sign and the special cases of C."""
    lanes = max(x.kind.lanes, y.kind.lanes)
    x, y = (value if value.kind.lanes == lanes else k.broadcast(value, lanes) for value in (x, y))
    size = k.compute("absolute", x)
    exponent = k.convert(y, "f64") * _log2(k, k.convert(size, "f64"))
    result = k.convert(_exp2(k, exponent), "f32")
    # an integer y has its parity in the lowest bit; those from 2^24 on are all even
    whole = k.convert(y, "i32")
    large = k.compare("greater_equal", k.compute("absolute", y), 2.0**24)
    integer = k.compute("or", k.compare("equal", k.convert(whole, "f32"), y), large)
    bit = k.compare("not_equal", k.compute("and", whole, 1), 0)
    odd = k.compute("and", k.compute("and", integer, bit), k.compute("xor", large, True))
    negative = k.compare("less", k.bitcast(x, "i32"), 0)
    result = k.select(k.compute("and", odd, negative), -result, result)
    undefined = k.compute("and", k.compare("less", x, 0.0), k.compute("xor", integer, True))
    undefined = k.compute("and", undefined, k.compare("greater", x, -math.inf))
    result = k.select(undefined, math.nan, result)
    # 1^y = x^0 = 1 even for NaN, and (-1)^infinity = 1
    one = k.compute("or", k.compare("equal", x, 1.0), k.compare("equal", y, 0.0))
    endless = k.compute(
        "and", k.compare("equal", size, 1.0), k.compare("equal", k.compute("absolute", y), math.inf)
    )
    return k.select(k.compute("or", one, endless), 1.0, result)


def _log2(k: KernelBuilder, x: Register) -> Any:
    """log2 of x >= 0 in f64 with a relative error of 2^-37; x is not subnormal."""
    moved = k.bitcast(x, "i64") - SQRT_HALF_BITS
    fraction = k.compute("and", moved, FRACTION_BITS) + SQRT_HALF_BITS
    mantissa = k.bitcast(fraction, "f64")
    exponent = k.convert(k.convert(k.compute("shift_right", moved, 52), "i32"), "f64")
    s = (mantissa - 1.0) / (mantissa + 1.0)
    result = k.fma(polynomial(k, LOG2, s * s), s, exponent)
    result = k.select(k.compare("equal", x, 0.0), -math.inf, result)
    # infinity, and NaN, which fails the comparison
    return k.select(k.compare("less", x, math.inf), result, x)


def _exp2(k: KernelBuilder, t: Register) -> Any:
    """2^t in f64 with an error of 2^-34, for what f32 can hold; 0 or infinity in f32 beyond."""
    bounded = k.maximum(k.minimum(t, 200.0), -200.0)
    moved = bounded + MAGIC
    f = bounded - (moved - MAGIC)
    bits = k.compute("shift_left", k.bitcast(moved, "i64"), 52)
    scale = k.bitcast(bits + (1023 << 52), "f64")
    return k.fma(polynomial(k, EXP2, f), f, 1.0) * scale
