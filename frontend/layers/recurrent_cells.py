"""What recurrent layers do at each step: cells, which own the weights, and stacks of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

import numpy as np

from kerac.activations import Activation, unary_op
from kerac.constraints import MaybeConstraint
from kerac.convert import Conversion
from kerac.initializers import Initializer, Start
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, InternalError, ShapeError
from kerac.layers.base import Layer, as_float
from kerac.layers.dropout import check_share
from kerac.layers.inside import build_inside, read_inside
from kerac.layers.random_numbers import is_dropping, keep
from kerac.layers.spatial import positive
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import current_trace, need_equal, traced


class UnitsArguments(Layer, registered=False):
    """The first arguments of every recurrent layer and cell."""

    units: int
    activation: Activation = "tanh"


class GateArguments(UnitsArguments, registered=False):
    """The argument of those with gates."""

    recurrent_activation: Activation = "sigmoid"


class WeightArguments(UnitsArguments, registered=False):
    """The other arguments of every recurrent layer and cell."""

    use_bias: bool = True
    kernel_initializer: Start = "glorot_uniform"
    recurrent_initializer: Start = "orthogonal"
    bias_initializer: Start = "zeros"
    kernel_regularizer: MaybeRegularizer = None
    recurrent_regularizer: MaybeRegularizer = None
    bias_regularizer: MaybeRegularizer = None
    kernel_constraint: MaybeConstraint = None
    recurrent_constraint: MaybeConstraint = None
    bias_constraint: MaybeConstraint = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: int | None = None

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        arguments.pop("implementation", None)  # how TensorFlow split the products
        return super().modernize(arguments)

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "units")
        check_share(self, "dropout", self.dropout)
        check_share(self, "recurrent_dropout", self.recurrent_dropout)


class SimpleRNNArguments(WeightArguments, registered=False):
    """The arguments of SimpleRNN and its cell."""


class LSTMArguments(WeightArguments, GateArguments, registered=False):
    """The arguments of LSTM and its cell."""

    unit_forget_bias: bool = True


class GRUArguments(WeightArguments, GateArguments, registered=False):
    """The arguments of GRU and its cell."""

    reset_after: bool = True


class Cell(Layer, registered=False):
    """One step of a recurrence, and the op that takes all steps at once."""

    rarely_written: ClassVar[frozenset[str]] = Layer.rarely_written
    gates: ClassVar[int] = 1
    state_count: ClassVar[int] = 1

    if TYPE_CHECKING:  # the arguments that all cells have
        units: int
        use_bias: bool
        dropout: float
        recurrent_dropout: float
        seed: int | None
        kernel_initializer: Start
        recurrent_initializer: Start
        bias_initializer: Start

    @property
    def state_size(self) -> Any:
        """The length of the state, or a list of several."""
        return self.units if self.state_count == 1 else [self.units] * self.state_count

    @property
    def output_size(self) -> int:
        """The length of what a step gives."""
        return self.units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        wide = self.gates * self.units
        self.kernel = self.add_weight("kernel", (input_shape[-1], wide), self.kernel_initializer)
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (self.units, wide), self.recurrent_initializer
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight("bias", self.bias_shape(), self.bias_start())

    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (self.gates * self.units,)

    def bias_start(self) -> Any:
        """How the bias begins."""
        return self.bias_initializer

    def op(self, **keywords: bool) -> ops.Recurrent:
        """The op that takes all steps."""
        raise InternalError(f"{type(self).__name__} names no op")

    def over_time(
        self, x: Value, states: Sequence[Any], mask: Value | None, **keywords: bool
    ) -> tuple[Value, list[Any]]:
        """Outputs of all steps, and the states after the last one.

        x: f32[N, T, C], states: f32[N, units] or None, mask: bool[N, T]
        -> f32[N, T, units], f32[N, units]
        """
        weights = (traced(self.kernel), traced(self.recurrent_kernel), traced(self.bias))
        given = self.checked_states(x, states)
        op, scale = self.op(**keywords), self.recurrent_scale(x)
        results = op(self.dropped(x), *weights, *given, mask, scale)
        sequence, *last = (ops.item(results, index) for index in range(1 + self.state_count))
        return sequence, last

    def dropped(self, x: Value) -> Value:
        """x in training: features that are dropped are so in all steps of a row."""
        if not is_dropping(self.dropout):
            return x
        return keep(x, self.dropout, self.seed, (x.shape[0], 1, x.shape[2]))

    def recurrent_scale(self, x: Value) -> Value | None:
        """What states are multiplied with in training, for each gate: f32[N, gates * units]"""
        if not is_dropping(self.recurrent_dropout):
            return None
        shape = (x.shape[0], self.gates * self.units)
        ones = ops.broadcast_to(ops.constant(1, x.dtype), shape)
        return keep(ones, self.recurrent_dropout, self.seed)

    def checked_states(self, x: Value, states: Sequence[Any]) -> list[Value | None]:
        """As many states as there must be, with x's batch; None stands for zeros."""
        if len(states) != self.state_count:
            raise ShapeError(f"needs {self.state_count} initial states, but got {len(states)}")
        for state in states:
            if state is not None and state.ndim == 2:
                need_equal(state.shape[0], x.shape[0], "the batches of input and initial state")
        return [None if state is None else as_float(state) for state in states]

    def call(self, inputs: Value, states: Any) -> Any:
        single = isinstance(states, Value)
        x = as_float(inputs)
        steps = ops.reshape(x, (x.shape[0], 1, *x.shape[1:]))
        _, last = self.over_time(steps, [states] if single else states, None)
        return last[0], last[0] if single else last


