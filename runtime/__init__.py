"""What runs after compilation: the C interface, loading, buffers, calling. Needs NumPy alone."""

from kerac.runtime.abi import ABI_VERSION, RETURN_CODES, ModelInfo, TensorInfo, c_identifier
from kerac.runtime.errors import ExecutionError, InputError, LibraryError
from kerac.runtime.executable import Executable
from kerac.runtime.frames import BoundShapes, aligned_bytes
from kerac.runtime.header import header_text
from kerac.runtime.library import load

__all__ = [
    "ABI_VERSION",
    "RETURN_CODES",
    "BoundShapes",
    "Executable",
    "ExecutionError",
    "InputError",
    "LibraryError",
    "ModelInfo",
    "TensorInfo",
    "aligned_bytes",
    "c_identifier",
    "header_text",
    "load",
]
