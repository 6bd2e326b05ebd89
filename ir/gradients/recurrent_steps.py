"""A recurrent op at work, as gradients see it: its steps side by side, in the order taken."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kerac.ir import ops as o
from kerac.ir.gradients.contraction import as_rows
from kerac.ir.gradients.registry import Applied
from kerac.ir.gradients.reverse import zeros
from kerac.ir.graph import Value
from kerac.ir.ops.elementwise import Unary


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
        return (*self.at.inputs, *[None] * 8)[:8]

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
        if isinstance(self.at.op, o.LSTM) and self.at.op.keep_gates:
            return o.item(self.at.result, 5)
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

    @cached_property
    def scale(self) -> Value | None:
        """t[N, G * U]"""
        scale: Value | None = self.inputs[7 if isinstance(self.at.op, o.LSTM) else 6]
        return scale

    def scaled(self, states: Value, gate: int) -> Value:
        """What the product of a gate reads in place of the states: t[N, T, U]"""
        if self.scale is None:
            return states
        factor = gates_of(self.scale, self.units)[gate]
        return o.multiply(states, o.reshape(factor, (factor.shape[0], 1, self.units)))

    def from_state(self, states: Value, gates: range, bias: Value | None = None) -> Value:
        """The products of states with the recurrent kernel for some gates, side by side."""
        kernels = gates_of(self.inputs[2], self.units)
        if self.scale is None:
            whole = len(gates) == len(kernels)
            kernel = self.inputs[2] if whole else side_by_side([kernels[g] for g in gates])
            return o.dense(states, kernel, bias)
        sums = side_by_side([o.dense(self.scaled(states, g), kernels[g]) for g in gates])
        return sums if bias is None else o.add(sums, bias)

    def to_recurrent(self, states: Value, g: Value, gates: range) -> Value:
        """The cotangent of the recurrent kernel's columns for some gates."""
        if self.scale is None:
            return o.Matmul(transpose_a=True)(as_rows(states), as_rows(g))
        pairs = zip(gates, gates_of(g, self.units), strict=True)
        product = o.Matmul(transpose_a=True)
        return side_by_side(
            [product(as_rows(self.scaled(states, gate)), as_rows(part)) for gate, part in pairs]
        )

    def to_scale(self, g: Value, sources: dict[int, Value] | None = None) -> tuple[Value | None]:
        """The cotangent of the scale, the last of all; gates multiply the states or a source."""
        if self.scale is None:
            return (None,)
        kernels, parts = gates_of(self.inputs[2], self.units), []
        for gate, part in enumerate(gates_of(g, self.units)):
            back = o.Matmul(transpose_b=True)(as_rows(part), kernels[gate])
            source = (sources or {}).get(gate, self.before)
            product = o.multiply(source, o.reshape(back, source.shape))
            parts.append(o.reduce_sum(product, (1,)))
        return (side_by_side(parts),)

    def decay(self) -> Value | None:
        """Steps that are left out hand cotangents on."""
        return None if self.mask is None else self.where_left_out(self.before)

    def to_kernels(self, g: Value, g_recurrent: Value) -> tuple[Value, Value, Value]:
        """Cotangents of x and both kernels from those of the products: t[N, T, G * U]"""
        x, kernel = self.x, self.inputs[1]
        to_x = o.dense(g, o.transpose(kernel, (1, 0)))
        to_kernel = o.Matmul(transpose_a=True)(as_rows(x), as_rows(g))
        gates = range(g_recurrent.shape[-1] // self.units)
        to_recurrent = self.to_recurrent(self.before, g_recurrent, gates)
        return self.taken(to_x), to_kernel, to_recurrent
