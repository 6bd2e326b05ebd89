"""Recurrent layers: ONNX's own nodes where these can do it, else Scan over the steps.

ONNX's nodes take time first and their gates in another order. In the reverse direction they yield
the sequence in the order of time, while the IR has it in the order in which steps were taken. They
know no mask with holes in it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kerac.backends.onnx.builder import ABSENT
from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.movement import flip
from kerac.backends.onnx.order import TIME_FIRST, Orders, identity
from kerac.backends.onnx.registry import Result, exports
from kerac.backends.onnx.scan import Operands, export_scan
from kerac.ir import UnsupportedError, Value
from kerac.ir.ops.activation import (
    Elu,
    HardSigmoid,
    LeakyRelu,
    Relu,
    Sigmoid,
    Softsign,
    Tanh,
    Threshold,
)
from kerac.ir.ops.elementwise import Unary
from kerac.ir.ops.recurrent import GRU, LSTM, Recurrent, SimpleRNN

NODES = {SimpleRNN: "RNN", LSTM: "LSTM", GRU: "GRU"}
# Place in the IR of each gate of ONNX: input, output, forget, cell; update, reset, candidate.
GATES = {SimpleRNN: (0,), LSTM: (0, 3, 1, 2), GRU: (0, 1, 2)}


class Activation(NamedTuple):
    """A function as ONNX's recurrent nodes name it, with the parameters that it takes."""

    name: str
    alpha: tuple[float, ...] = ()
    beta: tuple[float, ...] = ()


def activation_of(op: Unary | None) -> Activation | None:
    """`op` as ONNX's recurrent nodes have it, or None where they do not."""
    match op:
        case None:
            return Activation("Affine", (1.0,), (0.0,))
        # Softplus is missing on purpose: there ONNX Runtime lets it overflow.
        case Tanh() | Sigmoid() | Relu() | Softsign():
            return Activation(type(op).__name__)
        case LeakyRelu(negative_slope=alpha):
            return Activation("LeakyRelu", (alpha,))
        case Elu(alpha=alpha):
            return Activation("Elu", (alpha,))
        case Threshold(threshold=alpha, value=0.0):
            return Activation("ThresholdedRelu", (alpha,))
        case HardSigmoid():
            return Activation("HardSigmoid", (1 / 6,), (0.5,))
    return None


def activations_of(op: Recurrent) -> list[Activation] | None:
    """What ONNX asks for, in its order, or None where a function is missing there."""
    functions: tuple[Unary | None, ...] = (op.activation,)
    if isinstance(op, LSTM):
        functions = (op.recurrent_activation, op.activation, op.activation)
    elif isinstance(op, GRU):
        functions = (op.recurrent_activation, op.activation)
    found = [activation_of(function) for function in functions]
    known = [entry for entry in found if entry is not None]
    return known if len(known) == len(found) else None


def recurrent_orders(value: Value, operand: Value, wanted: Orders) -> Orders:
    """Time first for the sequence and the mask."""
    if operand is value.inputs[0]:
        return frozenset((TIME_FIRST,))
    return frozenset(((1, 0) if operand.dtype == "bool" else identity(operand.ndim),))


@exports(SimpleRNN, GRU, wants=recurrent_orders)
def export_recurrent(
    emit: Emitter,
    op: Recurrent,
    x: Value,
    kernel: Value,
    recurrent_kernel: Value,
    bias: Value | None = None,
    initial_state: Value | None = None,
    mask: Value | None = None,
    scale: Value | None = None,
) -> tuple[Result, ...]:
    """RNN or GRU."""
    _refuse_training(op, scale)
    return _export(emit, op, Operands(x, kernel, recurrent_kernel, bias, (initial_state,), mask))


