"""Gradients of recurrent layers, back through time.

The states before each step are known from the results, so that the gates of all steps are computed
once more side by side. With them the cotangents of the states follow a recurrence that is linear;
all else is products over the rows of all steps. Steps stand in the order they were taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kerac.ir import ops as o
from kerac.ir.errors import InternalError
from kerac.ir.gradients.contraction import as_rows
from kerac.ir.gradients.registry import WITHOUT_GRADIENT, Applied, Cotangents, gradient_of
from kerac.ir.gradients.reverse import zeros
from kerac.ir.graph import Value
from kerac.ir.ops.elementwise import Unary

WITHOUT_GRADIENT.update(
    dict.fromkeys(
        (o.LinearRecurrence, o.LSTMGradient),
        "it is a gradient itself, and second ones are not taken",
    )
)


def like(number: float, x: Value) -> Value:
    """A value of the type of x that is `number` everywhere."""
    return o.broadcast_to(o.constant(number, x.dtype), x.shape)


def with_slope(activation: Unary | None, x: Value) -> tuple[Value, Value]:
    """activation(x) and its derivative there."""
    if activation is None:
        return x, like(1, x)
    y = activation(x)
    (slope,) = activation.vjp(x, result=y, cotangent=like(1, x)) or (None,)
    return y, zeros(x.tensor_type) if slope is None else slope


def product(*factors: Value) -> Value:
    """Of all factors, elementwise."""
    result, *rest = factors
    for factor in rest:
        result = o.multiply(result, factor)
    return result


def side_by_side(parts: list[Value]) -> Value:
    """Gates along the last axis."""
    return parts[0] if len(parts) == 1 else o.concatenate(parts, parts[0].ndim - 1)


def gates_of(x: Value, units: Any) -> list[Value]:
    """What stands side by side."""
    axis = x.ndim - 1
    return [o.slice_axis(x, axis, start, start + units) for start in range(0, x.shape[axis], units)]


def before(after: Value, initial: Value) -> Value:
    """States before each step from those after it."""
    batch, steps, units = after.shape
    first = o.reshape(initial, (batch, 1, units))
    return o.slice_axis(o.concatenate([first, after], 1), 1, 0, steps)


def running(entry: Value, keep: Value, initial: Value) -> Value:
    """s[t] = keep[t] * s[t - 1] + entry[t], with the initial one before the first."""
    batch, steps, units = entry.shape
    first = o.reshape(o.slice_axis(keep, 1, 0, 1), (batch, units))
    rest = o.slice_axis(o.concatenate([keep, o.slice_axis(keep, 1, 0, 1)], 1), 1, 1, steps + 1)
    states = o.LinearRecurrence()(entry, rest, o.multiply(first, initial))
    return o.item(states, 0)


@dataclass(frozen=True)
class Steps:
    """A recurrent op at work, its steps in the order they were taken."""

    at: Applied

    @cached_property
    def inputs(self) -> tuple[Any, ...]:
        """The operands, as many as there can be."""
        return (*self.at.inputs, *[None] * 7)[:7]

    @property
    def units(self) -> Any:
        """Their number, U."""
        return self.inputs[2].shape[0]

    def state(self, number: int) -> Value:
        """An initial state."""
        given: Value | None = self.inputs[4 + number]
        x = self.inputs[0].tensor_type
        return zeros(x.with_shape((x.shape[0], self.units))) if given is None else given

    @cached_property
    def x(self) -> Value:
        """t[N, T, C]"""
        return self.taken(self.inputs[0])

    def taken(self, x: Value) -> Value:
        """From the order of the input to that of the steps, and back."""
        return o.reverse(x, (1,)) if self.at.op.reverse else x

    @cached_property
    def mask_of_steps(self) -> Value | None:
        """bool[N, T]"""
        mask = self.inputs[6 if isinstance(self.at.op, o.LSTM) else 5]
        return None if mask is None else self.taken(mask)

    @cached_property
    def mask(self) -> Value | None:
        """bool[N, T, U]"""
        mask = self.mask_of_steps
        if mask is None:
            return None
        batch, steps = mask.shape
        return o.broadcast_to(o.reshape(mask, (batch, steps, 1)), (batch, steps, self.units))

    def where_taken(self, x: Value, number: float = 0) -> Value:
        """x, and `number` in steps that the mask leaves out."""
        return x if self.mask is None else o.select(self.mask, x, like(number, x))

    def where_left_out(self, x: Value) -> Value:
        """Ones in steps that the mask leaves out, zeros in others, of the type of x."""
        return self.where_taken(zeros(x.tensor_type), 1)

    @cached_property
    def before(self) -> Value:
        """The states before each step: t[N, T, U]"""
        sequence = o.item(self.at.result, 0)
        if self.mask is not None:
            left_out = self.where_left_out(sequence)
            sequence = running(self.where_taken(sequence), left_out, self.state(0))
        return before(sequence, self.state(0))

    def from_input(self, bias: Value | None) -> Value:
        """x @ kernel + bias"""
        return o.dense(self.x, self.inputs[1], bias)

    @cached_property
    def entry(self) -> Value:
        """What the sequence adds to the cotangent of the state after each step: t[N, T, U]"""
        cotangent = self.at.cotangent[0]
        if cotangent is None:
            types: Any = self.at.result.type
            return zeros(types[0])
        if self.mask is not None and not self.at.op.zero_output_for_mask:
            left_out = self.where_left_out(cotangent)
            repeated = o.LinearRecurrence(reverse=True)(cotangent, left_out)
            cotangent = o.item(repeated, 0)
        return self.where_taken(cotangent)

    def decay(self) -> Value | None:
        """Steps that are left out hand cotangents on."""
        return None if self.mask is None else self.where_left_out(self.before)

    def to_kernels(self, g: Value, g_recurrent: Value) -> tuple[Value, Value, Value]:
        """Cotangents of x and both kernels from those of the products: t[N, T, G * U]"""
        x, kernel = self.x, self.inputs[1]
        to_x = o.reshape(o.Matmul(transpose_b=True)(as_rows(g), kernel), x.shape)
        to_kernel = o.Matmul(transpose_a=True)(as_rows(x), as_rows(g))
        states = as_rows(self.before)
        to_recurrent = o.Matmul(transpose_a=True)(states, as_rows(g_recurrent))
        return self.taken(to_x), to_kernel, to_recurrent


def rows_sum(x: Value) -> Value:
    """Over all axes but the last."""
    return o.reduce_sum(x, tuple(range(x.ndim - 1)))


@gradient_of(o.SimpleRNN)
def simple_rnn(at: Applied) -> Cotangents:
    """g[t] = slope[t] * (cotangent of the state after t), which goes on through the kernel."""
    steps = Steps(at)
    kernel, bias = steps.inputs[2:4]
    sums = o.add(steps.from_input(bias), o.dense(steps.before, kernel))
    slope = steps.where_taken(with_slope(at.op.activation, sums)[1])
    turned = o.transpose(kernel, (1, 0))
    found = o.LinearRecurrence(reverse=True)(
        steps.entry, steps.decay(), at.cotangent[1], turned, slope
    )
    g = product(o.item(found, 0), slope)
    return (*steps.to_kernels(g, g), None if bias is None else rows_sum(g), o.item(found, 1))


@gradient_of(o.LSTM)
def lstm(at: Applied) -> Cotangents:
    """In one op where the forward pass keeps sums and the activations are the usual ones."""
    if any(cotangent is not None for cotangent in at.cotangent[3:]):
        raise InternalError("what an LSTM keeps for its gradient has no gradient of its own")
    usual = at.op.activation == o.Tanh() and at.op.recurrent_activation == o.Sigmoid()
    if usual and at.op.keep_sums:
        return _lstm_at_once(Steps(at))
    return _lstm_of_any_activation(at)


def _lstm_at_once(steps: Steps) -> Cotangents:
    at, (kernel, bias), cell = steps.at, steps.inputs[2:4], steps.inputs[5]
    sums, cells = (o.item(at.result, place) for place in (3, 4))
    entry = None if at.cotangent[0] is None else steps.entry
    turned = o.transpose(kernel, (1, 0))
    found = o.LSTMGradient()(
        sums, cells, turned, cell, steps.mask_of_steps, entry, *at.cotangent[1:3]
    )
    g = o.item(found, 0)
    to_bias = None if bias is None else rows_sum(g)
    return (*steps.to_kernels(g, g), to_bias, o.item(found, 1), o.item(found, 2))


def _lstm_of_any_activation(at: Applied) -> Cotangents:
    """The cotangent of the cell is the one that comes from later steps plus inner * state's."""
    steps, op = Steps(at), at.op
    kernel, bias = steps.inputs[2:4]
    sums = gates_of(o.add(steps.from_input(bias), o.dense(steps.before, kernel)), steps.units)
    kinds = (op.recurrent_activation, op.recurrent_activation, op.activation)
    (take, take_slope), (forget, forget_slope), (new, new_slope) = (
        with_slope(activation, part) for activation, part in zip(kinds, sums[:3], strict=True)
    )
    output, output_slope = with_slope(op.recurrent_activation, sums[3])
    keep = steps.where_taken(forget, 1)
    cells = running(steps.where_taken(product(take, new)), keep, steps.state(1))
    shown, cell_slope = with_slope(op.activation, cells)
    inner = steps.where_taken(product(output, cell_slope))
    of_cell = [
        steps.where_taken(part)
        for part in (
            product(new, take_slope),
            product(before(cells, steps.state(1)), forget_slope),
            product(take, new_slope),
        )
    ]
    of_state = [product(part, inner) for part in of_cell]
    of_state.append(steps.where_taken(product(shown, output_slope)))
    of_cell.append(zeros(inner.tensor_type))
    found = o.LinearRecurrence(reverse=True)(
        steps.entry,
        steps.decay(),
        at.cotangent[1],
        o.transpose(kernel, (1, 0)),
        side_by_side(of_state),
        side_by_side(of_cell),
        None,
        product(keep, inner),
        keep,
        zeros(steps.state(1).tensor_type) if at.cotangent[2] is None else at.cotangent[2],
    )
    state, cell = o.item(found, 0), o.item(found, 2)
    parts = [
        o.add(product(state, a), product(cell, b)) for a, b in zip(of_state, of_cell, strict=True)
    ]
    g = side_by_side(parts)
    to_bias = None if bias is None else rows_sum(g)
    return (*steps.to_kernels(g, g), to_bias, o.item(found, 1), o.item(found, 3))


