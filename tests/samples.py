"""A row for every op and every variant of it: the op, its operands, the numbers they may hold.

Tests compare each backend with the reference on all rows; `tests/ir/test_ops.py` fails for an op
without a row.
"""

from __future__ import annotations

import numpy as np

from kerac.ir import Data, parse, symbol
from kerac.ir.ops import (
    Add,
    ArgSort,
    AveragePool,
    BatchNorm,
    BroadcastTo,
    Call,
    Concatenate,
    Constant,
    Convolution,
    CumulativeSum,
    CustomGradient,
    Dense,
    Dropout,
    Gather,
    Gelu,
    HardSilu,
    Input,
    Iota,
    Item,
    LayerNorm,
    LeakyRelu,
    Length,
    LogSoftmax,
    Matmul,
    MaxPool,
    Multiply,
    Pad,
    Parameter,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProduct,
    ReduceSum,
    Relu,
    Relu6,
    Repeat,
    Reshape,
    Reverse,
    Scatter,
    ScatterAdd,
    Selu,
    Sigmoid,
    Slice,
    Softmax,
    Sparsemax,
    StopGradient,
    Tanh,
    Transpose,
)
from kerac.ir.types import TensorType
from tests.sample import Operand, Sample, numbered, tensor, weight
from tests.samples_attention import attention
from tests.samples_elementwise import binary, unary
from tests.samples_recurrent import recurrent
from tests.samples_training import (
    convolution_gradient,
    linear_recurrence,
    pooling_gradient,
    random,
    recurrent_gradient,
)

N, T = symbol("N"), symbol("T")
FOUR_AXES = "f32[N, 7, 6, 8]"


def leaves() -> list[Sample]:
    numbers = np.random.default_rng(3).normal(size=(5, 7)).astype(np.float32)
    doubled = parse("def doubled(x: f32[N, 4]):\n    y = add(x, x)\n    return y\n")
    two = parse("def two(x: f32[N, 4], y: f32[4]):\n    return multiply(x, y), subtract(x, y)\n")
    split = Sample(Call(two), (tensor("f32[N, 4]"), tensor("f32[4]")))
    return [
        Sample(Input(TensorType("f32", (N, 4)))),
        Sample(Constant(Data(numbers))),
        Sample(Constant(Data(np.float32(2.5)))),
        Sample(Parameter("layer/kernel", Data(numbers))),
        Sample(Call(doubled), (tensor("f32[N, 4]"),)),
        split,
        Sample(Item(0), (split,)),
        Sample(Item(1), (split,)),
        Sample(Dropout(0.5), (tensor("f32[N, 9]"),)),
        Sample(Dropout(0.2, shared_axes=(1,), seed=3), (tensor("f32[N, 5, 2]"),)),
        Sample(StopGradient(), (tensor("f32[N, 9]"),)),
        Sample(CustomGradient(0), (tensor("f32[N, 9]"), tensor("f32[N, 3]"))),
        Sample(Multiply(), (tensor("f32[N, T]"), Sample(Length(N * T + 1)))),
        Sample(Add(), (tensor("i32[N]", -9, 9), Sample(Length(N, "i32")))),
        Sample(Length(5)),
    ]


def contraction() -> list[Sample]:
    rows = [
        Sample(Dense(), (tensor(x), weight(f"f32[{k}, {f}]")))
        for x, k, f in (
            ("f32[N, 1]", 1, 1),
            ("f32[N, 64]", 64, 10),
            ("f32[N, T, 9]", 9, 33),
            ("f32[7]", 7, 5),
        )
    ]
    x, kernel, bias, residual = (
        tensor("f32[N, 19]"),
        weight("f32[19, 37]"),
        weight("f32[37]"),
        tensor("f32[N, 37]"),
    )
    rows += [
        Sample(Dense(), (x, kernel, bias)),
        Sample(Dense(), (x, kernel, None, residual)),
        Sample(Dense(Relu()), (x, kernel, bias, residual)),
        *(
            Sample(Dense(op), (x, kernel, bias))
            for op in (Tanh(), Sigmoid(), Gelu(), LeakyRelu(0.1), Selu())
        ),
        Sample(Dense(), (tensor("f32[N, 19]"), tensor("f32[19, 8]"))),
        Sample(Matmul(), (tensor("f32[5, 8]"), tensor("f32[8, 3]"))),
        Sample(Matmul(), (tensor("f32[N, 6, 17]"), tensor("f32[N, 17, 35]"))),
        Sample(Matmul(), (tensor("f32[N, 2, T, 5]"), tensor("f32[N, 2, 5, T]"))),
        *(
            Sample(Matmul(*flags), (tensor(a), tensor(b)))
            for flags, a, b in (
                ((True, False), "f32[N, 19]", "f32[N, 37]"),
                ((True, False), "f32[N, 17, 6]", "f32[N, 17, 35]"),
                ((False, True), "f32[N, 17]", "f32[33, 17]"),
                ((False, True), "f32[N, 2, T, 5]", "f32[N, 2, T, 5]"),
                ((True, True), "f32[N, 2, 5, T]", "f32[N, 2, T, 5]"),
                ((True, True), "f32[9, 18]", "f32[7, 9]"),
            )
        ),
    ]
    return rows


