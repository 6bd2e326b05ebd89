"""What a graph becomes before LLVM sees it: buffers, kernels, and the order in which they run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kerac.backends.llvm.kernel import Kernel
from kerac.ir.graph import Graph, Value
from kerac.ir.types import TensorType

Place = Literal["input", "output", "constant", "arena"]


@dataclass(eq=False)
class Buffer:
    """Memory of one array. `number` counts inputs and outputs; a constant holds its `array`."""

    name: str
    type: TensorType
    place: Place
    number: int = 0
    array: np.ndarray | None = None

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
        """All buffers in order of their first use."""
        return list(dict.fromkeys(buffer for launch in self.launches for buffer in launch.buffers))

    def drop_unread(self) -> None:
        """Leave out launches that write nothing that is read later on or by the caller."""
        kept: list[Launch] = []
        wanted: set[Buffer] = set()
        for launch in reversed(self.launches):
            roles = list(zip(launch.kernel.pointers, launch.buffers, strict=True))
            if any(
                pointer.role != "in" and (buffer.place in ("input", "output") or buffer in wanted)
                for pointer, buffer in roles
            ):
                kept.append(launch)
                wanted.update(buffer for pointer, buffer in roles if pointer.role != "out")
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