@gradient_of(o.GRU)
def gru(at: Applied) -> Cotangents:
    """By where the reset gate stands."""
    return _reset_after(Steps(at)) if at.op.reset_after else _reset_before(Steps(at))


def _reset_after(steps: Steps) -> Cotangents:
    op, at = steps.at.op, steps.at
    kernel, bias = steps.inputs[2:4]
    biases: list[Value | None] = [None, None]
    if bias is not None:
        biases = [o.reshape(o.slice_axis(bias, 0, i, i + 1), bias.shape[1:]) for i in (0, 1)]
    from_x = gates_of(steps.from_input(biases[0]), steps.units)
    from_state = gates_of(o.dense(steps.before, kernel, biases[1]), steps.units)
    (update, update_slope), (reset, reset_slope) = (
        with_slope(op.recurrent_activation, o.add(from_x[i], from_state[i])) for i in (0, 1)
    )
    new, new_slope = with_slope(op.activation, o.add(from_x[2], product(reset, from_state[2])))
    to_new = steps.where_taken(product(o.subtract(like(1, update), update), new_slope))
    to_update = steps.where_taken(product(o.subtract(steps.before, new), update_slope))
    to_reset = product(to_new, from_state[2], reset_slope)
    gates = side_by_side([to_update, to_reset, product(to_new, reset)])
    found = o.LinearRecurrence(reverse=True)(
        steps.entry,
        steps.where_taken(update, 1),
        at.cotangent[1],
        o.transpose(kernel, (1, 0)),
        gates,
    )
    state = o.item(found, 0)
    g, g_recurrent = (
        side_by_side([product(state, part) for part in (to_update, to_reset, last)])
        for last in (to_new, product(to_new, reset))
    )
    to_bias = None
    if bias is not None:
        row = (1, bias.shape[1])
        to_bias = o.concatenate([o.reshape(rows_sum(x), row) for x in (g, g_recurrent)], 0)
    return (*steps.to_kernels(g, g_recurrent), to_bias, o.item(found, 1))


