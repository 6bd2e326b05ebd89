"""A kerac_info made of ctypes structures, whose functions are Python's."""

import ctypes
from collections.abc import Callable, Sequence

import numpy as np

from kerac.runtime import Executable, ModelInfo, TensorInfo
from kerac.runtime.abi import (
    ABI_VERSION,
    DTYPES,
    KeracInfo,
    KeracTensor,
    OutputShapeFunction,
    RunFunction,
    VariantFunction,
    WorkspaceSizeFunction,
)

_VARIANT = ctypes.create_string_buffer(b"any")
Compute = Callable[..., Sequence[np.ndarray] | int]


def tensor(name: str, dtype: str, *shape: int, origin: str = "") -> TensorInfo:
    names = {-1 - index: symbol for index, symbol in enumerate("NTHW")}
    text = ", ".join(names.get(entry, str(entry)) for entry in shape)
    return TensorInfo(name, dtype, f"{dtype}[{text}]" if shape else dtype, origin, shape)


def executable(
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
    compute: Compute,
    workspace_size: int = 256,
    version: int = ABI_VERSION,
    runs_here: bool = True,
) -> Executable:
    """An executable that calls `compute` on arrays; it gives outputs, or an error code."""
    entries = {entry for value in inputs for entry in value.shape if entry < 0}
    names = tuple("NTHW"[: len(entries - {-(2**63)})])
    model = ModelInfo("model", "a test", "memory", names, tuple(inputs), tuple(outputs), 0)

    def run(given: int, wanted: int, dims: int, workspace: int, _: int) -> int:
        if workspace % 64:
            return 3
        bound = [ctypes.c_int64.from_address(dims + 8 * i).value for i in range(len(names))]
        results = compute(*(_array(given, i, value, bound) for i, value in enumerate(inputs)))
        if isinstance(results, int):
            return results
        for index, (value, result) in enumerate(zip(outputs, results, strict=True)):
            _array(wanted, index, value, bound)[...] = result
        return 0

    functions = (
        WorkspaceSizeFunction(lambda _: workspace_size),
        OutputShapeFunction(lambda *_: 2),
        RunFunction(run),
        VariantFunction(lambda: ctypes.addressof(_VARIANT) if runs_here else 0),
    )
    structure, keepalive = structure_of(model, functions, version)
    return Executable(ctypes.addressof(structure), keepalive=(structure, keepalive))


def structure_of(
    model: ModelInfo, functions: Sequence[object], version: int
) -> tuple[KeracInfo, object]:
    lists = [_tensors(model.inputs), _tensors(model.outputs)]
    names = (ctypes.c_char_p * max(len(model.dim_names), 1))(*(n.encode() for n in model.dim_names))
    structure = KeracInfo(
        version, model.name.encode(), model.producer.encode(), model.target.encode(),
        len(model.dim_names), names, len(model.inputs), lists[0], len(model.outputs), lists[1],
        model.weights_size, *functions,
    )  # fmt: skip
    return structure, (lists, names, functions)


def _tensors(values: Sequence[TensorInfo]) -> ctypes.Array[KeracTensor]:
    shapes = [(ctypes.c_int64 * max(len(value.shape), 1))(*value.shape) for value in values]
    return (KeracTensor * max(len(values), 1))(
        *(
            KeracTensor(
                value.name.encode(), value.dtype.encode(), value.type.encode(),
                value.origin.encode(), len(value.shape), shape, value.replaces,
            )
            for value, shape in zip(values, shapes, strict=True)
        )
    )  # fmt: skip


def _array(pointers: int, index: int, value: TensorInfo, dims: list[int]) -> np.ndarray:
    shape = tuple(entry if entry >= 0 else dims[-1 - entry] for entry in value.shape)
    dtype = np.dtype(DTYPES[value.dtype][0])
    address = ctypes.c_void_p.from_address(pointers + 8 * index).value
    size = int(np.prod(shape)) * dtype.itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype).reshape(shape)