@exports(LSTM, wants=recurrent_orders)
def export_lstm(
    emit: Emitter,
    op: LSTM,
    x: Value,
    kernel: Value,
    recurrent_kernel: Value,
    bias: Value | None = None,
    initial_state: Value | None = None,
    initial_cell: Value | None = None,
    mask: Value | None = None,
    scale: Value | None = None,
) -> tuple[Result, ...]:
    """LSTM."""
    _refuse_training(op, scale)
    return _export(
        emit, op, Operands(x, kernel, recurrent_kernel, bias, (initial_state, initial_cell), mask)
    )


def _refuse_training(op: Recurrent, scale: Value | None) -> None:
    if scale is not None or (isinstance(op, LSTM) and op.keep_gates):
        raise UnsupportedError(
            f"ONNX: {op.text_name} scales its states or keeps its gates, which it does in training"
        )


def _export(emit: Emitter, op: Recurrent, operands: Operands) -> tuple[Result, ...]:
    functions = activations_of(op)
    weights = operands.kernel, operands.recurrent_kernel, operands.bias
    are_constant = all(value is None or value in emit.arrays for value in weights)
    # Runtimes have these nodes in single precision alone.
    if (
        functions is None
        or not are_constant
        or operands.mask is not None
        or operands.x.dtype == "f64"
    ):
        return export_scan(emit, op, operands)
    return export_node(emit, op, functions, operands)


def export_node(
    emit: Emitter, op: Recurrent, functions: list[Activation], operands: Operands
) -> tuple[Result, ...]:
    """RNN, LSTM or GRU; the sequence is turned round where the last step was taken first."""
    kernel, recurrent_kernel = (
        packed(emit, op, value) for value in (operands.kernel, operands.recurrent_kernel)
    )
    states = [_with_direction(emit, state) for state in operands.states]
    attributes = {"linear_before_reset": int(op.reset_after)} if isinstance(op, GRU) else {}
    parameters = {
        "activation_alpha": [number for function in functions for number in function.alpha],
        "activation_beta": [number for function in functions for number in function.beta],
    }
    sequence, *last = emit.results_of(
        NODES[type(op)],
        emit.tensor(operands.x, TIME_FIRST),
        kernel,
        recurrent_kernel,
        packed_bias(emit, op, operands),
        ABSENT,
        *states,
        count=1 + len(states),
        hidden_size=operands.recurrent_kernel.shape[0],
        direction="reverse" if op.reverse else "forward",
        activations=[function.name for function in functions],
        **{name: numbers for name, numbers in parameters.items() if numbers},
        **attributes,
    )
    sequence = emit.node("Squeeze", sequence, emit.integers(1))
    if op.reverse:
        emit.taken_backwards[emit.value] = {TIME_FIRST: sequence}
        sequence = flip(emit, sequence, [0])
    return (
        {TIME_FIRST: sequence},
        *(emit.node("Squeeze", state, emit.integers(0)) for state in last),
    )


def _with_direction(emit: Emitter, state: Value | None) -> str:
    """[N, U] as [1, N, U], the 1 for one direction."""
    return ABSENT if state is None else emit.node("Unsqueeze", emit.tensor(state), emit.integers(0))


def packed(emit: Emitter, op: Recurrent, kernel: Value) -> str:
    """[C, gates * U] as [1, gates * U, C], gates in the order of ONNX."""
    array = reordered(op, emit.arrays[kernel])
    return emit.initializer(array.T[None], emit.labels[kernel])


def packed_bias(emit: Emitter, op: Recurrent, operands: Operands) -> str:
    """Bias of the input's product and of the state's, one after the other."""
    if operands.bias is None:
        return ABSENT
    rows = np.atleast_2d(reordered(op, emit.arrays[operands.bias]))
    if len(rows) == 1:
        rows = np.concatenate([rows, np.zeros_like(rows)])
    return emit.initializer(rows.reshape(1, -1), emit.labels[operands.bias])


def reordered(op: Recurrent, array: np.ndarray) -> np.ndarray:
    """The last axis with its gates in the order of ONNX."""
    gates = np.split(array, op.gates, axis=-1)
    return np.concatenate([gates[place] for place in GATES[type(op)]], axis=-1)