def _reset_before(steps: Steps) -> Cotangents:
    """Each step is two: back through the candidate's product, then through those of the gates."""
    op, at, units = steps.at.op, steps.at, steps.units
    kernel, bias = steps.inputs[2:4]
    kernels = gates_of(kernel, units)
    from_x = gates_of(steps.from_input(bias), units)
    (update, update_slope), (reset, reset_slope) = (
        with_slope(op.recurrent_activation, o.add(from_x[i], o.dense(steps.before, kernels[i])))
        for i in (0, 1)
    )
    left = product(reset, steps.before)
    new, new_slope = with_slope(op.activation, o.add(from_x[2], o.dense(left, kernels[2])))
    to_new = steps.where_taken(product(o.subtract(like(1, update), update), new_slope))
    to_update = steps.where_taken(product(o.subtract(steps.before, new), update_slope))
    to_reset = steps.where_taken(product(steps.before, reset_slope))
    none = zeros(to_new.tensor_type)
    nothing = side_by_side([none, none, none])
    found = o.LinearRecurrence(reverse=True)(
        _pairs(none, steps.entry),
        _pairs(reset, none),
        at.cotangent[1],
        o.transpose(kernel, (1, 0)),
        _pairs(side_by_side([none, to_reset, none]), side_by_side([none, none, to_new])),
        _pairs(side_by_side([to_update, none, none]), nothing),
        _pairs(steps.where_taken(update, 1), none),
        _pairs(none, like(1, none)),
    )
    scaled, state = _single(o.item(found, 0))
    parts = [product(state, to_update), product(scaled, to_reset), product(state, to_new)]
    g = side_by_side(parts)
    to_x, to_kernel, to_gates = steps.to_kernels(g, side_by_side(parts[:2]))
    to_candidate = o.Matmul(transpose_a=True)(as_rows(left), as_rows(parts[2]))
    to_recurrent = side_by_side([to_gates, to_candidate])
    to_bias = None if bias is None else rows_sum(g)
    return to_x, to_kernel, to_recurrent, to_bias, o.item(found, 1)


def _pairs(first: Value, second: Value) -> Value:
    """Two steps for each, in turns: t[N, 2 * T, U]"""
    batch, steps, units = first.shape
    pair = [o.reshape(x, (batch, steps, 1, units)) for x in (first, second)]
    return o.reshape(o.concatenate(pair, 2), (batch, steps * 2, units))


def _single(x: Value) -> tuple[Value, Value]:
    """The first and the second of each pair."""
    batch, steps, units = x.shape
    pairs = o.reshape(x, (batch, steps // 2, 2, units))
    shape = (batch, steps // 2, units)
    first, second = (o.reshape(o.slice_axis(pairs, 2, i, i + 1), shape) for i in (0, 1))
    return first, second
