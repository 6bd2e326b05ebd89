"""Types and constants as LLVM IR writes them."""

from __future__ import annotations

import struct

import numpy as np

from kerac.backends.llvm.kernel.nodes import Kind
from kerac.ir.types import numpy_dtype

SCALARS = {
    # only their bits: LLVM calls functions that nobody links where the target lacks narrow floats
    "f16": "i16",
    "bf16": "i16",
    "f32": "float",
    "f64": "double",
    "bool": "i1",
    **{f"{sign}{bits}": f"i{bits}" for sign in "iu" for bits in (8, 16, 32, 64)},
}
BYTES = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8, "bool": 1} | {
    f"{sign}{bits}": bits // 8 for sign in "iu" for bits in (8, 16, 32, 64)
}


def llvm_type(kind: Kind) -> str:
    """`float`, `<16 x float>`, ..."""
    scalar = SCALARS[kind.dtype]
    return scalar if kind.lanes == 1 else f"<{kind.lanes} x {scalar}>"


def memory_type(dtype: str) -> str:
    """Type of one element in memory, where bool takes a byte."""
    return "i8" if dtype == "bool" else SCALARS[dtype]


def constant(number: float, kind: Kind) -> str:
    """A number in every lane as an LLVM constant."""
    if kind.dtype in ("f16", "bf16"):
        scalar = str(_narrow_bits(float(number), kind.dtype))
    elif kind.is_float:
        scalar = _float_text(float(number), kind.dtype)
    elif kind.dtype == "bool":
        scalar = "true" if number else "false"
    else:
        scalar = str(int(number))
    if kind.lanes == 1:
        return scalar
    return f"splat ({SCALARS[kind.dtype]} {scalar})"


def _float_text(number: float, dtype: str) -> str:
    """LLVM writes float constants as the bits of the double with the same value."""
    if dtype == "f32":
        try:
            number = struct.unpack("f", struct.pack("f", number))[0]
        except OverflowError:
            number = float("inf") if number > 0 else float("-inf")
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"


def _narrow_bits(number: float, dtype: str) -> int:
    """The bits of the nearest f16 or bf16."""
    with np.errstate(over="ignore"):
        return int(np.asarray(number, numpy_dtype(dtype)).view(np.uint16))
