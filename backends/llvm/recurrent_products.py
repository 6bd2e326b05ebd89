"""What recurrent ops multiply with: weights packed for all phases, products made beforehand."""

from __future__ import annotations

import numpy as np

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Pointer
from kerac.backends.llvm.lowering import GroupKernel, Lowering
from kerac.backends.llvm.packing import constant_array
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.recurrent_cells import Phase, phases
from kerac.backends.llvm.recurrent_states import scale_of
from kerac.backends.llvm.recurrent_tables import RowNumbers, product_table, table_of
from kerac.backends.llvm.recurrent_tiles import Product
from kerac.backends.llvm.recurrent_weights import (
    GateLayout,
    PackedMatrix,
    UnitLayout,
    packed_buffer,
    working_memory,
)
from kerac.ir.dims import DimLike
from kerac.ir.errors import InternalError
from kerac.ir.graph import Value
from kerac.ir.ops.recurrent import Recurrent
from kerac.ir.types import TensorType, numpy_dtype


class Weights:
    """The weights of one recurrent op, packed for each of its phases."""

    def __init__(self, lowering: Lowering, group: Group, units: UnitLayout, dtype: str) -> None:
        self.lowering, self.group, self.units, self.dtype = lowering, group, units, dtype
        x, self.kernel, self.recurrent_kernel = group.head.operands[:3]
        self.bias = [*group.head.inputs, None][3]
        self.steps, self.features = x.shape[1:]
        self.table = self._table(x)
        is_scaled = scale_of(group.head) is not None
        stages = phases(group.head_op(Recurrent), is_scaled)
        self.packed = [self._pack(phase) for phase in stages]

    @property
    def layouts(self) -> list[GateLayout]:
        """How the weights of each phase lie."""
        return [layout for _, layout, _ in self.packed]

    @property
    def columns(self) -> int:
        """Of all phases."""
        return sum(layout.size for layout in self.layouts)

    @property
    def bytes(self) -> int:
        """Of all weights that a step reads."""
        size = (self.features + self.units.units) * self.columns
        return int(size * numpy_dtype(self.dtype).itemsize)

    @property
    def depth(self) -> int:
        """Multiply-adds of a step for a column."""
        return self.units.units + (0 if self.table else self.features)

    def _table(self, x: Value) -> tuple[np.ndarray, Value] | None:
        """The table whose rows x consists of, where the products of its rows are made now."""
        if constant_array(self.kernel) is None:
            return None
        if self.bias is not None and constant_array(self.bias) is None:
            return None
        return table_of(x, self.kernel.shape[-1] * numpy_dtype(self.dtype).itemsize)

    def _pack(self, phase: Phase) -> tuple[Phase, GateLayout, dict[str, Buffer]]:
        layout = GateLayout(self.units, len(phase.gates))
        operands: dict[str, tuple[Value, int | None]] = {"recurrent": (self.recurrent_kernel, None)}
        if not self.table:
            operands["kernel"] = (self.kernel, None)
            if self.bias is not None:
                operands["bias"] = (self.bias, 0)
        if self.bias is not None and phase.apart:
            operands["recurrent_bias"] = (self.bias, 1)
        buffers = {
            name: packed_buffer(
                self.lowering, self.group, value, layout, self.dtype, phase.gates, row
            )
            for name, (value, row) in operands.items()
        }
        return phase, layout, buffers

    def products(self, k: GroupKernel, rows: DimLike, ahead: int) -> list[Product]:
        """The products, with memory for those of some rows with the input some steps ahead."""
        if isinstance(self.steps, int):
            ahead = max(1, min(ahead, self.steps))
        return [self._product(k, *packed, rows, ahead) for packed in self.packed]

    def _product(
        self,
        k: GroupKernel,
        phase: Phase,
        layout: GateLayout,
        buffers: dict[str, Buffer],
        rows: DimLike,
        ahead: int,
    ) -> Product:
        depths = {"kernel": self.features, "recurrent": self.units.units}
        matrices = {
            name: PackedMatrix(k.read(buffer), depths.get(name, 1), layout)
            for name, buffer in buffers.items()
        }
        projected, numbers = self._projected(
            k, phase, layout, TensorType(self.dtype, (rows, ahead, layout.size))
        )
        return Product(
            phase,
            layout,
            matrices.get("kernel"),
            matrices["recurrent"],
            matrices.get("bias"),
            matrices.get("recurrent_bias"),
            projected,
            ahead,
            self.steps,
            numbers,
        )

    def _projected(
        self, k: GroupKernel, phase: Phase, layout: GateLayout, type_: TensorType
    ) -> tuple[Pointer, RowNumbers | None]:
        """Memory for products with the input, or a table of all there can be."""
        if not self.table:
            return working_memory(k, type_, "projected"), None
        table, numbers = self.table
        kernel = constant_array(self.kernel)
        bias = None if self.bias is None else constant_array(self.bias)
        if kernel is None:
            raise InternalError(f"{self.group.name}: a table of products needs a known kernel")
        products = product_table(
            self.lowering, table, kernel, bias, layout, phase.gates, self.dtype
        )
        buffer = self.lowering.constant(products, "table")
        return k.read(buffer), RowNumbers(k.read(numbers), len(table))