def convolved(op: Convolution, x: str, kernel: str, *epilogue: Operand | None) -> Sample:
    return Sample(op, (tensor(x), weight(kernel), *epilogue))


IMAGE = "f32[N, 9, 8, 6]"


def convolution() -> list[Sample]:
    bias, same = weight("f32[5]"), tensor("f32[N, 9, 8, 5]")
    smaller = tensor("f32[N, 7, 6, 5]")
    rows: tuple[tuple[Convolution, str, *tuple[Operand | None, ...]], ...] = (
        (Convolution(), "f32[3, 3, 6, 5]"),
        (Convolution(), "f32[1, 1, 6, 40]"),
        (Convolution(strides=(2, 2)), "f32[1, 1, 6, 5]"),
        (Convolution(padding="same"), "f32[3, 3, 6, 5]", bias),
        (Convolution(strides=(2, 2), padding="same"), "f32[3, 3, 6, 5]", bias),
        (Convolution(strides=(2, 1), padding="same"), "f32[2, 5, 6, 5]"),
        (Convolution(strides=(3, 2), padding=((1, 2), (0, 3))), "f32[4, 3, 6, 5]"),
        (Convolution(dilation=(2, 3)), "f32[3, 2, 6, 5]"),
        (Convolution(padding="same", dilation=(2, 2)), "f32[3, 3, 6, 5]"),
        (Convolution(groups=2), "f32[3, 3, 3, 4]"),
        (Convolution(groups=3, padding="same"), "f32[2, 3, 2, 6]", weight("f32[6]")),
        (Convolution(groups=6, padding="same"), "f32[3, 3, 1, 6]"),
        (Convolution(groups=6, strides=(2, 2)), "f32[3, 3, 1, 12]", weight("f32[12]")),
        (Convolution(Relu()), "f32[3, 3, 6, 5]", bias),
        (Convolution(Relu6(), padding="same"), "f32[3, 3, 6, 5]", bias, same),
        (Convolution(HardSilu()), "f32[3, 3, 6, 5]", None, smaller),
    )
    return [convolved(op, IMAGE, kernel, *rest) for op, kernel, *rest in rows]


def convolution_of_other_shapes() -> list[Sample]:
    many = Convolution(groups=48, padding="same")
    wide = Convolution(strides=(2,), padding="same")
    deep = Convolution(strides=(1, 2, 1), padding="same")
    return [
        convolved(many, "f32[N, 6, 5, 48]", "f32[3, 3, 1, 48]", weight("f32[48]")),
        convolved(Convolution(padding="same"), "f32[N, 6, 5, 35]", "f32[3, 3, 35, 67]"),
        convolved(Convolution(), "f32[2, 3, 3, 4]", "f32[3, 3, 4, 2]"),
        convolved(Convolution(), "f32[N, H, W, 3]", "f32[2, 3, 3, 4]"),
        convolved(Convolution(strides=(2, 2)), "f32[N, H, W, 3]", "f32[3, 3, 3, 4]"),
        convolved(Convolution(), "f32[N, 12, 4]", "f32[3, 4, 7]"),
        convolved(wide, "f32[N, 12, 4]", "f32[5, 4, 7]", weight("f32[7]")),
        convolved(Convolution(dilation=(2,), padding=((4, 0),)), "f32[N, T, 4]", "f32[3, 4, 7]"),
        convolved(deep, "f32[N, 4, 5, 6, 3]", "f32[2, 3, 3, 3, 4]"),
        convolved(Convolution(groups=3), "f32[N, 4, 5, 6, 3]", "f32[2, 1, 3, 1, 3]"),
    ]


