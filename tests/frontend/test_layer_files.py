"""Models of convolution and recurrent layers in files: Keras's here, and ours in Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import kerac
from kerac.ir import evaluate_graph
from tests.compare import assert_close
from tests.frontend.checking import random_value


def images() -> Any:
    inputs = keras.Input((12, 12, 4))
    x = layers.Conv2D(6, 3, groups=2, padding="same", activation="relu")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.SeparableConv2D(5, 3, depth_multiplier=2, activation="gelu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", strides=2)(x)
    x = layers.LayerNormalization(axis=[1, -1])(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.Cropping2D(1)(layers.ZeroPadding2D(((1, 0), (0, 1)))(x))
    x = layers.AveragePooling2D(2, padding="same")(x)
    outputs = [layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D(keepdims=True)(x)]
    return keras.Model(inputs, outputs)


def sequences() -> Any:
    inputs = keras.Input((None, 4))
    x = layers.Conv1D(4, 3, padding="causal", dilation_rate=2)(inputs)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True, dropout=0.2), name="both")(x)
    x = layers.TimeDistributed(layers.Dense(5))(x)
    x = layers.RNN(
        layers.StackedRNNCells([layers.GRUCell(3), layers.LSTMCell(2)]), return_sequences=True
    )(x)
    backward = layers.SimpleRNN(2, go_backwards=True, return_sequences=True)
    forward = layers.GRU(2, return_sequences=True)
    x = layers.Bidirectional(forward, backward_layer=backward, merge_mode="sum")(x)
    y, *states = layers.LSTM(3, return_state=True)(x)
    return keras.Model(inputs, layers.Add()([layers.LSTM(3)(x, initial_state=states), y]))


def frames() -> Any:
    both = layers.Bidirectional(layers.LSTM(2))
    inner = [keras.Input((6, 4)), layers.Conv1D(3, 2), both, layers.BatchNormalization()]
    inputs = keras.Input((None, 6, 4))
    x = layers.TimeDistributed(keras.Sequential(inner))(inputs)
    x = layers.Reshape((-1, 2, 2))(x)
    return keras.Model(inputs, layers.TimeDistributed(layers.TimeDistributed(layers.Dense(2)))(x))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize(
    ("make", "shape"), [(images, (2, 12, 12, 4)), (sequences, (2, 7, 4)), (frames, (2, 3, 6, 4))]
)
def test_files(
    make: Callable[[], Any], shape: tuple[int, ...], ending: str, tmp_path: Path
) -> None:
    theirs = make()
    generator = np.random.default_rng(0)
    for variable in theirs.weights:
        variable.assign(random_value(variable, generator))
    x = generator.standard_normal(shape).astype(np.float32)
    theirs.save(tmp_path / f"model.{ending}")

    ours = kerac.models.load_model(tmp_path / f"model.{ending}")
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    ours.save(tmp_path / "back.keras")
    back = keras.models.load_model(tmp_path / "back.keras")

    expected = keras.tree.flatten(theirs(x))
    results = evaluate_graph(ours.trace(), [x])
    for result, again, wanted in zip(results, keras.tree.flatten(back(x)), expected, strict=True):
        assert_close(result, wanted)
        np.testing.assert_array_equal(again, wanted)
