"""Gradients of recurrent layers, back through time.

The states before each step are known from the results, so that the gates of all steps are computed
once more side by side. With them the cotangents of the states follow a recurrence that is linear;
all else is products over the rows of all steps. Steps stand in the order they were taken.
"""

from __future__ import annotations

from kerac.ir import ops as o
from kerac.ir.errors import InternalError
from kerac.ir.gradients.recurrent_steps import (
    Steps,
    before,
    gates_of,
    like,
    product,
    running,
    side_by_side,
    with_slope,
)
from kerac.ir.gradients.registry import WITHOUT_GRADIENT, Applied, Cotangents, gradient_of
from kerac.ir.gradients.reverse import zeros
from kerac.ir.graph import Value

WITHOUT_GRADIENT.update(
    dict.fromkeys(
        (o.LinearRecurrence, o.LSTMGradient),
        "it is a gradient itself, and second ones are not taken",
    )
)


def rows_sum(x: Value) -> Value:
    """Over all axes but the last."""
    return o.reduce_sum(x, tuple(range(x.ndim - 1)))


@gradient_of(o.SimpleRNN)
def simple_rnn(at: Applied) -> Cotangents:
    """g[t] = slope[t] * (cotangent of the state after t), which goes on through the kernel."""
    steps = Steps(at)
    kernel, bias = steps.inputs[2:4]
    sums = o.add(steps.from_input(bias), steps.from_state(steps.before, range(1)))
    slope = steps.where_taken(with_slope(at.op.activation, sums)[1])
    turned = o.transpose(kernel, (1, 0))
    found = o.LinearRecurrence(reverse=True)(
        steps.entry, steps.decay(), at.cotangent[1], turned, slope, *[None] * 5, steps.scale
    )
    g = product(o.item(found, 0), slope)
    to_bias = None if bias is None else rows_sum(g)
    return (*steps.to_kernels(g, g), to_bias, o.item(found, 1), None, *steps.to_scale(g))


@gradient_of(o.LSTM)
def lstm(at: Applied) -> Cotangents:
    """In one op where the forward pass keeps gates and the activations are the usual ones."""
    if any(cotangent is not None for cotangent in at.cotangent[3:]):
        raise InternalError("what an LSTM keeps for its gradient has no gradient of its own")
    usual = at.op.activation == o.Tanh() and at.op.recurrent_activation == o.Sigmoid()
    if usual and at.op.keep_gates:
        return _lstm_at_once(Steps(at))
    return _lstm_of_any_activation(at)


def _lstm_at_once(steps: Steps) -> Cotangents:
    at, (kernel, bias), cell = steps.at, steps.inputs[2:4], steps.inputs[5]
    gates, cells = (o.item(at.result, place) for place in (3, 4))
    entry = None if at.cotangent[0] is None else steps.entry
    turned = o.transpose(kernel, (1, 0))
    found = o.LSTMGradient()(
        gates, cells, turned, cell, steps.mask_of_steps, entry, *at.cotangent[1:3], steps.scale
    )
    g = o.item(found, 0)
    to_bias = None if bias is None else rows_sum(o.item(found, 3))
    initial = o.item(found, 1), o.item(found, 2)
    return (*steps.to_kernels(g, g), to_bias, *initial, None, *steps.to_scale(g))


def _lstm_of_any_activation(at: Applied) -> Cotangents:
    """The cotangent of the cell is the one that comes from later steps plus inner * state's."""
    steps, op = Steps(at), at.op
    kernel, bias = steps.inputs[2:4]
    sums = gates_of(
        o.add(steps.from_input(bias), steps.from_state(steps.before, range(4))), steps.units
    )
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
        steps.scale,
    )
    state, cell = o.item(found, 0), o.item(found, 2)
    parts = [
        o.add(product(state, a), product(cell, b)) for a, b in zip(of_state, of_cell, strict=True)
    ]
    g = side_by_side(parts)
    to_bias = None if bias is None else rows_sum(g)
    initial = o.item(found, 1), o.item(found, 3)
    return (*steps.to_kernels(g, g), to_bias, *initial, None, *steps.to_scale(g))


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
    from_state = gates_of(steps.from_state(steps.before, range(3), biases[1]), steps.units)
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
        *[None] * 5,
        steps.scale,
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
    kernels, to_scale = steps.to_kernels(g, g_recurrent), steps.to_scale(g_recurrent)
    return (*kernels, to_bias, o.item(found, 1), None, *to_scale)


def _reset_before(steps: Steps) -> Cotangents:
    """Each step is two: back through the candidate's product, then through those of the gates."""
    op, at, units = steps.at.op, steps.at, steps.units
    kernel, bias = steps.inputs[2:4]
    from_x = gates_of(steps.from_input(bias), units)
    from_state = gates_of(steps.from_state(steps.before, range(2)), units)
    (update, update_slope), (reset, reset_slope) = (
        with_slope(op.recurrent_activation, o.add(from_x[i], from_state[i])) for i in (0, 1)
    )
    left = product(reset, steps.before)
    candidate = o.add(from_x[2], steps.from_state(left, range(2, 3)))
    new, new_slope = with_slope(op.activation, candidate)
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
        None,
        None,
        steps.scale,
    )
    scaled, state = _single(o.item(found, 0))
    parts = [product(state, to_update), product(scaled, to_reset), product(state, to_new)]
    g = side_by_side(parts)
    to_x, to_kernel, to_gates = steps.to_kernels(g, side_by_side(parts[:2]))
    to_candidate = steps.to_recurrent(left, parts[2], range(2, 3))
    to_recurrent = side_by_side([to_gates, to_candidate])
    to_bias = None if bias is None else rows_sum(g)
    to_scale = steps.to_scale(g, {2: left})
    return to_x, to_kernel, to_recurrent, to_bias, o.item(found, 1), None, *to_scale


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
