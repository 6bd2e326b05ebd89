"""Recurrent layers over time, whole: N sequences of T steps of C features, with U units.

All take an optional `mask`: bool[N, T]. A step whose mask is false leaves the states as they are;
its output is the output of the step before (zeros before the first), or zeros where
`zero_output_for_mask` is set, as Keras has it. With `reverse` the steps are taken from the last to
the first, and the sequence is in the order they were taken.

An optional `scale`: t[N, G * U] has a factor for each unit and gate, that the state is multiplied
with before its product with the columns of that gate, as dropout does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kerac.ir.dims import DimLike
from kerac.ir.errors import InternalError, ShapeError
from kerac.ir.graph import Value
from kerac.ir.mathematics import NUMPY
from kerac.ir.op import Array, Op
from kerac.ir.ops.activation import Sigmoid, Tanh, activation_of
from kerac.ir.ops.elementwise import Unary
from kerac.ir.types import TensorType, check_types

TANH = Tanh()
SIGMOID = Sigmoid()


@dataclass(frozen=True)
class Recurrent(Op, abstract=True):
    """Base: the sequence of outputs first, then the states after the last step."""

    gates: ClassVar[int] = 1
    activation: Unary | None = TANH
    reverse: bool = False
    zero_output_for_mask: bool = False

    def __post_init__(self) -> None:
        for name in ("activation", "recurrent_activation"):
            if hasattr(self, name):
                object.__setattr__(self, name, activation_of(getattr(self, name)))

    def check(
        self,
        x: TensorType,
        kernel: TensorType,
        recurrent_kernel: TensorType,
        bias: tuple[TensorType | None, tuple[int, ...]],
        states: tuple[TensorType | None, ...],
        mask: TensorType | None,
        scale: TensorType | None,
    ) -> tuple[TensorType, ...]:
        """Types of the sequence and the states; `bias` brings its shape in multiples of U."""
        if x.ndim != 3 or kernel.ndim != 2 or recurrent_kernel.ndim != 2:
            raise ShapeError(
                f"needs x[N, T, C], but got {x}, kernel {kernel}, "
                f"recurrent_kernel {recurrent_kernel}"
            )
        batch, steps, features = x.shape
        units = recurrent_kernel.shape[0]
        wide = self.gates * units
        bias_type, multiples = bias
        bias_shape = (*multiples[:-1], multiples[-1] * units)
        state = TensorType(x.dtype, (batch, units))
        expected = {
            "kernel": (kernel, TensorType(x.dtype, (features, wide))),
            "recurrent_kernel": (recurrent_kernel, TensorType(x.dtype, (units, wide))),
            "bias": (bias_type, TensorType(x.dtype, bias_shape)),
            "mask": (mask, TensorType("bool", (batch, steps))),
            "scale": (scale, TensorType(x.dtype, (batch, wide))),
            **{f"initial state {i}": (given, state) for i, given in enumerate(states)},
        }
        check_types(expected)
        return (x.with_shape((batch, steps, units)), *(state for _ in states))

    def multiply_adds(self, result: Value) -> DimLike:
        x, *kernels = result.operands[:3]
        batch, steps, _ = x.tensor_type.shape
        return batch * steps * sum((kernel.tensor_type.size for kernel in kernels), start=0)

    def step(
        self, features: Array, states: tuple[Array, ...], weights: tuple[Any, ...]
    ) -> tuple[Array, ...]:
        """The states after one step; the first one is the output."""
        raise InternalError(f"{self.text_name} has no step")

    def scan(
        self,
        projected: Array,
        units: int,
        initial: tuple[Array | None, ...],
        mask: Array | None,
        weights: tuple[Any, ...],
        trail: list[tuple[int, tuple[Array, ...], tuple[Array, ...]]] | None = None,
    ) -> tuple[Array, ...]:
        """Take `step` over time on the input that has been multiplied by the kernel already.

        `trail` receives for each step its time, the states before it and those after it.
        """
        batch, steps = projected.shape[:2]
        zeros = np.zeros((batch, units), projected.dtype)
        states = tuple(zeros if state is None else state for state in initial)
        sequence = np.zeros((batch, steps, units), projected.dtype)
        output = zeros
        for place in range(steps):
            time = steps - 1 - place if self.reverse else place
            new = self.step(projected[:, time], states, weights)
            if mask is not None:
                keep = mask[:, time, None]
                output = np.where(keep, new[0], zeros if self.zero_output_for_mask else output)
                new = tuple(
                    np.where(keep, after, before) for after, before in zip(new, states, strict=True)
                )
            else:
                output = new[0]
            if trail is not None:
                trail.append((time, states, new))
            states = new
            sequence[:, place] = output
        return (sequence, *states)


def apply(activation: Unary | None, x: Array) -> Array:
    """`activation` on a NumPy array; None is the identity."""
    return activation.formula(NUMPY, x) if activation else x


def scaled_product(state: Array, kernel: Array, scale: Array | None) -> Array:
    """state @ kernel, the state multiplied with what `scale` has for each gate."""
    if scale is None:
        return np.asarray(state @ kernel)
    gates = kernel.shape[1] // len(kernel)
    pairs = zip(np.split(scale, gates, axis=-1), np.split(kernel, gates, axis=-1), strict=True)
    return np.concatenate([(state * factor) @ part for factor, part in pairs], axis=-1)


@dataclass(frozen=True)
class SimpleRNN(Recurrent):
    """h = activation(x @ kernel + bias + h @ recurrent_kernel).

    x: t[N, T, C], kernel: t[C, U], recurrent_kernel: t[U, U], bias: t[U],
    initial_state: t[N, U], mask: bool[N, T] -> (t[N, T, U], t[N, U])
    """

    def infer(
        self,
        x: TensorType,
        kernel: TensorType,
        recurrent_kernel: TensorType,
        bias: TensorType | None = None,
        initial_state: TensorType | None = None,
        mask: TensorType | None = None,
        scale: TensorType | None = None,
    ) -> tuple[TensorType, ...]:
        return self.check(x, kernel, recurrent_kernel, (bias, (1,)), (initial_state,), mask, scale)

    def evaluate(
        self,
        x: Array,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None = None,
        initial_state: Array | None = None,
        mask: Array | None = None,
        scale: Array | None = None,
    ) -> tuple[Array, ...]:
        projected = x @ kernel if bias is None else x @ kernel + bias
        return self.scan(
            projected, len(recurrent_kernel), (initial_state,), mask, (recurrent_kernel, scale)
        )

    def step(
        self, features: Array, states: tuple[Array, ...], weights: tuple[Any, ...]
    ) -> tuple[Array, ...]:
        return (apply(self.activation, features + scaled_product(states[0], *weights)),)


@dataclass(frozen=True)
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997).

    x: t[N, T, C], kernel: t[C, 4U], recurrent_kernel: t[U, 4U], bias: t[4U],
    initial_state, initial_cell: t[N, U], mask: bool[N, T] -> (t[N, T, U], t[N, U], t[N, U])
    Gates are in the order input, forget, cell, output. With `keep_gates` more results tell what
    gradients need of each step: its gates after the activations, t[N, T, 4U], zeros where the mask
    leaves it out, the cell after it and the state before it, both t[N, T, U].
    """

    gates = 4
    recurrent_activation: Unary | None = SIGMOID
    keep_gates: bool = False

    @property
    def gate_activations(self) -> tuple[Unary | None, ...]:
        """What makes gates of their sums."""
        gate = self.recurrent_activation
        return (gate, gate, self.activation, gate)

    def infer(
        self,
        x: TensorType,
        kernel: TensorType,
        recurrent_kernel: TensorType,
        bias: TensorType | None = None,
        initial_state: TensorType | None = None,
        initial_cell: TensorType | None = None,
        mask: TensorType | None = None,
        scale: TensorType | None = None,
    ) -> tuple[TensorType, ...]:
        results = self.check(
            x, kernel, recurrent_kernel, (bias, (4,)), (initial_state, initial_cell), mask, scale
        )
        if not self.keep_gates:
            return results
        sequence = results[0]
        gates = sequence.with_shape((*sequence.shape[:2], kernel.shape[1]))
        return (*results, gates, sequence, sequence)

    def evaluate(
        self,
        x: Array,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None = None,
        initial_state: Array | None = None,
        initial_cell: Array | None = None,
        mask: Array | None = None,
        scale: Array | None = None,
    ) -> tuple[Array, ...]:
        projected = x @ kernel if bias is None else x @ kernel + bias
        initial = (initial_state, initial_cell)
        trail: list[tuple[int, tuple[Array, ...], tuple[Array, ...]]] = []
        results = self.scan(
            projected, len(recurrent_kernel), initial, mask, (recurrent_kernel, scale), trail
        )
        if not self.keep_gates:
            return results
        kept = np.zeros_like(projected)
        cells, before = np.zeros_like(results[0]), np.zeros_like(results[0])
        for place, (time, (state, _), (_, cell)) in enumerate(trail):
            sums = projected[:, time] + scaled_product(state, recurrent_kernel, scale)
            gates = zip(self.gate_activations, np.split(sums, 4, axis=-1), strict=True)
            kept[:, place] = np.concatenate([apply(f, part) for f, part in gates], axis=-1)
            if mask is not None:
                kept[~mask[:, time], place] = 0
            cells[:, place], before[:, place] = cell, state
        return (*results, kept, cells, before)

    def step(
        self, features: Array, states: tuple[Array, ...], weights: tuple[Any, ...]
    ) -> tuple[Array, ...]:
        state, cell = states
        gates = np.split(features + scaled_product(state, *weights), 4, axis=-1)
        take, forget, output = (apply(self.recurrent_activation, gates[i]) for i in (0, 1, 3))
        cell = forget * cell + take * apply(self.activation, gates[2])
        return output * apply(self.activation, cell), cell