def pooling() -> list[Sample]:
    return [
        Sample(kind(window, strides, padding), (tensor(x),))
        for kind in (MaxPool, AveragePool)
        for x, window, strides, padding in (
            ("f32[N, 9, 8, 5]", (2, 2), (2, 2), "valid"),
            ("f32[N, 9, 8, 5]", (3, 2), (2, 1), "same"),
            ("f32[N, 9, 8, 37]", (3, 3), (2, 2), "same"),
            ("f32[N, 9, 8, 5]", (3, 3), (1, 1), "same"),
            ("f32[N, 9, 8, 5]", (3, 3), (2, 2), ((1, 1), (0, 1))),
            ("f32[N, 7, 7, 16]", (7, 7), (1, 1), "valid"),
            ("f32[N, 11, 4]", (3,), (2,), "valid"),
            ("f32[N, 11, 4]", (4,), (3,), "same"),
            ("f32[N, T, 4]", (2,), (2,), "valid"),
            ("f32[N, 5, 6, 4, 3]", (2, 3, 2), (2, 2, 1), "same"),
        )
    ]


def normalization() -> list[Sample]:
    mean, variance, gamma, beta = (
        weight("f32[8]"),
        weight("f32[8]", 0.1, 2),
        weight("f32[8]"),
        weight("f32[8]"),
    )
    six, six_positive = weight("f32[7]"), weight("f32[7]", 0.1, 2)
    image = tensor(FOUR_AXES)
    return [
        Sample(BatchNorm(3), (image, mean, variance, gamma, beta)),
        Sample(BatchNorm(3, epsilon=0.1), (image, mean, variance, None, beta)),
        Sample(BatchNorm(3), (image, mean, variance, gamma)),
        Sample(BatchNorm(1), (image, six, six_positive)),
        Sample(BatchNorm(1), (tensor("f32[N, 8]"), mean, variance, gamma, beta)),
        Sample(LayerNorm((3,)), (image, gamma, beta)),
        Sample(LayerNorm((2,), epsilon=1e-6), (tensor("f32[N, T, 37]"),)),
        Sample(
            LayerNorm((1, 2), epsilon=0.1),
            (tensor("f32[N, 3, 4]"), weight("f32[3, 4]"), weight("f32[3, 4]")),
        ),
        Sample(LayerNorm((1,)), (image, None, weight("f32[7]"))),
    ]


def reduction() -> list[Sample]:
    rows = [
        Sample(kind(axes, keepdims), (tensor(x, 0.5, 1.5) if kind is ReduceProduct else tensor(x),))
        for kind in (ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProduct)
        for x, axes, keepdims in (
            (FOUR_AXES, (1, 2), False),
            (FOUR_AXES, (3,), True),
            ("f32[N, T, 37]", (1,), False),
            ("f32[5, 9]", (0, 1), False),
            ("f32[N, 9]", (0,), True),
        )
    ]
    rows += [
        Sample(kind((1,)), (tensor("i32[N, 9]", -9, 9),))
        for kind in (ReduceSum, ReduceMax, ReduceMin)
    ]
    for kind in (Softmax, LogSoftmax, Sparsemax):
        rows.append(Sample(kind(1), (tensor("f32[N, 10]", -9, 9),)))
        rows.append(Sample(kind(2), (tensor("f32[N, T, 37]", -90, 90),)))
        rows.append(Sample(kind(1), (tensor("f32[N, 6, 5]"),)))
        rows.append(Sample(kind(0), (tensor("f32[7]"),)))
    return rows


