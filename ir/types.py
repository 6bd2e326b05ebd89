"""Types of values: a dtype and a shape, written `f32[N, 28, 28, 1]`; a scalar is written `f32`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from kerac.ir.dims import Dim, DimLike, known_dim, parse_dim, substitute, symbols_of
from kerac.ir.errors import FormatError, ShapeError

# text name -> NumPy name; bf16 is ml_dtypes', which registers itself with NumPy when imported
DTYPES = {
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "bool": "bool",
}
FLOATS = ("f16", "bf16", "f32", "f64")
NARROW = ("f16", "bf16")  # they are kept in memory, but computed with in f32
_FROM_NUMPY = {numpy_name: name for name, numpy_name in DTYPES.items()}

Shape = tuple[DimLike, ...]


@dataclass(frozen=True)
class TensorType:
    """Dtype and shape of one array."""

    dtype: str
    shape: Shape = ()

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ShapeError(f"{self.dtype!r} is not a dtype; known are {', '.join(DTYPES)}")
        if any(isinstance(dim, int) and dim < 0 for dim in self.shape):
            raise ShapeError(f"a dimension of {self} is negative")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> DimLike:
        """Number of elements."""
        return prod(self.shape, start=1)

    @property
    def numpy_dtype(self) -> np.dtype:
        """The NumPy dtype of the elements."""
        return numpy_dtype(self.dtype)

    @property
    def is_float(self) -> bool:
        """Whether elements are floating-point numbers."""
        return self.dtype in FLOATS

    @property
    def symbols(self) -> frozenset[str]:
        """Names of the symbolic dimensions."""
        return frozenset().union(*(symbols_of(dim) for dim in self.shape))

    def with_shape(self, shape: Shape) -> TensorType:
        """The same dtype with another shape."""
        return TensorType(self.dtype, tuple(shape))

    def with_dtype(self, dtype: str) -> TensorType:
        """The same shape with another dtype."""
        return TensorType(dtype, self.shape)

    def substitute(self, values: Mapping[str, DimLike]) -> TensorType:
        """Replace symbolic dimensions."""
        return TensorType(self.dtype, tuple(substitute(dim, values) for dim in self.shape))

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]" if self.shape else self.dtype


Type = TensorType | tuple[TensorType, ...]


def numpy_dtype(name: str) -> np.dtype:
    """The NumPy dtype of the text name `name`."""
    if name == "bf16":
        import ml_dtypes

        dtype: np.dtype = np.dtype(ml_dtypes.bfloat16)
        return dtype
    return np.dtype(DTYPES[name])


def dtype_name(dtype: object) -> str:
    """The text name of a NumPy dtype, dtype name or text name."""
    if isinstance(dtype, str) and dtype in DTYPES:
        return dtype
    name = "bfloat16" if dtype == "bfloat16" else np.dtype(dtype).name  # type: ignore[call-overload]
    if name not in _FROM_NUMPY:
        raise ShapeError(f"dtype {name} is not supported; known are {', '.join(DTYPES.values())}")
    return _FROM_NUMPY[name]


def computing_dtype(dtype: str) -> str:
    """The dtype to compute with: f32 for narrower floating-point numbers."""
    return "f32" if dtype in NARROW else dtype


def widest_float(dtypes: Iterable[str]) -> str | None:
    """The floating-point dtype that holds all others; None where there is none."""
    floats = set(dtypes) & set(FLOATS)
    if floats == set(NARROW):  # neither of the two holds the other
        return "f32"
    return max(floats, key=FLOATS.index, default=None)


def is_narrow(array: object) -> bool:
    """Whether `array` is one of f16 or bf16."""
    dtype = getattr(array, "dtype", None)
    return dtype is not None and (dtype == np.float16 or dtype.name == "bfloat16")


def type_of(array: np.ndarray) -> TensorType:
    """The type of a NumPy array."""
    return TensorType(dtype_name(array.dtype), tuple(array.shape))


def type_text(type_: Type) -> str:
    """`f32[2, 3]`, or for several results `(f32[2, 3], f32[2])`."""
    if isinstance(type_, tuple):
        return f"({', '.join(map(str, type_))}{',' if len(type_) == 1 else ''})"
    return str(type_)


def type_from_text(text: str) -> TensorType:
    """Read `f32[N, 3]`."""
    try:
        found = parse_type(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError):
        found = None
    if not isinstance(found, TensorType):
        raise FormatError(f"{text!r:.60} is no type, such as f32[N, 3]")
    return found


def parse_type(node: ast.expr) -> Type:
    """Read a type from its Python expression."""
    match node:
        case ast.Name(id=dtype) if dtype in DTYPES:
            return TensorType(dtype)
        case ast.Subscript(value=ast.Name(id=dtype), slice=dims) if dtype in DTYPES:
            items = dims.elts if isinstance(dims, ast.Tuple) else [dims]
            return TensorType(dtype, tuple(parse_dim(item) for item in items))
        case ast.Tuple(elts=items):
            types = tuple(parse_type(item) for item in items)
            if all(isinstance(item, TensorType) for item in types):
                return types  # type: ignore[return-value]
    raise FormatError(f"`{ast.unparse(node)}` is not a type")


def check_types(expected: Mapping[str, tuple[TensorType | None, TensorType]]) -> None:
    """By name the type of an operand, None if it is absent, and the one it must have."""
    for name, (given, wanted) in expected.items():
        if given is not None and given != wanted:
            raise ShapeError(f"{name} must be {wanted}, but is {given}")


def known_shape(shape: Shape) -> tuple[int, ...]:
    """`shape`, all of whose dimensions must be numbers, as they are once there are arrays."""
    return tuple(known_dim(dim) for dim in shape)


def is_static(shape: Shape) -> bool:
    """Whether every dimension is an integer."""
    return not any(isinstance(dim, Dim) for dim in shape)
