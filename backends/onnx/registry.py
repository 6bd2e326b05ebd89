"""One exporter an op: `@exports(Op)` stands over the function that writes the nodes of the op.

An exporter takes the emitter, the op and its operands (None where absent), and returns the tensor
of the result; or, where its axes lie in another order than the value's own, a dict from the order
to the tensor; or a tuple of these where the op has several results.

`wants(value, operand, wanted)` says in which orders `operand` is best offered, if the result
`value` is wanted in the orders `wanted`. It saves transposes and never changes a result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kerac.backends.onnx.order import Order, Orders, identity
from kerac.ir import Op, UnsupportedError, Value

Result = str | dict[Order, str]
Wants = Callable[[Value, Value, Orders], Orders]

# Registered ops that ONNX cannot express, each with the reason; a test reads it.
UNSUPPORTED: dict[type[Op], str] = {}

# The opset from which on ONNX can express an op, where that is not the oldest one.
SINCE: dict[type[Op], Callable[[Any], int]] = {}


@dataclass(frozen=True)
class Exporter:
    """The function that exports an op, and the one that says how its operands should lie."""

    export: Callable[..., Any]
    wants: Wants


EXPORTERS: dict[type[Op], Exporter] = {}


def own_order(value: Value, operand: Value, wanted: Orders) -> Orders:
    """Operands as they are."""
    return frozenset() if isinstance(operand.type, tuple) else frozenset((identity(operand.ndim),))


def same_order(value: Value, operand: Value, wanted: Orders) -> Orders:
    """Operands in the order of the result; those of fewer axes are small, and welcome in any."""
    return wanted if operand.ndim == value.ndim else frozenset()


def exports(*ops: type[Op], wants: Wants = own_order) -> Callable[[Any], Any]:
    """Register a function as the exporter of `ops` and of their subclasses that have none."""

    def register(export: Any) -> Any:
        EXPORTERS.update(dict.fromkeys(ops, Exporter(export, wants)))
        return export

    return register


def needed_opset(op: Op) -> int:
    """The oldest opset that can express an op; 0 where all can."""
    found = next((SINCE[base] for base in type(op).__mro__ if base in SINCE), None)
    return 0 if found is None else found(op)


def refuse_newer(values: Iterable[Value], opset: int) -> None:
    """Raise one error that lists all values whose op needs a newer opset."""
    newer = {value: needed_opset(value.op) for value in values}
    newer = {value: needed for value, needed in newer.items() if needed > opset}
    if newer:
        most = max(newer.values())
        raise UnsupportedError(
            f"{', '.join(dict.fromkeys(v.op.text_name for v in newer))} needs opset {most}, "
            f"but opset {opset} is asked for",
            details=tuple(f"{value.name}: opset {needed}" for value, needed in newer.items()),
            remedy=f"Export with opset={most} or newer.",
        )


def exporter_of(op: type[Op]) -> Exporter | None:
    """The exporter of the nearest base class that has one."""
    return next((EXPORTERS[base] for base in op.__mro__ if base in EXPORTERS), None)


def refuse_unsupported(values: Iterable[Value]) -> None:
    """Raise one error that lists all values whose op neither has an exporter nor decomposes."""
    refused = [
        value
        for value in values
        if exporter_of(type(value.op)) is None and value.op.decompose(*value.inputs) is None
    ]
    if refused:
        names = ", ".join(dict.fromkeys(value.op.text_name for value in refused))
        raise UnsupportedError(
            f"ONNX cannot express {names}",
            details=tuple(
                f"{value.name}: {UNSUPPORTED.get(type(value.op), 'there is no exporter')}"
                + (f", in {value.origin}" if str(value.origin) else "")
                for value in refused
            ),
        )
