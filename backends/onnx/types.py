"""Dtypes and shapes as ONNX writes them."""

from __future__ import annotations

from functools import cache

import onnx

from kerac.ir import Dim, TensorType

ELEMENT_TYPES = {
    "f16": onnx.TensorProto.FLOAT16,
    "bf16": onnx.TensorProto.BFLOAT16,
    "f32": onnx.TensorProto.FLOAT,
    "f64": onnx.TensorProto.DOUBLE,
    "i8": onnx.TensorProto.INT8,
    "i16": onnx.TensorProto.INT16,
    "i32": onnx.TensorProto.INT32,
    "i64": onnx.TensorProto.INT64,
    "u8": onnx.TensorProto.UINT8,
    "u16": onnx.TensorProto.UINT16,
    "u32": onnx.TensorProto.UINT32,
    "u64": onnx.TensorProto.UINT64,
    "bool": onnx.TensorProto.BOOL,
}


def element_type(dtype: str) -> int:
    """ONNX's number of a dtype."""
    return int(ELEMENT_TYPES[dtype])


def value_info(name: str, type_: TensorType) -> onnx.ValueInfoProto:
    """Name and type of a tensor; a dimension that is no integer is written as its expression."""
    shape = [str(dim) if isinstance(dim, Dim) else dim for dim in type_.shape]
    return onnx.helper.make_tensor_value_info(name, element_type(type_.dtype), shape)


@cache
def accepts(op_type: str, opset: int, dtype: str) -> bool:
    """Whether the opset has this operator, and its first operand may have this dtype."""
    try:
        schema = onnx.defs.get_schema(op_type, opset)
    except onnx.defs.SchemaError:
        return False
    wanted = onnx.helper.tensor_dtype_to_string(element_type(dtype))  # TensorProto.FLOAT
    return f"tensor({wanted.removeprefix('TensorProto.').lower()})" in schema.inputs[0].types
