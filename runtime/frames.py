"""What calls of a compiled model need beside its arrays: the same for some shapes, or one's own."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.runtime.abi import ALIGNMENT, RepeatFunction


def aligned_bytes(size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """New memory that begins where vectors and workspaces do; of no bytes it begins anywhere."""
    block = np.empty(size + ALIGNMENT, np.uint8)
    start = -block.ctypes.data % ALIGNMENT
    return block[start : start + size]


@dataclass(frozen=True)
class BoundShapes:
    """A compiled model's function for one choice of shapes; addresses live as long as the model."""

    run: int
    inputs: Sequence[tuple[tuple[int, ...], np.dtype[Any]]]
    outputs: Sequence[tuple[tuple[int, ...], np.dtype[Any]]]
    dims: int
    workspace_size: int
    parallel: int


@dataclass(frozen=True)
class Steps:
    """Several runs in one call, each on the next batch of the first `moving` inputs.

    `repeat` is the address of the function that makes them; each adds 1 to the u32 at `counter`.
    """

    count: int
    moving: int
    repeat: int
    counter: int

    def run(self, function: int | None, addresses: Sequence[int], sizes: Sequence[int]) -> int:
        """Call the function of a model with these addresses; batches have `sizes` bytes."""
        strides = (ctypes.c_int64 * self.moving)(*sizes)
        last = (ctypes.addressof(strides), self.moving, self.count, self.counter)
        return int(RepeatFunction(self.repeat)(function, *addresses, *last))


@dataclass(frozen=True)
class Plan:
    """What all calls with the same input shapes share."""

    dims: ctypes.Array[ctypes.c_int64]
    dims_pointer: Any
    workspace_size: int
    outputs: list[tuple[tuple[int, ...], np.dtype[Any]]]


class Frame:
    """What one running call needs for itself: pointers, and a workspace that only grows."""

    def __init__(self, input_count: int, output_count: int) -> None:
        self.inputs = (ctypes.c_void_p * input_count)()
        self.outputs = (ctypes.c_void_p * output_count)()
        self.input_pointer = ctypes.byref(self.inputs)
        self.output_pointer = ctypes.byref(self.outputs)
        self.workspace_pointer: Any = None
        self.size = -1
        self.workspace_address = 0

    def grow(self, size: int) -> None:
        """Make the workspace at least `size` bytes long."""
        self._block = aligned_bytes(max(size, 1))
        self.workspace_address = self._block.ctypes.data
        start = ctypes.c_char.from_address(self.workspace_address)
        self.workspace_pointer = ctypes.byref(start)
        self.size = size
