"""Recurrent layers as Scan over the steps: any mask, any activation, weights that are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kerac.backends.onnx.activation import activate
from kerac.backends.onnx.builder import Body
from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import ONNX, Tensor
from kerac.backends.onnx.order import TIME_FIRST
from kerac.backends.onnx.registry import Result
from kerac.backends.onnx.shapes import fill
from kerac.ir import TensorType, Value
from kerac.ir.ops.movement import reshape, slice_axis
from kerac.ir.ops.recurrent import GRU, LSTM, Recurrent, SimpleRNN


class Operands(NamedTuple):
    """Operands of any recurrent op; `states` are the initial ones."""

    x: Value
    kernel: Value
    recurrent_kernel: Value
    bias: Value | None
    states: tuple[Value | None, ...]
    mask: Value | None


class Weights(NamedTuple):
    """What is added to the input's product, and what a step works with."""

    bias: Tensor | None
    step: tuple[Tensor, ...]


def export_scan(emit: Emitter, op: Recurrent, operands: Operands) -> tuple[Result, ...]:
    """The input's product for all steps at once, then Scan over time."""
    x, mask = operands.x, operands.mask
    batch, units = x.shape[0], operands.recurrent_kernel.shape[0]
    state = TensorType(x.dtype, (batch, units))
    weights = _weights(emit, op, operands)
    projected = Tensor(emit, emit.tensor(x, TIME_FIRST), x.dtype) @ _tensor(emit, operands.kernel)
    if weights.bias:
        projected = projected + weights.bias
    sequences = [projected.name]
    types = [TensorType(x.dtype, (batch, operands.kernel.shape[1]))]
    if mask is not None:
        # [T, N] to [T, N, 1], so that one step's mask broadcasts over units
        sequences.append(emit.node("Unsqueeze", emit.tensor(mask, (1, 0)), emit.integers(2)))
        types.append(TensorType("bool", (batch, 1)))
    states = [_initial(emit, value, state) for value in operands.states]
    if _carries_output(op, operands):
        states.append(_initial(emit, None, state))
    *last, sequence = emit.results_of(
        "Scan",
        *states,
        *sequences,
        count=len(states) + 1,
        body=_body(emit, op, operands, weights, (state, *types)),
        num_scan_inputs=len(sequences),
        scan_input_directions=[int(op.reverse)] * len(sequences),
    )
    return ({TIME_FIRST: sequence}, *last[: len(operands.states)])


def _carries_output(op: Recurrent, operands: Operands) -> bool:
    """Whether a masked step's output is not simply the state, for it begins with 0."""
    return (
        operands.mask is not None and not op.zero_output_for_mask and operands.states[0] is not None
    )


def _initial(emit: Emitter, value: Value | None, state: TensorType) -> str:
    return fill(emit, 0.0, state.shape, state.dtype) if value is None else emit.tensor(value)


def _weights(emit: Emitter, op: Recurrent, operands: Operands) -> Weights:
    bias, kernel = operands.bias, operands.recurrent_kernel
    if isinstance(op, GRU) and op.reset_after:
        rows = [None, None] if bias is None else [_row(bias, 0), _row(bias, 1)]
        parts = [_tensor(emit, value) for value in (kernel, rows[1]) if value is not None]
        return Weights(None if rows[0] is None else _tensor(emit, rows[0]), tuple(parts))
    parts = [_tensor(emit, kernel)]
    if isinstance(op, GRU):
        units, wide = kernel.shape
        parts = [
            _tensor(emit, slice_axis(kernel, 1, *ends))
            for ends in ((0, 2 * units), (2 * units, wide))
        ]
    return Weights(None if bias is None else _tensor(emit, bias), tuple(parts))


def _row(matrix: Value, index: int) -> Value:
    return reshape(slice_axis(matrix, 0, index, index + 1), matrix.shape[1:])


def _tensor(emit: Emitter, value: Value) -> Tensor:
    emit.expand(value)
    return Tensor(emit, emit.tensor(value), value.dtype)


def _body(
    emit: Emitter,
    op: Recurrent,
    operands: Operands,
    weights: Weights,
    types: tuple[TensorType, ...],
) -> Body:
    """One step, on states, the output before where it is carried, projected input and mask."""
    state, *sequence_types = types
    with emit.body() as body:
        states = tuple(_input(emit, body, "state", state) for _ in operands.states)
        before: Any = 0.0 if op.zero_output_for_mask else states[0]
        carries = _carries_output(op, operands)
        if carries:
            before = _input(emit, body, "output", state)
        features, *keep = (_input(emit, body, "step", type_) for type_ in sequence_types)
        new = STEPS[type(op)](op, features, states, weights.step, state.shape[1])
        output = new[0]
        if keep:
            output = ONNX.select(keep[0], new[0], before)
            new = tuple(ONNX.select(keep[0], a, b) for a, b in zip(new, states, strict=True))
        for result in (*new, *[output] * (2 if carries else 1)):
            # each result of a body has a name of its own
            body.outputs.append((emit.node("Identity", result.name), state))
    return body


def _input(emit: Emitter, body: Body, role: str, type_: TensorType) -> Tensor:
    name = emit.new_name(f"{emit.scope}/{role}")
    body.inputs.append((name, type_))
    return Tensor(emit, name, type_.dtype)


def split(x: Tensor, sizes: tuple[int, ...]) -> list[Tensor]:
    """Parts of the last axis."""
    names = x.emit.results_of("Split", x.name, x.emit.integers(*sizes), count=len(sizes), axis=-1)
    return [Tensor(x.emit, name, x.dtype) for name in names]


def step_simple_rnn(
    op: SimpleRNN,
    features: Tensor,
    states: tuple[Tensor, ...],
    weights: tuple[Tensor, ...],
    units: int,
) -> tuple[Tensor, ...]:
    """The new state."""
    return (activate(op.activation, features + states[0] @ weights[0]),)


def step_lstm(
    op: LSTM, features: Tensor, states: tuple[Tensor, ...], weights: tuple[Tensor, ...], units: int
) -> tuple[Tensor, ...]:
    """The new state and cell."""
    state, cell = states
    gates = split(features + state @ weights[0], (units,) * 4)
    take, forget, output = (activate(op.recurrent_activation, gates[place]) for place in (0, 1, 3))
    cell = forget * cell + take * activate(op.activation, gates[2])
    return output * activate(op.activation, cell), cell


def step_gru(
    op: GRU, features: Tensor, states: tuple[Tensor, ...], weights: tuple[Tensor, ...], units: int
) -> tuple[Tensor, ...]:
    """The new state."""
    (state,), (kernel, *rest) = states, weights
    x_gates, x_candidate = split(features, (2 * units, units))
    product = state @ kernel
    if op.reset_after:
        h_gates, h_candidate = split(product + rest[0] if rest else product, (2 * units, units))
    else:
        h_gates = product
    update, reset = split(activate(op.recurrent_activation, x_gates + h_gates), (units, units))
    if op.reset_after:
        candidate = activate(op.activation, x_candidate + reset * h_candidate)
    else:
        candidate = activate(op.activation, x_candidate + (reset * state) @ rest[0])
    return (update * state + (1.0 - update) * candidate,)


STEPS: dict[type[Recurrent], Callable[..., tuple[Tensor, ...]]] = {
    SimpleRNN: step_simple_rnn,
    LSTM: step_lstm,
    GRU: step_gru,
}