@dataclass(frozen=True)
class GRU(Recurrent):
    """Gated recurrent unit (Cho et al., 2014); gates in the order update, reset, candidate.

    x: t[N, T, C], kernel: t[C, 3U], recurrent_kernel: t[U, 3U],
    bias: t[2, 3U] if reset_after else t[3U], initial_state: t[N, U], mask: bool[N, T]
    -> (t[N, T, U], t[N, U])
    With `reset_after` the reset gate scales the recurrent product, else the state before it.
    """

    gates = 3
    recurrent_activation: Unary | None = SIGMOID
    reset_after: bool = True

    def infer(
        self,
        x: TensorType,
        kernel: TensorType,
        recurrent_kernel: TensorType,
        bias: TensorType | None = None,
        initial_state: TensorType | None = None,
        mask: TensorType | None = None,
        scale: TensorType | None = None,
    ) -> tuple[TensorType, ...]:
        multiples = (2, 3) if self.reset_after else (3,)
        return self.check(
            x, kernel, recurrent_kernel, (bias, multiples), (initial_state,), mask, scale
        )

    def evaluate(
        self,
        x: Array,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None = None,
        initial_state: Array | None = None,
        mask: Array | None = None,
        scale: Array | None = None,
    ) -> tuple[Array, ...]:
        units, wide = recurrent_kernel.shape
        biases = np.zeros((2, wide), x.dtype)
        if bias is not None:
            biases = bias if self.reset_after else np.stack([bias, np.zeros_like(bias)])
        projected = x @ kernel + biases[0]
        weights = (recurrent_kernel, biases[1], scale)
        return self.scan(projected, units, (initial_state,), mask, weights)

    def step(
        self, features: Array, states: tuple[Array, ...], weights: tuple[Any, ...]
    ) -> tuple[Array, ...]:
        (state,), (recurrent_kernel, bias, scale) = states, weights
        units = state.shape[-1]
        of_gates, of_candidate = (
            (None, None) if scale is None else np.split(scale, [2 * units], axis=-1)
        )
        x_gates, x_candidate = np.split(features, [2 * units], axis=-1)
        if self.reset_after:
            h_gates, h_candidate = np.split(
                scaled_product(state, recurrent_kernel, scale) + bias, [2 * units], axis=-1
            )
            update, reset = np.split(
                apply(self.recurrent_activation, x_gates + h_gates), 2, axis=-1
            )
            candidate = apply(self.activation, x_candidate + reset * h_candidate)
        else:
            h_gates = scaled_product(state, recurrent_kernel[:, : 2 * units], of_gates)
            update, reset = np.split(
                apply(self.recurrent_activation, x_gates + h_gates), 2, axis=-1
            )
            product = scaled_product(
                reset * state, recurrent_kernel[:, 2 * units :], of_candidate
            )
            candidate = apply(self.activation, x_candidate + product)
        return (update * state + (1 - update) * candidate,)
