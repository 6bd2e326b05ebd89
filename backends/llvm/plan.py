"""What a graph becomes before LLVM sees it: buffers, kernels, and the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from kerac.backends.llvm.kernel import Kernel
from kerac.ir.graph import Graph, Value
from kerac.ir.types import TensorType, dtype_name

Place = Literal["input", "output", "constant", "arena"]


@dataclass(eq=False)
class Later:
    """An array of one axis that is made where it is to lie: `write` finds zeros there.

    So weights that are packed need memory once, in the library or in the process that runs them.
    """

    length: int
    dtype: np.dtype[Any]
    write: Callable[[np.ndarray], None]

    def make(self) -> np.ndarray:
        """The array, in memory of its own."""
        array = np.zeros(self.length, self.dtype)
        self.write(array)
        return array

    @property
    def nbytes(self) -> int:
        """How many bytes it will have."""
        return self.length * self.dtype.itemsize

    @property
    def type(self) -> TensorType:
        """Its type in the graph's terms."""
        return TensorType(dtype_name(self.dtype), (self.length,))


@dataclass(eq=False)
class Buffer:
    """Memory of one array. `number` counts inputs and outputs; a constant holds its `array`.

    A piece lies in `whole`, from its element `start` on; `pitch` elements lie from one row of its
    last axis to the next one.
    """

    name: str
    type: TensorType
    place: Place
    number: int = 0
    array: np.ndarray | Later | None = None
    whole: Buffer | None = None
    start: int = 0
    pitch: int | None = None

    def piece(self, name: str, type_: TensorType, start: int, pitch: int) -> Buffer:
        """Columns of this one."""
        return Buffer(name, type_, self.place, self.number, None, self, start, pitch)

    @property
    def memory(self) -> Buffer:
        """The buffer that has memory of its own: this one, or the one it lies in."""
        return self if self.whole is None else self.whole.memory

    @property
    def first(self) -> int:
        """Number of the first element in `memory`."""
        return 0 if self.whole is None else self.whole.first + self.start

    @property
    def bytes(self) -> int:
        """Bytes of one element."""
        return self.type.numpy_dtype.itemsize


@dataclass(frozen=True)
class Launch:
    """One run of a kernel on buffers, in the order of its pointers; it computes `values`."""

    kernel: Kernel
    buffers: tuple[Buffer, ...]
    values: tuple[Value, ...]


@dataclass
class Plan:
    """A whole model: what runs in which order on which memory."""

    graph: Graph
    launches: list[Launch] = field(default_factory=list)

    @property
    def kernels(self) -> list[Kernel]:
        """All different kernels in order of their first launch."""
        return list(dict.fromkeys(launch.kernel for launch in self.launches))

    @property
    def buffers(self) -> list[Buffer]:
        """All buffers in order of their first use; a piece and what it lies in are two."""
        return list(dict.fromkeys(buffer for launch in self.launches for buffer in launch.buffers))

    def drop_unread(self) -> None:
        """Leave out launches that write nothing that is read later on or by the caller."""
        kept: list[Launch] = []
        wanted: set[Buffer] = set()
        for launch in reversed(self.launches):
            roles = list(zip(launch.kernel.pointers, launch.buffers, strict=True))
            if any(
                pointer.role != "in"
                and (buffer.place in ("input", "output") or buffer.memory in wanted)
                for pointer, buffer in roles
            ):
                kept.append(launch)
                wanted.update(buffer.memory for pointer, buffer in roles if pointer.role != "out")
        self.launches = kept[::-1]

    def __str__(self) -> str:
        lines = []
        for launch in self.launches:
            buffers = ", ".join(
                f"{buffer.name}: {buffer.place} {buffer.type}" for buffer in launch.buffers
            )
            names = " + ".join(value.name for value in launch.values)
            lines.append(f"{launch.kernel.name}({buffers})  # {names}")
        return "\n".join(lines)
