"""The kernel IR between graph and LLVM: loop nests on buffers, a builder, a printer, an emitter."""

from kerac.backends.llvm.kernel.builder import KernelBuilder
from kerac.backends.llvm.kernel.control import ELEMENT
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

__all__ = [
    "ELEMENT",
    "INDEX",
    "Emitter",
    "Index",
    "Kernel",
    "KernelBuilder",
    "Kind",
    "Mask",
    "Operand",
    "Pointer",
    "Register",
]
