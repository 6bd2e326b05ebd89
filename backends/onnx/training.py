"""Ops that differ between training and inference."""

from __future__ import annotations

from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.registry import UNSUPPORTED, Result, exports, same_order
from kerac.ir import Op, Value
from kerac.ir.ops.convolution_gradient import ConvolutionKernelGradient
from kerac.ir.ops.linear_recurrence import LinearRecurrence
from kerac.ir.ops.movement import ScatterAdd
from kerac.ir.ops.pooling_gradient import MaxPoolGradient
from kerac.ir.ops.random import RandomNormal, RandomUniform
from kerac.ir.ops.recurrent_gradient import LSTMGradient
from kerac.ir.ops.training import CustomGradient, Dropout, StopGradient

TRAINING_ONLY: tuple[type[Op], ...] = (
    ConvolutionKernelGradient,
    LinearRecurrence,
    LSTMGradient,
    MaxPoolGradient,
    RandomNormal,
    RandomUniform,
    ScatterAdd,
)
UNSUPPORTED.update(dict.fromkeys(TRAINING_ONLY, "acts in training only"))


@exports(CustomGradient, Dropout, StopGradient, wants=same_order)
def export_identity(emit: Emitter, op: Op, x: Value, *others: Value) -> Result:
    """Nothing happens in inference."""
    return emit.forms[x]
