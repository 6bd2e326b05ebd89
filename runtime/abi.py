"""The C interface of a compiled model, stated once: header, loader and JIT all go by this.

    NAME_info()                                       -> const kerac_info *
    NAME_workspace_size(dims...)                      -> bytes a run needs, or 0
    NAME_run(inputs, outputs, dims..., workspace)     -> 0 or a code of `RETURN_CODES`
    NAME_set_threads(threads)                         for runs that say nothing of it; 1 at first
    NAME_variant()                                    -> which of its variants runs here, or NULL
    kerac_library_info()                              NAME_info for loaders that know no name

An output that replaces an input is written over it: both pointers are the same.
Arrays are dense and row-major, aligned to their elements; a bool is one byte, 0 or 1.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.runtime.errors import LibraryError

ABI_VERSION = 4
LIBRARY_SYMBOL = "kerac_library_info"
ALIGNMENT = 64  # bytes, of the workspace
DERIVED = -(2**63)  # a dimension of an output that is computed: ask output_shape

OK = 0
NULL_POINTER = 1
DIM_NOT_POSITIVE = 2
WORKSPACE_NOT_ALIGNED = 3
WRONG_PROCESSOR = 4
RETURN_CODES = {
    OK: "ok",
    NULL_POINTER: "a pointer is NULL",
    DIM_NOT_POSITIVE: "a dimension is not positive",
    WORKSPACE_NOT_ALIGNED: f"the workspace is not aligned to {ALIGNMENT} bytes",
    WRONG_PROCESSOR: "the processor lacks instructions that the code is made of",
}

# text name -> NumPy's name, type in C
DTYPES = {
    "f16": ("float16", "uint16_t"),
    "bf16": ("bfloat16", "uint16_t"),
    "f32": ("float32", "float"),
    "f64": ("float64", "double"),
    "i8": ("int8", "int8_t"),
    "i16": ("int16", "int16_t"),
    "i32": ("int32", "int32_t"),
    "i64": ("int64", "int64_t"),
    "u8": ("uint8", "uint8_t"),
    "u16": ("uint16", "uint16_t"),
    "u32": ("uint32", "uint32_t"),
    "u64": ("uint64", "uint64_t"),
    "bool": ("bool", "uint8_t"),
}

WorkspaceSizeFunction = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p)
OutputShapeFunction = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p
)
RunFunction = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 5)
TaskFunction = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
ParallelFor = ctypes.CFUNCTYPE(None, ctypes.c_void_p, TaskFunction, ctypes.c_void_p, ctypes.c_int64)
VariantFunction = ctypes.CFUNCTYPE(ctypes.c_void_p)  # of a string
RepeatFunction = ctypes.CFUNCTYPE(
    ctypes.c_int,
    *[ctypes.c_void_p] * 7,
    *[ctypes.c_int64] * 2,
    ctypes.c_void_p,
)
InfoFunction = ctypes.CFUNCTYPE(ctypes.c_void_p)


class KeracParallel(ctypes.Structure):
    """`kerac_parallel`: how a run uses threads.

    At most `threads` work on it: those of the library, or what `parallel_for` does with context,
    task, data and count: call task(data, 0 ... count - 1) in any order, and return after the last.
    """

    _fields_ = [
        ("threads", ctypes.c_int64),
        ("parallel_for", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
    ]


class KeracTensor(ctypes.Structure):
    """`kerac_tensor`: an entry of `shape` is a fixed length, -1-k for dims[k], or DERIVED.

    `replaces` is the number of the input whose new value an output is, in its memory; else -1.
    """

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("type", ctypes.c_char_p),
        ("origin", ctypes.c_char_p),
        ("ndim", ctypes.c_int64),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("replaces", ctypes.c_int64),
    ]


class KeracInfo(ctypes.Structure):
    """`kerac_info`: what a compiled model says about itself, and its functions."""

    _fields_ = [
        ("abi_version", ctypes.c_int64),
        ("name", ctypes.c_char_p),
        ("producer", ctypes.c_char_p),
        ("target", ctypes.c_char_p),
        ("dim_count", ctypes.c_int64),
        ("dim_names", ctypes.POINTER(ctypes.c_char_p)),
        ("input_count", ctypes.c_int64),
        ("inputs", ctypes.POINTER(KeracTensor)),
        ("output_count", ctypes.c_int64),
        ("outputs", ctypes.POINTER(KeracTensor)),
        ("weights_size", ctypes.c_int64),
        ("workspace_size", WorkspaceSizeFunction),
        ("output_shape", OutputShapeFunction),
        ("run", RunFunction),
        ("variant", VariantFunction),
    ]


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a compiled model; `shape` is encoded as in `KeracTensor`."""

    name: str
    dtype: str
    type: str
    origin: str
    shape: tuple[int, ...]
    replaces: int = -1

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the elements."""
        try:
            return np.dtype(DTYPES[self.dtype][0])
        except TypeError:
            raise LibraryError(
                f"{self.name}: holds {self.dtype}, but NumPy does not know that dtype",
                remedy="Import ml_dtypes first, which adds it to NumPy.",
            ) from None


@dataclass(frozen=True)
class ModelInfo:
    """What a compiled model says about itself. `weights_size` is in bytes."""

    name: str
    producer: str
    target: str
    dim_names: tuple[str, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    weights_size: int
    abi_version: int = ABI_VERSION


def info_at(address: int) -> KeracInfo:
    """The structure at `address`, once its version says that we can read it."""
    if not address:
        raise LibraryError("the compiled model gives no description of itself")
    # the version comes first in every version of the interface
    version = ctypes.c_int64.from_address(address).value
    if version != ABI_VERSION:
        raise LibraryError(
            f"the library has version {version} of the interface, but {ABI_VERSION} is read here",
            remedy="Compile the model again with this version of kerac.",
        )
    return KeracInfo.from_address(address)


def read_info(info: KeracInfo) -> ModelInfo:
    """Copy the description out of the structure."""
    return ModelInfo(
        name=info.name.decode(),
        producer=info.producer.decode(),
        target=info.target.decode(),
        dim_names=tuple(info.dim_names[i].decode() for i in range(info.dim_count)),
        inputs=tuple(_read_tensor(info.inputs[i]) for i in range(info.input_count)),
        outputs=tuple(_read_tensor(info.outputs[i]) for i in range(info.output_count)),
        weights_size=info.weights_size,
    )


def _read_tensor(tensor: KeracTensor) -> TensorInfo:
    dtype = tensor.dtype.decode()
    if dtype not in DTYPES:
        name = tensor.name.decode()
        raise LibraryError(f"{name}: holds {dtype}, but known are {', '.join(DTYPES)}")
    return TensorInfo(
        name=tensor.name.decode(),
        dtype=dtype,
        type=tensor.type.decode(),
        origin=tensor.origin.decode(),
        shape=tuple(tensor.shape[i] for i in range(tensor.ndim)),
        replaces=tensor.replaces,
    )


def c_identifier(name: str) -> str:
    """`name` as the first part of C identifiers such as `NAME_run`.

    It holds no `__`, which C++ keeps for itself, and does not begin with kerac's own names.
    """
    text = re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_")
    # `kerac_info` and `kerac_library_info` are taken
    if text[:1].isalpha() and not text.lower().startswith("kerac"):
        return text
    return f"model_{text}".strip("_")
