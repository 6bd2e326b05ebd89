"""The kernel IR: loop nests on buffers between the graph and LLVM, a builder, a printer and one emitter."""

from kerac.backends.llvm.kernel.builder import KernelBuilder
from kerac.backends.llvm.kernel.emit import Emitter
from kerac.backends.llvm.kernel.nodes import (
    INDEX,
    Index,
    Kernel,
    Kind,
    Mask,
    Operand,
    Pointer,
    Register,
)

__all__ = ["INDEX", "Emitter", "Index", "Kernel", "KernelBuilder", "Kind", "Mask", "Operand", "Pointer", "Register"]
