"""f16 and bf16 to f32 and back in integer arithmetic, for targets without an instruction for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerac.backends.llvm.kernel.nodes import Register

if TYPE_CHECKING:
    from kerac.backends.llvm.kernel.builder import KernelBuilder

INFINITY = 0x7F800000
QUIET = 0x400000  # the bit of the fraction that makes infinity NaN


def widened(k: KernelBuilder, x: Register) -> Register:
    """x in f32, exactly."""
    bits = k.convert(k.bitcast(x, "u16"), "u32")
    if x.kind.dtype == "bf16":
        return k.bitcast(k.compute("shift_left", bits, 16), "f32")
    size = k.compute("and", bits, 0x7FFF)
    # in f32 the bias is larger by 112; the product makes subnormal numbers normal
    moved = k.bitcast(k.bitcast(k.compute("shift_left", size, 13), "f32") * 2.0**112, "u32")
    endless = k.select(k.compare("greater_equal", size, 0x7C00), INFINITY, 0, bits.kind)
    sign = k.compute("shift_left", k.compute("and", bits, 0x8000), 16)
    return k.bitcast(k.compute("or", k.compute("or", moved, endless), sign), "f32")


def narrowed(k: KernelBuilder, x: Register, dtype: str) -> Register:
    """The f32 register x in f16 or bf16, rounded to the nearest, halves to even."""
    bits = k.bitcast(x, "u32")
    result = _brain_float(k, bits) if dtype == "bf16" else _half(k, bits)
    return k.bitcast(k.convert(result, "u16"), dtype)


def _rounded_shift(k: KernelBuilder, bits: Register, places: int) -> Any:
    """bits / 2^places, halves to even."""
    parity = k.compute("and", k.compute("shift_right", bits, places), 1)
    return k.compute("shift_right", bits + parity + (2 ** (places - 1) - 1), places)


def _brain_float(k: KernelBuilder, bits: Register) -> Any:
    """The upper half of an f32."""
    endless = k.compare("greater", k.compute("and", bits, 0x7FFFFFFF), INFINITY)
    nan = k.compute("or", k.compute("shift_right", bits, 16), QUIET >> 16)
    return k.select(endless, nan, _rounded_shift(k, bits, 16))


def _half(k: KernelBuilder, bits: Register) -> Any:
    size = k.compute("and", bits, 0x7FFFFFFF)
    sign = k.compute("shift_right", k.compute("and", bits, 0x80000000), 16)
    # a normal number of f16: the bias is smaller by 112
    normal = _rounded_shift(k, size - (112 << 23), 13)
    # a subnormal one: adding 1/2 moves the fraction to its place and rounds it
    small = k.bitcast(k.bitcast(size, "f32") + 0.5, "u32") - 0x3F000000
    result = k.select(k.compare("less", size, 113 << 23), small, normal)
    # 65520 and beyond round to infinity
    result = k.select(k.compare("greater_equal", size, 0x477FF000), 0x7C00, result)
    result = k.select(k.compare("greater", size, INFINITY), 0x7E00, result)
    return k.compute("or", result, sign)
