"""Kernels as text, for people: `kerac inspect` shows it, and equal kernels are found by it."""

from __future__ import annotations

from collections.abc import Iterator

from kerac.backends.llvm.kernel.nodes import (
    Compute,
    If,
    Kernel,
    Load,
    Loop,
    Mask,
    Operand,
    Parallel,
    Prefetch,
    Register,
    Statement,
    Store,
)


def print_kernel(kernel: Kernel) -> str:
    """The text of a kernel; two kernels with the same text but for the name do the same."""
    pointers = ", ".join(f"{p.name}: {p.role} {p.dtype}" for p in kernel.pointers)
    dims = f"; {', '.join(kernel.dims)}" if kernel.dims else ""
    return (
        "\n".join(
            [
                f"kernel {kernel.name}({pointers}{dims}):",
                *(f"    local {p.name}: {p.dtype}[{n}]" for p, n in kernel.locals.items()),
                *_lines(kernel.body, "    "),
            ]
        )
        + "\n"
    )


def _lines(body: list[Statement], indent: str) -> Iterator[str]:
    for statement in body:
        match statement:
            case Compute(result, operation, operands, kind):
                call = f"{operation}[{kind}]({', '.join(map(_operand, operands))})"
                yield f"{indent}{_target(result)} = {call}"
            case Load(result, pointer, index, mask):
                place = f"{pointer.name}[{_operand(index)}]{_mask(mask)}"
                yield f"{indent}{_target(result)} = load {place}"
            case Store(pointer, index, value, kind, mask):
                place = f"{pointer.name}[{_operand(index)}]"
                yield f"{indent}store[{kind}] {place} = {_operand(value)}{_mask(mask)}"
            case Prefetch(pointer, index):
                yield f"{indent}prefetch {pointer.name}[{_operand(index)}]"
            case Loop():
                yield from _loop_lines(statement, indent)
            case If(condition, inner):
                yield f"{indent}if {_operand(condition)}:"
                yield from _lines(inner, indent + "    ")
            case Parallel():
                span = ", ".join(
                    f"{name} below {_operand(extent)}"
                    for name, extent in zip(statement.names, statement.extents, strict=True)
                )
                tasks = f"tasks {statement.first.name} to {statement.last.name}"
                threads = f"at most {_operand(statement.threads)} threads"
                yield f"{indent}parallel {span}; {tasks}, {threads}:"
                yield from _lines(statement.body, indent + "    ")


def _loop_lines(loop: Loop, indent: str) -> Iterator[str]:
    results = f"{', '.join(map(_target, loop.results))} = " if loop.results else ""
    span = f"{_operand(loop.start)} to {_operand(loop.stop)}" + (
        f" by {loop.step}" if loop.step != 1 else ""
    )
    carried = ", ".join(
        f"{r.name}={_operand(o)}" for r, o in zip(loop.carried, loop.initial, strict=True)
    )
    carrying = f" carrying {carried}" if carried else ""
    yield f"{indent}{results}for {loop.index.name} from {span}{carrying}:"
    yield from _lines(loop.body, indent + "    ")
    if loop.following:
        yield f"{indent}    carry {', '.join(map(_operand, loop.following))}"


def _target(register: Register) -> str:
    return f"{register.name}: {register.kind}"


def _operand(operand: Operand) -> str:
    return operand.name if isinstance(operand, Register) else repr(operand)


def _mask(mask: Mask) -> str:
    if mask is None:
        return ""
    if isinstance(mask, tuple):
        return f" under {''.join('1' if lane else '0' for lane in mask)}"
    return f" under {mask.name}"
