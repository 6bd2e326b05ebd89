"""What the gates of recurrent cells do with their sums, on one vector of units of one row.

The work of a step is one phase, or two where a product needs the gates of another: each sums some
of the gates and then computes in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerac.backends.llvm.kernel import Register
from kerac.backends.llvm.lowering import GroupKernel
from kerac.ir.errors import InternalError
from kerac.ir.ops.activation import Sigmoid, Tanh
from kerac.ir.ops.elementwise import Unary
from kerac.ir.ops.recurrent import GRU, LSTM, Recurrent, SimpleRNN

Load = Callable[[str], Register]
# (kernel, op, sums of the gates, their inputs where those are apart, old states) -> new states
Finish = Callable[
    [GroupKernel, Any, Sequence[Register], Sequence[Register], Load], dict[str, Register]
]


@dataclass(frozen=True)
class Phase:
    """One product of a step: `gates` are its columns, `source` the state that it multiplies.

    With `apart`, `finish` gets what comes from the input beside the recurrent sums, and those have
    a bias of their own.
    """

    gates: tuple[int, ...]
    finish: Finish
    source: str = "state"
    apart: bool = False


def phases(op: Recurrent, is_scaled: bool = False) -> tuple[Phase, ...]:
    """The phases of one step; where each gate scales the state it has a product of its own."""
    if is_scaled:
        return _scaled_phases(op)
    match op:
        case SimpleRNN():
            return (Phase((0,), _simple),)
        case LSTM():
            return (Phase((0, 1, 2, 3), _long_short),)
        case GRU(reset_after=True):
            return (Phase((0, 1, 2), _gated_reset_after, apart=True),)
    return (Phase((0, 1), _update_and_reset), Phase((2,), _gated_candidate, source="reset"))


def _scaled_phases(op: Recurrent) -> tuple[Phase, ...]:
    match op:
        case SimpleRNN():
            return (Phase((0,), _simple, scaled(0)),)
        case LSTM():
            noted = (Phase((gate,), _noted(f"sum{gate}"), scaled(gate)) for gate in range(3))
            return (*noted, Phase((3,), _long_short_of_noted, scaled(3)))
        case GRU(reset_after=True):
            return (
                Phase((0,), _gate("update"), scaled(0), apart=True),
                Phase((1,), _gate("reset"), scaled(1), apart=True),
                Phase((2,), _candidate_of_reset, scaled(2), apart=True),
            )
    return (
        Phase((0,), _gate("update"), scaled(0)),
        Phase((1,), _gate("reset", times=scaled(2)), scaled(1)),
        Phase((2,), _gated_candidate, source="reset"),
    )


def scaled(gate: int) -> str:
    """The name of what the product of a gate reads where each scales the state."""
    return f"scaled{gate}"


def _noted(name: str) -> Finish:
    """Keeps the sum of a gate for a later phase."""
    return lambda k, op, sums, apart, load: {name: sums[0]}


def _gate(name: str, times: str | None = None) -> Finish:
    """Keeps an activated gate for a later phase, or what it leaves of something."""

    def finish(
        k: GroupKernel, op: GRU, sums: Sequence[Register], inputs: Sequence[Register], load: Load
    ) -> dict[str, Register]:
        gate = _apply(k, op.recurrent_activation, sums[0] + inputs[0] if inputs else sums[0])
        return {name: gate * load(times) if times else gate}

    return finish


def _long_short_of_noted(
    k: GroupKernel, op: LSTM, sums: Sequence[Register], _: Sequence[Register], load: Load
) -> dict[str, Register]:
    return _long_short(k, op, (*(load(f"sum{gate}") for gate in range(3)), sums[0]), (), load)


def _candidate_of_reset(
    k: GroupKernel, op: GRU, sums: Sequence[Register], inputs: Sequence[Register], load: Load
) -> dict[str, Register]:
    candidate = _apply(k, op.activation, k.fma(load("reset"), sums[0], inputs[0]))
    return {"state": _mixed(k, load("update"), load("state"), candidate)}


def _gated(
    k: GroupKernel, gate: Unary | None, x: Register, activation: Unary | None, y: Register
) -> Any:
    """gate(x) * activation(y); one division for both, for these are what the time goes to."""
    if isinstance(gate, Sigmoid) and isinstance(activation, Tanh) and x.kind.dtype == "f32":
        numerator, denominator = k.mathematics.tanh_fraction(y)
        return numerator / (denominator * k.mathematics.sigmoid_denominator(x))
    return _apply(k, gate, x) * _apply(k, activation, y)


def _apply(k: GroupKernel, activation: Unary | None, x: Register) -> Any:
    return activation.formula(k.mathematics, x) if activation else x


def activated(
    k: GroupKernel, op: Recurrent, phase: Phase, sums: Sequence[Register]
) -> dict[int, Register]:
    """The gates of an LSTM that a phase makes of its sums; `finish` shares all but divisions."""
    if not isinstance(op, LSTM):
        raise InternalError(f"{op.text_name} keeps no gates")
    functions = op.gate_activations
    return {
        gate: _apply(k, functions[gate], value)
        for gate, value in zip(phase.gates, sums, strict=True)
    }


def _simple(
    k: GroupKernel, op: SimpleRNN, sums: Sequence[Register], _: Sequence[Register], load: Load
) -> dict[str, Register]:
    return {"state": _apply(k, op.activation, sums[0])}


def _long_short(
    k: GroupKernel, op: LSTM, sums: Sequence[Register], _: Sequence[Register], load: Load
) -> dict[str, Register]:
    take, forget, candidate, output = sums
    added = _gated(k, op.recurrent_activation, take, op.activation, candidate)
    cell = k.fma(_apply(k, op.recurrent_activation, forget), load("cell"), added)
    return {"state": _gated(k, op.recurrent_activation, output, op.activation, cell), "cell": cell}


def _gated_reset_after(
    k: GroupKernel, op: GRU, sums: Sequence[Register], inputs: Sequence[Register], load: Load
) -> dict[str, Register]:
    update, reset = (_apply(k, op.recurrent_activation, inputs[i] + sums[i]) for i in (0, 1))
    candidate = _apply(k, op.activation, k.fma(reset, sums[2], inputs[2]))
    return {"state": _mixed(k, update, load("state"), candidate)}


def _update_and_reset(
    k: GroupKernel, op: GRU, sums: Sequence[Register], _: Sequence[Register], load: Load
) -> dict[str, Register]:
    update, reset = (_apply(k, op.recurrent_activation, x) for x in sums)
    return {"update": update, "reset": reset * load("state")}


def _gated_candidate(
    k: GroupKernel, op: GRU, sums: Sequence[Register], _: Sequence[Register], load: Load
) -> dict[str, Register]:
    return {"state": _mixed(k, load("update"), load("state"), _apply(k, op.activation, sums[0]))}


def _mixed(k: GroupKernel, update: Register, state: Register, candidate: Any) -> Register:
    """update * state + (1 - update) * candidate"""
    return k.fma(update, state - candidate, candidate)
