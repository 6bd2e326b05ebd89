"""Gradients of recurrent layers, back through time, where one kernel does it all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir.dims import DimLike
from kerac.ir.errors import ShapeError
from kerac.ir.graph import Value
from kerac.ir.mathematics import NUMPY
from kerac.ir.op import Array, Op
from kerac.ir.ops.linear_recurrence import product_back
from kerac.ir.ops.recurrent import TANH
from kerac.ir.types import TensorType, check_types


@dataclass(frozen=True)
class LSTMGradient(Op):
    """Cotangents of an LSTM's sums and initial states; its gates are sigmoid, its cell is tanh.

    gates: t[N, T, 4U], cells: t[N, T, U] as `LSTM` with `keep_gates` gives them, turned: t[4U, U],
    the recurrent kernel transposed, initial_cell: t[N, U], mask: bool[N, T], and cotangents:
    sequence: t[N, T, U] of the states after each step, state, cell: t[N, U] of those after the
    last, scale: t[N, 4U] as `LSTM` has it
    -> t[N, T, 4U], t[N, U], t[N, U], and the first one summed over its steps, t[N, 4U].
    All steps stand in the order they were taken.
    """

    def infer(
        self,
        gates: TensorType,
        cells: TensorType,
        turned: TensorType,
        initial_cell: TensorType | None = None,
        mask: TensorType | None = None,
        sequence: TensorType | None = None,
        state: TensorType | None = None,
        cell: TensorType | None = None,
        scale: TensorType | None = None,
    ) -> tuple[TensorType, ...]:
        units = cells.shape[-1] if cells.ndim == 3 else None
        if not isinstance(units, int) or not cells.is_float:
            raise ShapeError(f"needs floating-point cells[N, T, U] with known U, but got {cells}")
        batch, steps, _ = cells.shape
        row = cells.with_shape((batch, units))
        expected = {
            "gates": (gates, cells.with_shape((batch, steps, 4 * units))),
            "turned": (turned, cells.with_shape((4 * units, units))),
            "initial_cell": (initial_cell, row),
            "mask": (mask, TensorType("bool", (batch, steps))),
            "sequence": (sequence, cells),
            "state": (state, row),
            "cell": (cell, row),
            "scale": (scale, cells.with_shape((batch, 4 * units))),
        }
        check_types(expected)
        return (gates, row, row, cells.with_shape((batch, 4 * units)))

    def multiply_adds(self, result: Value) -> DimLike:
        cells, kernel = result.operands[1:3]
        batch, steps, _ = cells.tensor_type.shape
        return batch * steps * kernel.tensor_type.size

    def evaluate(
        self,
        gates: Array,
        cells: Array,
        turned: Array,
        initial_cell: Array | None = None,
        mask: Array | None = None,
        sequence: Array | None = None,
        state: Array | None = None,
        cell: Array | None = None,
        scale: Array | None = None,
    ) -> tuple[Array, ...]:
        zeros = np.zeros_like(cells[:, 0]) if cells.shape[1] else np.zeros_like(cells.sum(1))
        first = zeros if initial_cell is None else initial_cell
        to_state = zeros if state is None else state
        to_cell = zeros if cell is None else cell
        result = np.zeros_like(gates)
        for time in reversed(range(gates.shape[1])):
            if sequence is not None:
                to_state = to_state + sequence[:, time]
            take, forget, new, output = np.split(gates[:, time], 4, axis=-1)
            shown = TANH.formula(NUMPY, cells[:, time])
            before = cells[:, time - 1] if time else first
            inner = to_cell + to_state * output * (1 - shown * shown)
            parts = (
                inner * new * take * (1 - take),
                inner * before * forget * (1 - forget),
                inner * take * (1 - new * new),
                to_state * shown * output * (1 - output),
            )
            own = np.concatenate(parts, axis=-1)
            keep = np.ones((len(gates), 1), bool) if mask is None else mask[:, time, None]
            result[:, time] = np.where(keep, own, 0)
            to_state = np.where(keep, product_back(own, turned, scale), to_state)
            to_cell = np.where(keep, inner * forget, to_cell)
        return result, to_state, to_cell, result.sum(1)
