"""A recurrence that is linear in its states: what cotangents do on their way back through time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.ir.dims import DimLike
from kerac.ir.errors import ShapeError
from kerac.ir.graph import Value
from kerac.ir.op import Array, Op
from kerac.ir.types import TensorType, check_types


def product_back(x: Array, matrix: Array, scale: Array | None) -> Array:
    """x @ matrix, what comes of each gate multiplied with what `scale` has for it."""
    if scale is None:
        return np.asarray(x @ matrix)
    gates = len(matrix) // matrix.shape[1]
    parts, factors = (np.split(a, gates, axis=-1) for a in (x, scale))
    triples = zip(parts, factors, np.split(matrix, gates), strict=True)
    return np.asarray(sum(factor * (part @ rows) for part, factor, rows in triples))


@dataclass(frozen=True)
class LinearRecurrence(Op):
    """Two states of U units that go through T steps, from the last one on with `reverse`.

    In step t, where products with absent operands are 0 (and * is elementwise, @ a product):
        s[t] = state + entry[t]; c[t] = cell
        state = decay[t] * s[t] + from_cell[t] * c[t] + p @ matrix
        cell = to_cell[t] * s[t] + cell_decay[t] * c[t]
    with p = the gates of s[t] and of c[t], side by side: gates[t] * s[t] + cell_gates[t] * c[t].
    With `scale` the product of each gate's part is multiplied by that gate's factors.

    entry, decay, from_cell, to_cell, cell_decay: t[N, T, U], initial, initial_cell: t[N, U],
    matrix: t[G * U, U], gates, cell_gates: t[N, T, G * U], scale: t[N, G * U]
    -> s: t[N, T, U], the state after the last step: t[N, U], and where `to_cell` or
    `initial_cell` is given c: t[N, T, U] and the cell after the last step: t[N, U]
    """

    reverse: bool = False

    def infer(
        self,
        entry: TensorType,
        decay: TensorType | None = None,
        initial: TensorType | None = None,
        matrix: TensorType | None = None,
        gates: TensorType | None = None,
        cell_gates: TensorType | None = None,
        from_cell: TensorType | None = None,
        to_cell: TensorType | None = None,
        cell_decay: TensorType | None = None,
        initial_cell: TensorType | None = None,
        scale: TensorType | None = None,
    ) -> tuple[TensorType, ...]:
        units = entry.shape[-1] if entry.ndim == 3 else None
        if not isinstance(units, int) or not entry.is_float:
            raise ShapeError(f"needs floating-point entry[N, T, U] with known U, but got {entry}")
        batch, steps, _ = entry.shape
        state = entry.with_shape((batch, units))
        wide = units if matrix is None else matrix.shape[0]
        if not isinstance(wide, int) or wide % units or (matrix is None) != (gates is None):
            raise ShapeError(f"matrix {matrix} does not fit gates {gates} of {units} units each")
        expected = {
            "decay": (decay, entry),
            "initial": (initial, state),
            "matrix": (matrix, entry.with_shape((wide, units))),
            "gates": (gates, entry.with_shape((batch, steps, wide))),
            "cell_gates": (cell_gates, entry.with_shape((batch, steps, wide))),
            "from_cell": (from_cell, entry),
            "to_cell": (to_cell, entry),
            "cell_decay": (cell_decay, entry),
            "initial_cell": (initial_cell, state),
            "scale": (scale, entry.with_shape((batch, wide))),
        }
        check_types(expected)
        has_cell = to_cell is not None or initial_cell is not None
        return (entry, state, entry, state) if has_cell else (entry, state)

    def multiply_adds(self, result: Value) -> DimLike:
        entry, matrix = result.operands[0], [*result.inputs, *[None] * 3][3]
        batch, steps, _ = entry.shape
        return 0 if matrix is None else batch * steps * matrix.tensor_type.size

    def evaluate(
        self,
        entry: Array,
        decay: Array | None = None,
        initial: Array | None = None,
        matrix: Array | None = None,
        gates: Array | None = None,
        cell_gates: Array | None = None,
        from_cell: Array | None = None,
        to_cell: Array | None = None,
        cell_decay: Array | None = None,
        initial_cell: Array | None = None,
        scale: Array | None = None,
    ) -> tuple[Array, ...]:
        batch, steps, units = entry.shape
        zeros = np.zeros((batch, units), entry.dtype)
        state = zeros if initial is None else initial
        cell = zeros if initial_cell is None else initial_cell
        states, cells = np.zeros_like(entry), np.zeros_like(entry)

        def sum_of(time: int, *terms: tuple[Array | None, Array], gates: int = 1) -> Array:
            total = np.zeros((batch, gates * units), entry.dtype)
            for factor, x in terms:
                if factor is not None:
                    total += factor[:, time] * np.tile(x, gates)
            return total

        for place in range(steps):
            time = steps - 1 - place if self.reverse else place
            states[:, time], cells[:, time] = state + entry[:, time], cell
            s, c = states[:, time], cells[:, time]
            state = sum_of(time, (decay, s), (from_cell, c))
            if matrix is not None:
                number = len(matrix) // units
                products = sum_of(time, (gates, s), (cell_gates, c), gates=number)
                state += product_back(products, matrix, scale)
            cell = sum_of(time, (to_cell, s), (cell_decay, c))
        has_cell = to_cell is not None or initial_cell is not None
        return (states, state, cells, cell) if has_cell else (states, state)
