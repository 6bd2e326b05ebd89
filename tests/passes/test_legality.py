"""Where rules must keep away: the graph comes back as it is."""

import numpy as np
import pytest

from kerac.ir import evaluate_graph, parse
from kerac.passes import Pass, run_pipeline
from kerac.passes.fold_batch_norm import FoldBatchNorm
from kerac.passes.fold_constants import FoldConstants
from kerac.passes.fold_padding import FoldPadding
from kerac.passes.fold_scale import FoldScale
from kerac.passes.fuse_activation import FuseActivation
from kerac.passes.fuse_bias import FuseBias
from kerac.passes.fuse_residual import FuseResidual
from kerac.passes.merge_duplicates import MergeDuplicates
from kerac.passes.recognize_activations import RecognizeActivations
from kerac.passes.simplify_algebra import SimplifyAlgebra
from kerac.passes.simplify_movement import SimplifyMovement
from tests.compare import assert_close

WHOLE = FoldBatchNorm(decompose=False)
NORM = "batch_norm(y, four, four, axis=3)"
AROUND = "((0, 0), (1, 1), (1, 1), (0, 0))"
IMAGE = "x: f32[N, 8, 8, 3], k: f32[3, 3, 3, 4]"
WEIGHTS = {
    "kernel": np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32),
    "large": np.full(4, 1000, np.float32),
    "mixed": np.array([1, -1, 2, -2], np.float32),
    "four": np.array([1, 2, 3, 4], np.float32),
    "three": np.array([1, 2, 3], np.float32),
    "zeros": np.zeros((3, 1), np.float32),
    "matrix": np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32),
}
PARAMETERS = "".join(
    f"  {name}: f32{list(array.shape)} = parameter('{name}')\n" for name, array in WEIGHTS.items()
)

# the pass, the inputs, the lines
KEPT: list[tuple[Pass, str, str]] = [
    # the convolution is needed as it is
    (WHOLE, IMAGE, "y = convolution(x, kernel)\n  return batch_norm(y, four, four, axis=3), y"),
    # an activation, or a residual that would have to be normalized too
    (WHOLE, IMAGE, f"y = convolution(x, kernel, activation='relu')\n  return {NORM}"),
    (
        WHOLE,
        IMAGE + ", r: f32[N, 6, 6, 4]",
        f"y = convolution(x, kernel, residual=r)\n  return {NORM}",
    ),
    # the statistics vary along another axis, or are computed
    (WHOLE, "x: f32[N, 6, 6, 3]", "return batch_norm(convolution(x, kernel), four, four, axis=1)"),
    (FoldBatchNorm(), "x: f32[N, 4], m: f32[4]", "return batch_norm(x, m, four, axis=1)"),
    # padding is zero after the normalization, and would not be before
    (
        WHOLE,
        IMAGE,
        "return convolution(batch_norm(x, three, three, axis=3), kernel, padding='same')",
    ),
    # a negative scale makes a maximum a minimum
    (
        WHOLE,
        IMAGE,
        (
            "y = max_pool(convolution(x, kernel), window=(2, 2), strides=(2, 2))\n"
            "  return batch_norm(y, four, four, gamma=mixed, axis=3)"
        ),
    ),
    # digits would be lost
    (WHOLE, "x: f32[N, 4]", "return dense(batch_norm(x, large, four, axis=1), matrix)"),
    (FoldScale(), "x: f32[N, 4]", "return dense(add(x, large), matrix)"),
    (FoldScale(), IMAGE, "return convolution(add(x, 1.0), kernel, padding='same')"),
    (FoldScale(), IMAGE, "y = multiply(x, 2.0)\n  return convolution(y, kernel), y"),
    (FoldScale(), IMAGE, "y = convolution(x, kernel)\n  return multiply(y, 2.0), y"),
    (FoldScale(), IMAGE, "return multiply(convolution(x, k), 2.0)"),
    # padding with something else, or along another axis
    (FoldPadding(), IMAGE, f"return convolution(pad(x, padding={AROUND}, value=1.0), k)"),
    (
        FoldPadding(),
        IMAGE,
        "return convolution(pad(x, padding=((1, 1), (0, 0), (0, 0), (0, 0))), k)",
    ),
    # zeros may be larger than what is there
    (
        FoldPadding(),
        IMAGE,
        f"return max_pool(pad(x, padding={AROUND}), window=(2, 2), strides=(2, 2))",
    ),
    # a window would lie in the padding alone
    (
        FoldPadding(),
        IMAGE,
        (
            "y = pad(relu(x), padding=((0, 0), (2, 0), (0, 0), (0, 0)))\n"
            "  return max_pool(y, window=(2, 2), strides=(2, 2))"
        ),
    ),
    # a mean counts the zeros
    (
        FoldPadding(),
        IMAGE,
        f"return average_pool(pad(relu(x), padding={AROUND}), window=(2, 2), strides=(2, 2))",
    ),
    # where "same" pads depends on the length
    (
        FoldPadding(),
        "x: f32[N, H, 8, 3], k: f32[3, 3, 3, 4]",
        f"return convolution(pad(x, padding={AROUND}), k, strides=(2, 2), padding='same')",
    ),
    (FuseBias(), IMAGE, "return add(convolution(x, k, activation='relu'), four)"),
    (FuseBias(), IMAGE, "y = convolution(x, k)\n  return add(y, four), y"),
    (FuseBias(), IMAGE + ", b: f32[6, 1]", "return add(convolution(x, k), b)"),
    (FuseBias(), "x: f32[N, 4], k: f32[4, 1]", "return add(dense(x, k), four)"),
    (FuseResidual(), "x: f32[N, 4], k: f32[4, 4], r: f32[4]", "return add(dense(x, k), r)"),
    (FuseResidual(), "x: f32[N, 4], k: f32[4, 4]", "y = dense(x, k)\n  return add(y, y)"),
    (FuseResidual(), "x: f32[N, 4], k: f32[4, 4]", "y = dense(x, k)\n  return add(y, relu(y))"),
    (FuseActivation(), "x: f32[N, 4], k: f32[4, 4]", "y = dense(x, k)\n  return relu(y), y"),
    (FuseActivation(), "x: f32[N, 4], k: f32[4, 4]", "return tanh(dense(x, k, activation='relu'))"),
    (MergeDuplicates(), "x: f32[N, 4]", "return relu(x), softmax(x, axis=1), softmax(x, axis=0)"),
    (MergeDuplicates(), "x: f32[N, 4]", "return add(dropout(x, rate=0.5), dropout(x, rate=0.5))"),
    (RecognizeActivations(), "x: f32[N, 4], y: f32[N, 4]", "return multiply(x, sigmoid(y))"),
    (RecognizeActivations(), "x: f32[1, 4]", "return maximum(x, zeros)"),
    (RecognizeActivations(), "x: f32[N, 4]", "return maximum(x, multiply(x, 1.5))"),
    # inf * 0 is NaN
    (RecognizeActivations(), "x: f32[N, 4]", "return maximum(x, multiply(x, 0.0))"),
    (RecognizeActivations(), "x: i32[N, 4]", "return maximum(x, 0)"),
    # NaN and infinities
    (SimplifyAlgebra(), "x: f32[N, 4]", "return multiply(x, 0.0), subtract(x, x), divide(x, x)"),
    (SimplifyAlgebra(), "x: f32[1, 4]", "return add(x, zeros), multiply(x, add(x, zeros))"),
    (SimplifyAlgebra(), "x: f32[N, 4]", "return divide(x, 0.0), divide(x, 1e-45)"),
    (SimplifyAlgebra(), "x: f32[N, 4]", "return multiply(multiply(x, 1e30), 1e-38)"),
    (SimplifyAlgebra(), "x: f32[N, 4]", "return add(add(x, 3e38), 3e38)"),
    (
        SimplifyAlgebra(),
        "x: f32[N, 4]",
        "return relu(tanh(x)), absolute(tanh(x)), relu(add(x, 1.0))",
    ),
    # a constant of 20000 elements out of one of 4
    (FoldConstants(), "x: f32[5000, 4]", "return add(x, broadcast_to(four, shape=(5000, 4)))"),
    (
        SimplifyMovement(),
        "x: f32[N, 8, 6], y: f32[N, 6, 8]",
        "return add(transpose(x, permutation=(0, 2, 1)), y)",
    ),
    (SimplifyMovement(), "x: f32[N, 8, 6]", "return softmax(reshape(x, shape=(N, 48)), axis=1)"),
    (
        SimplifyMovement(),
        "x: f32[N, 8]",
        "return concatenate(pad(x, padding=((0, 0), (1, 0))), x, axis=1)",
    ),
]


