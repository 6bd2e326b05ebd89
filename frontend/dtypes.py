"""Names of dtypes, and the dtype of what is computed from several, as Keras says."""

from __future__ import annotations

from functools import cache
from typing import Any

from kerac.ir.errors import CompileError

INTEGERS = tuple(f"{sign}int{bits}" for sign in ("u", "") for bits in (8, 16, 32, 64))
FLOATS = ("bfloat16", "float16", "float32", "float64")
OTHERS = ("bool", "string", "float8_e4m3fn", "float8_e5m2", "complex64", "complex128")
PYTHON = {bool: "bool", int: "int32", float: "float32", str: "string", "int": "int32"}
NARROWED = {
    "int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64",
}  # fmt: skip
# The next dtypes that hold all of one; "int" and "float" stand for Python's numbers.
WIDER = {
    "bool": ("int",), "int": ("uint8", "int8", "complex64"),
    "uint8": ("int16", "uint16"), "uint16": ("int32", "uint32"), "uint32": ("int64", "uint64"),
    "uint64": ("float",), "int8": ("int16",), "int16": ("int32",), "int32": ("int64",),
    "int64": ("float",), "float": ("bfloat16", "float16"), "bfloat16": ("float32",),
    "float16": ("float32",), "float32": ("float64", "complex64"), "float64": ("complex128",),
    "complex64": ("complex128",), "complex128": (),
}  # fmt: skip


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype that is given by a name, a class or an object; None is `floatx`."""
    if dtype is None:
        from kerac.backend import floatx

        return floatx()
    if dtype.__hash__ is not None and dtype in PYTHON:
        return PYTHON[dtype]
    name = str(getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype))
    name = name.rsplit(".", 1)[-1]
    if name not in (*INTEGERS, *FLOATS, *OTHERS):
        raise CompileError(f"{dtype!r:.60} is no dtype")
    return name


def is_float_dtype(dtype: Any) -> bool:
    """Whether numbers of a dtype have fractions."""
    return standardize_dtype(dtype).startswith(("float", "bfloat"))


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype is one of whole numbers, with a sign or without."""
    return standardize_dtype(dtype) in INTEGERS


def result_type(*dtypes: Any) -> str:
    """The dtype of what is computed from several: the smallest that holds all, 64 bits as 32.

    Python's `int` and `float` take the dtype of what stands beside them.
    """
    # NumPy's dtypes are equal to Python's classes
    weak = [dtype is int or dtype is float for dtype in dtypes]
    names = [standardize_dtype(dtype) for dtype in dtypes]
    if len({*names}) == 1:
        return NARROWED.get(names[0], names[0])
    if not names:
        return "float32"
    if any(name.startswith("float8") for name in names):
        raise CompileError(f"dtypes {names} have no common one, but must be cast to one first")
    if not all(weak):
        names = [
            {int: "int", float: "float"}[dtype] if is_weak else name
            for dtype, name, is_weak in zip(dtypes, names, weak, strict=True)
        ]
    found = _joined(frozenset(names))
    found = {"int": "int32", "float": "float32"}.get(found, found)
    return NARROWED.get(found, found)


@cache
def _holders(name: str) -> frozenset[str]:
    """A dtype and all that hold its numbers."""
    if name not in WIDER:
        raise CompileError(f"dtype {name!r} has no common one with others")
    return frozenset({name}).union(*(_holders(wider) for wider in WIDER[name]))


@cache
def _joined(names: frozenset[str]) -> str:
    """The dtype that all dtypes which hold all of `names` hold."""
    common = frozenset.intersection(*map(_holders, names))
    return next(name for name in common if common <= _holders(name))
