"""Long short-term memory whose products are convolutions (Shi et al., 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kerac.activations import Activation, unary_op
from kerac.constraints import MaybeConstraint
from kerac.initializers import Start
from kerac.ir import Value, ops
from kerac.ir.dims import DimLike
from kerac.ir.errors import ShapeError
from kerac.layers.base import Layer
from kerac.layers.data_format import GivenDataFormat, channel_axis, from_last, to_last
from kerac.layers.dropout import check_share
from kerac.layers.inside import build_inside
from kerac.layers.masks import align
from kerac.layers.random_numbers import is_random, keep
from kerac.layers.recurrent import CellLayer
from kerac.layers.recurrent_cells import Cell, OnesForForgetting
from kerac.layers.spatial import (
    Padding,
    Sizes,
    check_ndim,
    not_both_above_one,
    positive,
    sizes,
)
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import need_equal, traced


class ConvLSTMArguments(Layer, registered=False):
    """The arguments of the layers and of their cell."""

    if TYPE_CHECKING:
        rank: int

    filters: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    data_format: GivenDataFormat = None
    dilation_rate: Sizes = 1
    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    use_bias: bool = True
    kernel_initializer: Start = "glorot_uniform"
    recurrent_initializer: Start = "orthogonal"
    bias_initializer: Start = "zeros"
    unit_forget_bias: bool = True
    kernel_regularizer: MaybeRegularizer = None
    recurrent_regularizer: MaybeRegularizer = None
    bias_regularizer: MaybeRegularizer = None
    activity_regularizer: MaybeRegularizer = None
    kernel_constraint: MaybeConstraint = None
    recurrent_constraint: MaybeConstraint = None
    bias_constraint: MaybeConstraint = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "filters")
        for name in ("kernel_size", "strides", "dilation_rate"):
            setattr(self, name, sizes(self, name, self.rank))
        self.data_format = self.data_format or "channels_last"
        check_share(self, "dropout", self.dropout)
        check_share(self, "recurrent_dropout", self.recurrent_dropout)
        not_both_above_one(self, "strides", "dilation_rate")


class RankArgument(Layer, registered=False):
    """The first argument of the cell."""

    rank: int


class ConvLSTMCell(Cell, ConvLSTMArguments, RankArgument, registered=False):
    """Gates in the order input, forget, cell, output; each is a sum of two convolutions.

    x: f32[N, *spatial, C], states: f32[N, *positions, filters] -> f32[N, *positions, filters]
    """

    gates = 4
    state_count = 2

    @property
    def state_size(self) -> Any:
        return [self.filters] * self.state_count

    @property
    def output_size(self) -> int:
        return self.filters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_ndim(input_shape, self.rank + 2)
        channels = input_shape[channel_axis(self.data_format)]
        window: Any = self.kernel_size
        wide = self.gates * self.filters
        self.kernel = self.add_weight("kernel", (*window, channels, wide), self.kernel_initializer)
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (*window, self.filters, wide), self.recurrent_initializer
        )
        self.bias = None
        if self.use_bias:
            start = self.bias_initializer
            start = OnesForForgetting(start) if self.unit_forget_bias else start
            self.bias = self.add_weight("bias", (wide,), start)

    def over_time(
        self, x: Value, states: Sequence[Any], mask: Value | None, **keywords: bool
    ) -> tuple[Value, list[Any]]:
        """Outputs of all steps, and the states after the last one.

        x: f32[N, T, *spatial, C], states: f32[N, *positions, filters] or None, mask: bool[N, T]
        -> f32[N, T, *positions, filters], f32[N, *positions, filters]
        """
        steps = x.shape[1]
        if not isinstance(steps, int):
            raise ShapeError(
                f"takes steps one by one, but their number is not known in {x.type}",
                remedy="Give the model an Input with the number of steps.",
            )
        sums = self._input_sums(self._channels_last(x))
        shape = (sums.shape[0], *sums.shape[2:-1], self.filters)
        zeros = ops.broadcast_to(ops.constant(0, x.dtype), shape)
        state = self._first_states(states, zeros)
        scale = self._scale((shape[0], self.gates, *shape[1:]), self.recurrent_dropout, x.dtype)
        zero = keywords.get("zero_output_for_mask")
        shown, outputs = zeros, []
        for step in reversed(range(steps)) if keywords.get("reverse") else range(steps):
            new = self._step(_at(sums, step), state, scale)
            output = new[0]
            if mask is not None:
                counts = align(_at(mask, step), output)
                output = ops.select(counts, output, zeros if zero else shown)
                new = [ops.select(counts, x, old) for x, old in zip(new, state, strict=True)]
            shown, state = output, new
            outputs.append(_with_step(from_last(output, self.data_format)))
        last = [from_last(x, self.data_format) for x in state]
        return ops.concatenate(outputs, 1) if steps > 1 else outputs[0], last

    def _channels_last(self, x: Value) -> Value:
        if self.data_format != "channels_first":
            return x
        return ops.transpose(x, (0, 1, *range(3, x.ndim), 2))

    def _first_states(self, states: Sequence[Any], zeros: Value) -> list[Value]:
        found = []
        for given in self.checked_states(zeros, states):
            state = zeros if given is None else to_last(given, self.data_format)
            check_ndim(state.shape, zeros.ndim)
            for have, want in zip(state.shape, zeros.shape, strict=True):
                need_equal(have, want, "the lengths of an initial state and of the outputs")
            found.append(state)
        return found

    def _input_sums(self, x: Value) -> Value:
        """What the input adds to all gates, in all steps: f32[N, T, *positions, gates * filters]"""
        batch, steps = x.shape[:2]
        window: Any = {"strides": self.strides, "dilation": self.dilation_rate}
        convolution = ops.Convolution(padding=self.padding, **window)
        kernel, bias = traced(self.kernel), traced(self.bias)
        scale = self._scale((batch, self.gates, *x.shape[2:]), self.dropout, x.dtype)

        def merged(x: Value) -> Value:
            return ops.reshape(x, (batch * steps, *x.shape[2:]))

        if scale is None:
            sums = convolution(merged(x), kernel, bias)
        else:
            parts = []
            for gate in range(self.gates):
                # [N, 1, *spatial, C]: what is dropped is so in all steps
                kept = ops.slice_axis(scale, 1, gate, gate + 1)
                part = merged(ops.multiply(x, kept))
                parts.append(convolution(part, self._of(kernel, gate), self._of(bias, gate)))
            sums = ops.concatenate(parts, self.rank + 1)
        return ops.reshape(sums, (batch, steps, *sums.shape[1:]))

    def _step(self, sums: Value, state: list[Value], scale: Value | None) -> list[Value]:
        hidden, carry = state
        kernel = traced(self.recurrent_kernel)
        convolution = ops.Convolution(strides=(1,) * self.rank, padding="same")
        if scale is None:
            sums = ops.add(sums, convolution(hidden, kernel))
            gates = [self._of(sums, gate) for gate in range(self.gates)]
        else:
            gates = [
                ops.add(
                    self._of(sums, gate),
                    convolution(ops.multiply(hidden, _at(scale, gate)), self._of(kernel, gate)),
                )
                for gate in range(self.gates)
            ]
        activation, opening = unary_op(self.activation), unary_op(self.recurrent_activation)
        entry, kept, candidate, exit_ = (
            gate if function is None else function(gate)
            for gate, function in zip(gates, (opening, opening, activation, opening), strict=True)
        )
        carry = ops.add(ops.multiply(kept, carry), ops.multiply(entry, candidate))
        shown = carry if activation is None else activation(carry)
        return [ops.multiply(exit_, shown), carry]

    def _of(self, x: Any, gate: int) -> Any:
        """The part of a gate along the last axis."""
        if x is None:
            return None
        start = gate * self.filters
        return ops.slice_axis(x, x.ndim - 1, start, start + self.filters)

    def _scale(self, shape: tuple[DimLike, ...], rate: float, dtype: str) -> Value | None:
        """What is multiplied with in training, for each gate along axis 1."""
        if not rate or not is_random():
            return None
        return keep(ops.broadcast_to(ops.constant(1, dtype), shape), rate, self.seed)


def _at(x: Value, step: int) -> Value:
    """One step of x: t[N, T, ...] -> t[N, ...]"""
    return ops.reshape(ops.slice_axis(x, 1, step, step + 1), (x.shape[0], *x.shape[2:]))


def _with_step(x: Value) -> Value:
    """x: t[N, ...] -> t[N, 1, ...]"""
    return ops.reshape(x, (x.shape[0], 1, *x.shape[1:]))


class ConvLSTM(CellLayer, ConvLSTMArguments, registered=False):
    """A ConvLSTMCell over the steps of a sequence, whose number must be known.

    sequences: f32[N, T, *spatial, C] -> f32[N, *positions, filters], with a step axis with
    `return_sequences`
    """

    rarely_written: ClassVar[frozenset[str]] = frozenset()
    cell_class = ConvLSTMCell

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        if isinstance(sequences_shape[0], list | tuple):  # with those of the states behind it
            sequences_shape = sequences_shape[0]
        check_ndim(sequences_shape, self.rank + 3)
        build_inside(self.cell, (sequences_shape[0], *sequences_shape[2:]))


class ConvLSTM1D(ConvLSTM):
    """Long short-term memory over sequences of lines."""

    rank = 1


class ConvLSTM2D(ConvLSTM):
    """Long short-term memory over sequences of images."""

    rank = 2


class ConvLSTM3D(ConvLSTM):
    """Long short-term memory over sequences of volumes."""

    rank = 3