def movement() -> list[Sample]:
    return [
        Sample(Reshape((N, 8)), (tensor("f32[N, 2, 4]"),)),
        Sample(Reshape((N * T, 4)), (tensor("f32[N, T, 4]"),)),
        Sample(Reshape((1,)), (tensor("f32"),)),
        Sample(Transpose((0, 2, 1)), (tensor("f32[N, 5, 37]"),)),
        Sample(Transpose((0, 3, 1, 2)), (tensor(FOUR_AXES),)),
        Sample(Transpose((2, 0, 1)), (tensor("i32[N, 5, 3]", -9, 9),)),
        Sample(BroadcastTo((N, 4, 5)), (tensor("f32[N, 1, 5]"),)),
        Sample(BroadcastTo((2, 4, 5)), (tensor("f32[4, 1]"),)),
        Sample(BroadcastTo((3,)), (tensor("f32"),)),
        Sample(Slice((0, 1, 2), (N, 4, 8)), (tensor("f32[N, 5, 9]"),)),
        Sample(Slice((0, 1, 0), (N, 5, 9), (1, 2, 4)), (tensor("f32[N, 5, 9]"),)),
        Sample(Slice((0, T - 1), (N, T)), (tensor("f32[N, T]"),)),
        Sample(Pad(((0, 0), (1, 2), (3, 0))), (tensor("f32[N, 4, 5]"),)),
        Sample(Pad(((1, 0), (0, 2)), value=-1.5), (tensor("f32[N, 5]"),)),
        Sample(Pad(((0, 0), (2, 1)), value=7.0), (tensor("i32[N, 5]", -9, 9),)),
        Sample(
            Concatenate(1), (tensor("f32[N, 3, 4]"), tensor("f32[N, 5, 4]"), tensor("f32[N, 1, 4]"))
        ),
        Sample(Concatenate(2), (tensor("f32[N, 3, 4]"), tensor("f32[N, 3, 33]"))),
        Sample(Concatenate(0), (tensor("f32[N, 3]"), tensor("f32[2, 3]"))),
        Sample(Concatenate(0), (tensor("f32[N, 3]"),)),
        Sample(Reverse((1,)), (tensor("f32[N, 5, 4]"),)),
        Sample(Reverse((0, 2)), (tensor("f32[N, 5, 4]"),)),
        Sample(Repeat(1, 2), (tensor("f32[N, 5, 4]"),)),
        Sample(Repeat(2, 3), (tensor("f32[N, 5, 4]"),)),
        *(Sample(Iota((2, 5, 3), axis)) for axis in range(3)),
        Sample(Iota((1, 5), 1, "f32")),
        Sample(Gather(), (weight("f32[11, 6]"), tensor("i32[N, T]", -2, 13))),
        Sample(Gather(), (weight("f32[11]"), tensor("i64[N]", 0, 10))),
        Sample(Gather(), (tensor("f32[N, 4]"), tensor("i32[7]", 0, 2))),
        Sample(Gather(), (weight("f32[5, 2, 3]"), tensor("u8", 0, 9))),
        Sample(ScatterAdd(7), (tensor("i32[T]", -2, 9), tensor("f32[T, 37]"))),
        Sample(ScatterAdd(T), (tensor("u8[T]", 0, 5), tensor("f32[T, 3]"))),
    ]


def ordering() -> list[Sample]:
    rows = [
        Sample(ArgSort(), (operand,))
        for operand in (
            tensor("f32[N, 37]", -9, 9, (0.0, -0.0)),
            tensor("i32[N, 3, 20]", -3, 3),
            tensor("u8[N, 9]", 0, 5),
            tensor("f32[T]"),
            tensor("f32[N, 1]"),
        )
    ]
    for axis, reverse in ((0, False), (1, True), (2, False), (2, True)):
        rows.append(Sample(CumulativeSum(axis, reverse), (tensor("f32[N, T, 37]"),)))
    rows.append(Sample(CumulativeSum(1), (tensor("i32[N, 9]", -9, 9),)))
    for reduction in ("set", "add", "multiply", "maximum", "minimum"):
        operands = (tensor("f32[7, 37]"), tensor("i32[T]", -2, 9), tensor("f32[T, 37]"))
        rows.append(Sample(Scatter(reduction), operands))
    wide = (tensor("i32[N, 3]", -9, 9), tensor("i32[T]", 0, 5), tensor("i32[T, 3]", -9, 9))
    return [*rows, Sample(Scatter("add"), wide), Sample(Scatter(), wide)]


SAMPLES = numbered(
    [
        *leaves(),
        *random(),
        *unary(),
        *binary(),
        *contraction(),
        *attention(),
        *convolution(),
        *convolution_of_other_shapes(),
        *convolution_gradient(),
        *pooling(),
        *pooling_gradient(),
        *normalization(),
        *reduction(),
        *movement(),
        *ordering(),
        *recurrent(),
        *linear_recurrence(),
        *recurrent_gradient(),
    ]
)
