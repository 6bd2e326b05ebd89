"""Products summed over an axis, and what follows them."""

from __future__ import annotations

from kerac.backends.onnx.activation import activate
from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.mathematics import Tensor
from kerac.backends.onnx.order import Order, identity
from kerac.backends.onnx.registry import Result, exports
from kerac.ir import Value
from kerac.ir.ops.contraction import Dense, Epilogue, Matmul


def finish(
    emit: Emitter, op: Epilogue, sums: Tensor, residual: Value | None, order: Order
) -> Result:
    """Residual and activation on sums that hold the bias already."""
    if residual is not None:
        sums = sums + Tensor(emit, emit.tensor(residual, order), sums.dtype)
    return {order: activate(op.activation, sums).name}


@exports(Dense)
def export_dense(
    emit: Emitter,
    op: Dense,
    x: Value,
    kernel: Value,
    bias: Value | None = None,
    residual: Value | None = None,
) -> Result:
    """Gemm for a matrix of floats with a bias, else MatMul and Add."""
    left, right = (Tensor(emit, emit.tensor(value), value.dtype).widened() for value in (x, kernel))
    if bias is not None and x.ndim == 2 and x.tensor_type.is_float:
        sums = left.node("Gemm", left, right, Tensor(emit, emit.tensor(bias), x.dtype))
    else:
        sums = (left @ right).cast(x.dtype)
        if bias is not None:
            sums = (sums.widened() + Tensor(emit, emit.tensor(bias), x.dtype).widened()).cast(
                x.dtype
            )
    return finish(emit, op, sums, residual, identity(x.ndim))


@exports(Matmul)
def export_matmul(emit: Emitter, op: Matmul, a: Value, b: Value) -> Result:
    """Both have the same leading axes."""

    def read(value: Value, transposed: bool) -> Tensor:
        *axes, row, column = identity(value.ndim)
        order = (*axes, column, row) if transposed else (*axes, row, column)
        return Tensor(emit, emit.tensor(value, order), value.dtype).widened()

    return (read(a, op.transpose_a) @ read(b, op.transpose_b)).cast(a.dtype).name
