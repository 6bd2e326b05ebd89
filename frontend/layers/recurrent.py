"""Recurrent layers: a cell taken over all steps of a sequence.

What a step gives whose mask is false: the output of the step before, zeros before the first. A
layer that returns the last output alone returns the state after the last step, which is the same
but for a row that has an initial state and no step that counts: Keras's backends differ there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kerac.configured import fields
from kerac.ir import Value, ops
from kerac.ir.errors import UnsupportedError
from kerac.layers.base import Layer, as_float
from kerac.layers.inside import build_inside
from kerac.layers.masks import as_bool, check_mask
from kerac.layers.recurrent_cells import (
    AnyCell,
    Cell,
    GRUArguments,
    GRUCell,
    LSTMArguments,
    LSTMCell,
    SimpleRNNArguments,
    SimpleRNNCell,
)
from kerac.layers.spatial import check_ndim
from kerac.names import snake_case
from kerac.structure import leaves


class Recurrent(Layer, registered=False):
    """A cell over time, with Keras's arguments for that.

    sequences: f32[N, T, C], initial_state: f32[N, units] for each state, mask: bool[N, T]
    -> f32[N, units], f32[N, T, units] with `return_sequences`; the states too with `return_state`
    """

    supports_masking = True
    if TYPE_CHECKING:
        cell: Any

    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments.get("time_major") is False:  # Keras 2
            del arguments["time_major"]
        return super().modernize(arguments)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stateful:
            raise UnsupportedError(
                f"{type(self).__name__} {self.name!r}: is stateful, "
                "but a compiled model keeps nothing between calls",
                remedy="Use return_state=True, and give the states back as initial_state.",
            )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        if isinstance(sequences_shape[0], list | tuple):  # with those of the states behind it
            sequences_shape = sequences_shape[0]
        check_ndim(sequences_shape, 3)
        build_inside(self.cell, (sequences_shape[0], sequences_shape[2]))

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None) -> Any:
        if isinstance(sequences, list | tuple):  # Keras 2 had the states there
            sequences, *given = sequences
            initial_state = given or initial_state
        x = as_float(sequences)
        mask = self.mask_for(x, mask)
        zero = self.zero_output_for_mask and mask is not None
        sequence, states = self.cell.over_time(
            x,
            self.states_of(initial_state),
            mask,
            reverse=self.go_backwards,
            zero_output_for_mask=zero,
        )
        output = sequence if self.return_sequences else self.last_of(sequence, states, zero)
        return (output, *states) if self.return_state else output

    def states_of(self, given: Any) -> list[Any]:
        """The initial states; None for each where none are given."""
        if given is None:
            return [None] * self.cell.state_count
        return list(given) if isinstance(given, list | tuple) else [given]

    def mask_for(self, x: Value, mask: Any) -> Value | None:
        """The mask of the sequence, bool[N, T]."""
        mask = leaves(mask)[0]
        if mask is None:
            return None
        if mask.ndim == 3 and mask.shape[2] == 1:
            mask = ops.reshape(mask, mask.shape[:2])
        check_mask(mask, x)
        return as_bool(mask)

    def last_of(self, sequence: Value, states: list[Any], zero: bool) -> Value:
        """What the last step gave, which is not its state if masked steps give zeros."""
        if not zero:
            uppermost: Value = states[0] if isinstance(self.cell, Cell) else leaves(states[-1])[0]
            return uppermost
        batch, steps, *rest = sequence.shape
        return ops.reshape(ops.slice_axis(sequence, 1, steps - 1, steps), (batch, *rest))

    def compute_mask(self, sequences: Any, previous_mask: Any = None) -> Any:
        return leaves(previous_mask)[0] if self.return_sequences else None


class CellArgument(Layer, registered=False):
    """The first argument of RNN."""

    cell: AnyCell


class RNN(Recurrent, CellArgument):
    """Any of kerac's cells, or a stack of them, over time."""


class CellLayer(Recurrent, registered=False):
    """A recurrent layer that has its cell's arguments and makes the cell itself."""

    cell_class: ClassVar[type[Cell]]
    rarely_written: ClassVar[frozenset[str]] = frozenset({"use_cudnn"})

    def __post_init__(self) -> None:
        super().__post_init__()
        own = fields(self.cell_class).keys() - fields(Layer).keys()
        self.cell = self.cell_class(
            **{name: getattr(self, name) for name in own},
            name=snake_case(self.cell_class.__name__),
            trainable=self.trainable,
            dtype=self.dtype_policy,
        )


class SimpleRNN(CellLayer, SimpleRNNArguments):
    """Each output is fed back: activation(inputs @ kernel + bias + output @ recurrent_kernel)."""

    rarely_written: ClassVar[frozenset[str]] = frozenset({"seed"})
    cell_class = SimpleRNNCell


class LSTM(CellLayer, LSTMArguments):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997)."""

    cell_class = LSTMCell
    use_cudnn: Any = "auto"


class GRU(CellLayer, GRUArguments):
    """Gated recurrent unit (Cho et al., 2014)."""

    cell_class = GRUCell
    use_cudnn: Any = "auto"
