"""The kernel IR: loop nests over buffers, between the graph and LLVM.

    kernel    = name, pointers, dims, body
    statement = register = operation(operand, ...)
              | register = load pointer[index] under mask
              | store pointer[index] = operand under mask
              | prefetch pointer[index]
              | registers = loop index from start to stop by step, carrying registers: body
              | if condition: body
              | parallel names below extents: body for tasks first to last
    operand   = register | number
    register  : dtype x lanes               lanes = 1: a scalar; indices are i64 scalars

Indices count elements. Nothing here assumes a CPU: what is parallel says so, pointers name
their role.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from kerac.backends.llvm.kernel.builder import KernelBuilder

Role = Literal["in", "out", "scratch", "local"]


@dataclass(frozen=True)
class Kind:
    """Dtype and number of lanes of a register."""

    dtype: str
    lanes: int = 1

    @property
    def is_float(self) -> bool:
        """Whether the lanes hold floating-point numbers."""
        return self.dtype in ("f16", "bf16", "f32", "f64")

    @property
    def is_unsigned(self) -> bool:
        """Whether the lanes hold unsigned integers or truth values."""
        return self.dtype.startswith("u") or self.dtype == "bool"

    def with_lanes(self, lanes: int) -> Kind:
        """The same dtype in another number of lanes."""
        return Kind(self.dtype, lanes)

    def __str__(self) -> str:
        return self.dtype if self.lanes == 1 else f"{self.dtype}x{self.lanes}"


INDEX = Kind("i64")


@dataclass(frozen=True, eq=False)
class Register:
    """A value that is assigned once; + - * / // % and unary minus build operations."""

    name: str
    kind: Kind
    builder: KernelBuilder = field(repr=False)

    def __add__(self, other: Any) -> Any:
        return self.builder.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return self.builder.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return self.builder.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.builder.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return self.builder.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.builder.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.builder.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.builder.divide(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self.builder.quotient(self, other)

    def __mod__(self, other: Any) -> Any:
        return self.builder.remainder(self, other)

    def __neg__(self) -> Any:
        return self.builder.negate(self)


Operand = Register | int | float | bool
Index = Register | int
Mask = Register | tuple[bool, ...] | None


@dataclass(frozen=True, eq=False)
class Pointer:
    """A buffer that a kernel reads or writes: a parameter, or memory of each of its calls."""

    name: str
    dtype: str
    role: Role


@dataclass(frozen=True)
class Compute:
    """`result = operation(operands)`; `kind` types the numbers among the operands."""

    result: Register
    operation: str
    operands: tuple[Operand, ...]
    kind: Kind


@dataclass(frozen=True)
class Load:
    """`result = pointer[index ...]`, one element for each lane.

    Lanes whose mask is false are zero and not read.
    """

    result: Register
    pointer: Pointer
    index: Index
    mask: Mask = None


@dataclass(frozen=True)
class Store:
    """`pointer[index ...] = value`; lanes whose mask is false are not written."""

    pointer: Pointer
    index: Index
    value: Operand
    kind: Kind
    mask: Mask = None


@dataclass(frozen=True)
class Prefetch:
    """Bring `pointer[index]` closer: it will be read soon. An index may lie outside the buffer."""

    pointer: Pointer
    index: Index


@dataclass(frozen=True)
class Loop:
    """`for index in range(start, stop, step)`, perhaps with values carried from step to step.

    `carried` begin as `initial`, go on as `following`, end as `results`.
    """

    index: Register
    start: Index
    stop: Index
    step: int
    carried: tuple[Register, ...]
    initial: tuple[Operand, ...]
    body: list[Statement]
    following: tuple[Operand, ...]
    results: tuple[Register, ...]


@dataclass(frozen=True)
class If:
    """Do `body` where the condition, a bool scalar, holds."""

    condition: Register
    body: list[Statement]


@dataclass(frozen=True)
class Parallel:
    """Tasks that may run side by side: `body` does those from `first` to `last` - 1 of `total`.

    A task is a place below `extents`. The work is worth at most `threads` threads.
    """

    names: tuple[str, ...]
    extents: tuple[Index, ...]
    total: Index
    threads: Index
    first: Register
    last: Register
    body: list[Statement]


Statement = Compute | Load | Store | Prefetch | Loop | If | Parallel


@dataclass(eq=False)
class Kernel:
    """One function of a compiled model; `dims` are the symbols it is given after its pointers.

    `locals` are small buffers that live as long as a call, with their numbers of elements.
    """

    name: str
    pointers: list[Pointer] = field(default_factory=list)
    dims: dict[str, Register] = field(default_factory=dict)
    locals: dict[Pointer, int] = field(default_factory=dict)
    body: list[Statement] = field(default_factory=list)

    def __str__(self) -> str:
        from kerac.backends.llvm.kernel.text import print_kernel

        return print_kernel(self)