@pytest.mark.parametrize(("step", "inputs", "lines"), KEPT, ids=range(len(KEPT)))
def test_a_pass_keeps_away(step: Pass, inputs: str, lines: str) -> None:
    graph = parse(f"def f({inputs}):\n{PARAMETERS}  {lines}\n", WEIGHTS)
    assert str(step(graph)) == str(graph)


@pytest.mark.parametrize(
    "lines",
    [
        "return add(multiply(x, 1.0), 0.0)",
        "return multiply(add(multiply(x, 0.5), 1.0), 2.0)",
        "return divide(subtract(x, 1.0), 3.0)",
        "return relu(x), relu6(x), minimum(maximum(x, -1.0), 1.0), maximum(x, multiply(x, 0.5))",
        "return multiply(x, sigmoid(x)), divide(x, add(absolute(x), 1.0)), subtract(x, tanh(x))",
        (
            "y = reshape(relu(x), shape=(1, 6, 1))\n"
            "  return max_pool(pad(y, padding=((0, 0), (1, 1), (0, 0))), window=(2,), strides=(1,))"
        ),
        "return absolute(negative(x)), square(absolute(x)), relu(absolute(x)), relu6(relu(x))",
    ],
)
def test_nan_and_infinities_stay(lines: str) -> None:
    graph = parse(f"def f(x: f32[6]):\n  {lines}\n")
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5], np.float32)
    expected = evaluate_graph(graph, [x])
    for one, other in zip(evaluate_graph(run_pipeline(graph).graph, [x]), expected, strict=True):
        assert_close(one, other)


def test_large_means_are_subtracted_first() -> None:
    # x * scale + shift in float32 would leave two digits of what x - mean says exactly
    weights = {"mean": np.full(4, 1e5, np.float32), "variance": np.full(4, 1e-2, np.float32)}
    graph = parse(
        "def f(x: f32[N, 4]):\n  mean: f32[4] = parameter('mean')\n"
        "  variance: f32[4] = parameter('variance')\n"
        "  return batch_norm(x, mean, variance, axis=1)",
        weights,
    )
    x = (1e5 + np.random.default_rng(0).normal(size=(3, 4))).astype(np.float32)
    (expected,) = evaluate_graph(graph, [x])
    assert_close(evaluate_graph(run_pipeline(graph).graph, [x])[0], expected)
