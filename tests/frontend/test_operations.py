"""Operations of `keras.ops` in files of functional models, against real Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import kerac
from tests.compare import assert_close
from tests.everywhere import EVERYWHERE

MATRIX = np.random.default_rng(1).normal(size=(8, 3)).astype("float32")
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "matmul": lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))),
    "matmul_of_four_axes": lambda x: ops.matmul(x[:, None], ops.swapaxes(x, 1, 2)[:, None]),
    "matmul_by_an_array": lambda x: x @ MATRIX,
    "einsum": lambda x: ops.einsum("abc,abd->acd", x, x),
    "tensordot": lambda x: ops.tensordot(x, MATRIX, 1),
    "softmax": ops.softmax,
    "log_softmax": lambda x: ops.log_softmax(x, axis=1),
    "activations": lambda x: (
        ops.gelu(x) + ops.leaky_relu(x, 0.1) + ops.elu(x) + ops.celu(x) + ops.selu(x)
    ),
    "more_activations": lambda x: (
        ops.hard_silu(x) + ops.hard_tanh(x) + ops.log_sigmoid(x) + ops.softsign(x) + ops.relu6(x)
    ),
    "glu": ops.glu,
    "functions": lambda x: (
        ops.rsqrt(ops.abs(x) + 1) + ops.expm1(x) + ops.erf(x) + ops.sin(x) + ops.floor(x)
    ),
    "more_functions": lambda x: ops.log1p(ops.abs(x)) + ops.cos(x) + ops.reciprocal(x + 9.0),
    "stack": lambda x: ops.stack([x, -x], axis=1),
    "split": lambda x: ops.split(x, 2, axis=-1)[1],
    "split_at_places": lambda x: ops.split(x, [1, 3], axis=1)[1],
    "unstack": lambda x: ops.unstack(x, axis=1)[2],
    "clip": lambda x: ops.clip(x, -0.5, 0.5),
    "where": lambda x: ops.where(x > 0, x, 0.5),
    "swapaxes": lambda x: ops.swapaxes(x, 1, 2),
    "moveaxis": lambda x: ops.moveaxis(x, 2, 1),
    "repeat": lambda x: ops.repeat(x, 2, axis=1),
    "tile": lambda x: ops.tile(x, [1, 2, 1]),
    "flip": lambda x: ops.flip(x, 1),
    "pad": lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 0]]),
    "take": lambda x: ops.take(x, [0, -1], axis=1),
    "logsumexp": lambda x: ops.logsumexp(x, -1),
    "var": lambda x: ops.var(x, axis=1, keepdims=True),
    "std": lambda x: ops.std(x, axis=-1),
    "prod": lambda x: ops.prod(x, axis=1),
    "amax": lambda x: ops.amax(x, axis=1) - ops.amin(x, axis=1),
    "all": lambda x: ops.all(x > -1, axis=1),
    "normalize": ops.normalize,
    "rms_normalization": lambda x: ops.rms_normalization(x, MATRIX[:, 0]),
    "stop_gradient": ops.stop_gradient,
    "one_hot": lambda x: ops.one_hot(ops.cast(x, "int32"), 3),
    "dot_product_attention": lambda x: ops.dot_product_attention(
        *[ops.reshape(x, (-1, 5, 2, 4))] * 3, is_causal=True
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name: str, tmp_path: Path) -> None:
    x = keras.Input((5, 8))
    theirs = keras.Model(x, OPERATIONS[name](x))
    theirs.save(tmp_path / "model.keras")
    ours = kerac.models.load_model(tmp_path / "model.keras")
    array = np.random.default_rng(0).standard_normal((2, 5, 8)).astype("float32")
    wanted = np.asarray(theirs(array))
    graph = ours.trace()
    for backend in EVERYWHERE.values():
        assert_close(backend(graph, [array])[0], wanted)
    ours.save(tmp_path / "back.keras")
    back = keras.models.load_model(tmp_path / "back.keras")
    np.testing.assert_array_equal(back(array), wanted)