class SimpleRNNCell(Cell, SimpleRNNArguments):
    """activation(inputs @ kernel + bias + state @ recurrent_kernel)."""

    def op(self, **keywords: bool) -> ops.Recurrent:
        return ops.SimpleRNN(unary_op(self.activation), **keywords)


class LSTMCell(Cell, LSTMArguments):
    """Long short-term memory; gates in the order input, forget, cell, output."""

    gates = 4
    state_count = 2

    def bias_start(self) -> Initializer:
        start = self.bias_initializer
        return OnesForForgetting(start) if self.unit_forget_bias else start

    def op(self, **keywords: bool) -> ops.Recurrent:
        gate = unary_op(self.recurrent_activation)
        return ops.LSTM(
            unary_op(self.activation),
            **keywords,
            recurrent_activation=gate,
            keep_gates=current_trace().training,
        )


class GRUCell(Cell, GRUArguments):
    """Gated recurrent unit; gates in the order update, reset, candidate."""

    gates = 3

    def bias_shape(self) -> tuple[int, ...]:
        wide = self.gates * self.units
        return (2, wide) if self.reset_after else (wide,)

    def op(self, **keywords: bool) -> ops.Recurrent:
        gate = unary_op(self.recurrent_activation)
        return ops.GRU(
            unary_op(self.activation),
            **keywords,
            recurrent_activation=gate,
            reset_after=self.reset_after,
        )


class OnesForForgetting(Initializer):
    """The bias of an LSTM: what another initializer makes, but 1 for the forget gate."""

    start: Start

    @property
    def seed(self) -> int | None:
        """The seed of the other initializer."""
        return getattr(self.start, "seed", None)

    def make(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        units = shape[0] // 4
        first = self.start.make((units,), generator)
        others = self.start.make((2 * units,), generator)
        return np.concatenate([first, np.ones(units), others])


def _cells(value: Any) -> list[Any]:
    return [_cell(item) for item in value]


CellList = Annotated[
    list[Any], Conversion(_cells, lambda cells: [c.serialize() for c in cells], "cells")
]


class StackedRNNCells(Layer):
    """Cells one above the other, each fed with the outputs of the one below."""

    cells: CellList

    def __post_init__(self) -> None:
        if not self.cells:
            raise CompileError(f"StackedRNNCells {self.name!r}: cells is empty")

    @property
    def state_size(self) -> list[Any]:
        """The state sizes of the cells."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The length of what the uppermost cell gives."""
        return cast(int, self.cells[-1].output_size)

    @property
    def state_count(self) -> int:
        """One group of states a cell."""
        return len(self.cells)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for cell in self.cells:
            build_inside(cell, input_shape)
            input_shape = (input_shape[0], cell.output_size)

    def over_time(
        self,
        x: Value,
        states: Sequence[Any],
        mask: Value | None,
        reverse: bool = False,
        zero_output_for_mask: bool = False,
    ) -> tuple[Value, list[Any]]:
        """Outputs of the uppermost cell, and the states of every cell after the last step."""
        if len(states) != self.state_count:
            raise ShapeError(
                f"needs initial states for {self.state_count} cells, but got {len(states)}"
            )
        last: list[Any] = []
        for cell, given in zip(self.cells, states, strict=True):
            single = isinstance(given, Value)
            held = [given] if single else [None] * cell.state_count if given is None else given
            zero = zero_output_for_mask and len(last) == len(self.cells) - 1
            x, found = cell.over_time(x, held, mask, reverse=reverse, zero_output_for_mask=zero)
            last.append(found[0] if single else found)
            # what the cell gave is in the order in which it took the steps
            if reverse and mask is not None:
                mask = ops.reverse(mask, (1,))
            reverse = False
        return x, last

    def call(self, inputs: Value, states: Any) -> Any:
        x = as_float(inputs)
        steps = ops.reshape(x, (x.shape[0], 1, *x.shape[1:]))
        outputs, last = self.over_time(steps, states, None)
        return ops.reshape(outputs, (x.shape[0], outputs.shape[-1])), last


def _cell(value: Any) -> Any:
    cell = StackedRNNCells(value) if isinstance(value, list | tuple) else read_inside(value)
    if not isinstance(cell, Cell | StackedRNNCells):
        raise CompileError(
            f"{cell!r:.60} is no cell that kerac knows",
            remedy="Use SimpleRNNCell, LSTMCell, GRUCell or StackedRNNCells.",
        )
    return cell


AnyCell = Annotated[Any, Conversion(_cell, lambda cell: cell.serialize(), "a cell")]
"""The kind of a field that holds a cell; a list of cells is a stack."""
