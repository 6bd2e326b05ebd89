"""Parallel regions as functions of their own, which threads call with parts of the tasks.

kernel_part0(pointers, captured, first, last)    what the region does, for some of its tasks
kernel_task0(data, first, last)                  the same, its arguments in memory
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kerac.backends.llvm.kernel.llvm_types import llvm_type
from kerac.backends.llvm.kernel.nodes import (
    INDEX,
    Compute,
    If,
    Kernel,
    Load,
    Loop,
    Operand,
    Parallel,
    Prefetch,
    Register,
    Statement,
    Store,
)

if TYPE_CHECKING:
    from kerac.backends.llvm.kernel.emit import Emitter


def has_region(body: list[Statement]) -> bool:
    """Whether anything in `body` is parallel."""
    return any(
        isinstance(statement, Parallel)
        or (isinstance(statement, Loop | If) and has_region(statement.body))
        for statement in body
    )


def captured(region: Parallel) -> list[Register]:
    """The registers that a region reads and that are made outside of it, in order of first use."""
    inside = {region.first, region.last}
    found: dict[Register, None] = {}
    for made, read in _registers(region.body):
        inside.update(made)
        found.update((x, None) for x in read if isinstance(x, Register) and x not in inside)
    return [register for register in found if register not in inside]


def _registers(
    body: list[Statement],
) -> Iterator[tuple[tuple[Register, ...], tuple[Operand | object, ...]]]:
    """(registers made, operands read) of each statement, those inside it included."""
    for statement in body:
        match statement:
            case Compute():
                yield (statement.result,), statement.operands
            case Load():
                yield (statement.result,), (statement.index, statement.mask)
            case Store():
                yield (), (statement.index, statement.value, statement.mask)
            case Prefetch():
                yield (), (statement.index,)
            case Loop():
                yield (
                    (statement.index, *statement.carried),
                    (statement.start, statement.stop, *statement.initial),
                )
                yield from _registers(statement.body)
                yield statement.results, statement.following
            case If():
                yield (), (statement.condition,)
                yield from _registers(statement.body)


class Outlined:
    """A region on its way out of its kernel."""

    def __init__(self, kernel: Kernel, region: Parallel, number: int) -> None:
        self.region = region
        self.part, self.task = f"{kernel.name}_part{number}", f"{kernel.name}_task{number}"
        self.pointers = [f"%{pointer.name}" for pointer in kernel.pointers]
        self.registers = captured(region)

    @property
    def _types(self) -> list[str]:
        return ["ptr"] * len(self.pointers) + [llvm_type(x.kind) for x in self.registers]

    @property
    def _names(self) -> list[str]:
        return self.pointers + [f"%{register.name}" for register in self.registers]

    @property
    def memory(self) -> str:
        """The type of the arguments in memory."""
        return f"{{ {', '.join(self._types)} }}"

    @property
    def arguments(self) -> str:
        """The arguments of the part, but for the tasks."""
        pairs = zip(self._types, self._names, strict=True)
        return "".join(f"{type_} {name}, " for type_, name in pairs)

    def part_head(self, attributes: str) -> str:
        """The head of the function that does the tasks `first` to `last` - 1."""
        parameters = self.arguments.replace("ptr ", "ptr noalias nocapture ")
        tasks = f"i64 %{self.region.first.name}, i64 %{self.region.last.name}"
        # one copy of the code serves one thread and many
        return f"define internal void @{self.part}({parameters}{tasks}) noinline {attributes} {{"

    def task_function(self, attributes: str) -> str:
        """The function that a thread calls."""
        parameters = "ptr %.data, i64 %.first, i64 %.last"
        lines = [f"define internal void @{self.task}({parameters}) {attributes} {{"]
        for place, (type_, name) in enumerate(zip(self._types, self._names, strict=True)):
            lines.append(
                f"  %.at{place} = getelementptr {self.memory}, ptr %.data, i32 0, i32 {place}"
            )
            lines.append(f"  {name} = load {type_}, ptr %.at{place}")
        lines.append(f"  call void @{self.part}({self.arguments}i64 %.first, i64 %.last)")
        return "\n".join([*lines, "  ret void", "}", ""])

    def launch(self, emit: Emitter, pool: str, data: str, label: str) -> Iterator[str]:
        """The lines that do all tasks, here or by `pool`, with the arguments stored at `data`."""
        total = emit.operand(self.region.total, INDEX)
        threads = emit.operand(self.region.threads, INDEX)
        alone, few, serial = (emit.fresh() for _ in range(3))
        yield f"  {alone} = icmp eq ptr %.parallel, null"
        yield f"  {few} = icmp slt i64 {threads}, 2"
        yield f"  {serial} = or i1 {alone}, {few}"
        yield f"  br i1 {serial}, label %{label}.serial, label %{label}.fork"
        yield f"{label}.serial:"
        yield f"  call void @{self.part}({self.arguments}i64 0, i64 {total})"
        yield f"  br label %{label}.end"
        yield f"{label}.fork:"
        for place, (type_, name) in enumerate(zip(self._types, self._names, strict=True)):
            address = emit.fresh()
            yield f"  {address} = getelementptr {self.memory}, ptr {data}, i32 0, i32 {place}"
            yield f"  store {type_} {name}, ptr {address}"
        run = emit.fresh()
        yield f"  {run} = load ptr, ptr {pool}"
        work = f"ptr @{self.task}, ptr {data}, i64 {total}, i64 {threads}"
        yield f"  call void {run}(ptr %.parallel, {work})"
        yield f"  br label %{label}.end"
