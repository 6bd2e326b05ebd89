"""Where data enters a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerac.ir import symbol
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.types import TensorType, dtype_name
from kerac.layers.base import Layer
from kerac.layers.text.base import TextType
from kerac.tensor import KerasTensor, Node

INPUT_DTYPES = (
    *("float32", "string", "bool", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
)


class InputLayer(Layer):
    """An argument of a model; its only output is the symbolic tensor that stands for it."""

    supports_masking = True

    batch_shape: tuple[int | None, ...]
    dtype: str = "float32"
    sparse: bool = False
    ragged: bool = False
    optional: bool = False

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Keras's spellings of the shape: without the batch, with it, and those of Keras 2."""
        names = ("shape", "batch_size", "dtype", "sparse", "ragged", "batch_shape")
        given = dict(zip(names, args, strict=False)) | kwargs
        shape = given.pop("shape", None)
        shape = given.pop("input_shape", shape)
        batch = given.pop("batch_size", None)
        whole = given.pop("batch_input_shape", None)
        whole = given.pop("batch_shape", whole)
        if (shape is None) == (whole is None):
            raise CompileError(
                "Input: needs its shape once, as shape= without the batch or batch_shape= with it"
            )
        given["dtype"] = _input_dtype(given.get("dtype"), given.get("name"))
        dtype = given.pop("dtype")
        given = {name: value for name, value in given.items() if value is not None}
        given = super()._by_name((), given)
        given["batch_shape"] = (batch, *_shape(shape)) if whole is None else _shape(whole)
        given["dtype"] = dtype
        return given

    def __post_init__(self) -> None:
        if not self.batch_shape:
            raise CompileError(f"Input {self.name!r}: has no axis, but the first one is the batch")
        if any(length is not None and length < 0 for length in self.batch_shape):
            raise CompileError(f"Input {self.name!r}: a length of {self.batch_shape} is negative")
        if self.sparse or self.ragged:
            kind = "sparse" if self.sparse else "ragged"
            raise UnsupportedError(f"Input {self.name!r}: is {kind}, but kerac reads dense tensors")
        self.built = True
        node = Node(self, (), {})
        dims = tuple(symbol("unknown") if dim is None else dim for dim in self.batch_shape)
        if self.dtype == "string":
            type_: TensorType = TextType("string", dims)
        else:
            type_ = TensorType(dtype_name(self.dtype), dims)
        node.outputs = KerasTensor(type_, node, 0, str(self.name))
        self.nodes.append(node)

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        names = ("batch_shape", "dtype", "sparse", "ragged", "name")
        config = {name: getattr(self, name) for name in names}
        return config | ({"optional": True} if self.optional else {})


def Input(  # noqa: N802
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: None = None,
    optional: bool = False,
) -> KerasTensor:
    """The symbolic tensor of a new argument; None in `shape` stands for lengths that vary."""
    if tensor is not None:
        raise UnsupportedError("Input: tensor= is given, but an input has no tensor before a call")
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        name=name,
        optional=optional,
    )
    output: KerasTensor = layer.output
    return output


def _input_dtype(dtype: Any, name: Any) -> str:
    dtype = "float32" if dtype is None else getattr(dtype, "name", dtype)
    if not isinstance(dtype, str) or dtype not in INPUT_DTYPES:
        raise UnsupportedError(
            f"Input {name!r}: has dtype {dtype!r}, but inputs can be {', '.join(INPUT_DTYPES)}"
        )
    return dtype


def _shape(shape: Any) -> tuple[Any, ...]:
    if not isinstance(shape, list | tuple):
        shape = (shape,)
    return tuple(shape)
