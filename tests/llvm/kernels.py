"""Running one kernel by itself on arrays."""

from __future__ import annotations

import ctypes

import numpy as np

from kerac.backends.llvm.jit import Code
from kerac.backends.llvm.kernel import Emitter, Kernel, KernelBuilder
from kerac.backends.llvm.object_code import emit_object
from kerac.backends.llvm.target import find_target


def builder(lanes: int = 4) -> KernelBuilder:
    return KernelBuilder("kernel", lanes, find_target().abilities)


def kernel_text(kernel: Kernel) -> str:
    """The kernel as an LLVM module."""
    target = find_target()
    emitter = Emitter()
    function = emitter.function(kernel, "#0").replace("define internal", "define")
    attributes = f'"target-cpu"="{target.cpu}" "target-features"="{target.features}"'
    return "\n".join([function, *emitter.declarations, f"attributes #0 = {{ {attributes} }}"])


def run(kernel: Kernel, *arrays: np.ndarray, **dims: int) -> None:
    """Call the kernel on the arrays, in the order of its pointers."""
    code = Code(emit_object(kernel_text(kernel), find_target()), [kernel.name])
    addresses = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
    symbols = [ctypes.c_int64(dims[name]) for name in kernel.dims]
    ctypes.CFUNCTYPE(None)(code.address(kernel.name))(*addresses, *symbols)
