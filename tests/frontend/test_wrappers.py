"""Layers around layers against real Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac import layers as ours
from kerac.ir.errors import CompileError
from kerac.structure import leaves
from tests.frontend.checking import check_layer, check_model

# Inner layers of TimeDistributed, with an input that each takes.
INNER: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "dense": (lambda layers: layers.Dense(4, activation="tanh"), (2, 3, 5)),
    "convolution": (lambda layers: layers.Conv2D(3, 2, strides=2), (2, 3, 5, 6, 2)),
    "channels first": (
        lambda layers: layers.Conv1D(3, 2, data_format="channels_first"),
        (2, 3, 5, 6),
    ),
    "pooling": (lambda layers: layers.GlobalAveragePooling1D(), (2, 3, 5, 4)),
    "normalization": (lambda layers: layers.BatchNormalization(), (2, 3, 5)),
    "flatten": (lambda layers: layers.Flatten(), (2, 3, 5, 4)),
    "reshape": (lambda layers: layers.Reshape((2, -1)), (2, 3, 6)),
    "lstm": (lambda layers: layers.LSTM(3, return_sequences=True), (2, 3, 5, 4)),
    "twice": (lambda layers: layers.TimeDistributed(layers.Dense(4)), (2, 3, 5, 4)),
    "both ways": (lambda layers: layers.Bidirectional(layers.GRU(3)), (2, 3, 5, 4)),
}


@pytest.mark.parametrize("name", INNER)
def test_time_distributed(name: str) -> None:
    make, shape = INNER[name]
    free = (1,) if len(name) % 2 else ()
    check_layer(lambda layers: layers.TimeDistributed(make(layers)), shape, free=free)


@pytest.mark.parametrize("sequential", [True, False])
def test_time_distributed_model(sequential: bool) -> None:
    def make(library: Any) -> Any:
        layers = library.layers
        if sequential:
            inner = library.Sequential(
                [library.Input((5, 4)), layers.Conv1D(3, 2), layers.Flatten()]
            )
        else:
            x = library.Input((5, 4))
            inner = library.Model(
                x,
                layers.Add()([layers.LSTM(3)(x), layers.GlobalMaxPooling1D()(layers.Dense(3)(x))]),
            )
        frames = library.Input((None, 5, 4), name="frames")
        return library.Model(frames, layers.LSTM(2)(layers.TimeDistributed(inner)(frames)))

    check_model(make, [np.random.default_rng(0).standard_normal((2, 3, 5, 4)).astype(np.float32)])


def test_time_distributed_keeps_the_mask() -> None:
    def make(library: Any) -> Any:
        words = library.Input((None,), dtype="int32", name="words")
        x = library.layers.Embedding(7, 4, mask_zero=True)(words)
        x = library.layers.TimeDistributed(library.layers.Dense(3, activation="relu"))(x)
        return library.Model(words, library.layers.LSTM(2)(x))

    check_model(make, [np.array([[1, 2, 3, 0, 0], [4, 0, 5, 6, 0], [0, 0, 0, 0, 0]], np.int32)])


def test_time_distributed_gives_each_step_its_mask() -> None:
    def make(library: Any) -> Any:
        x = library.Input((None, 5, 4), name="x")
        mask = library.Input((None, 5), dtype="bool", name="mask")
        inner = library.layers.LSTM(3, return_sequences=True)
        return library.Model([x, mask], library.layers.TimeDistributed(inner)(x, mask=mask))

    generator = np.random.default_rng(0)
    x = generator.standard_normal((2, 3, 5, 4)).astype(np.float32)
    check_model(make, [x, generator.random((2, 3, 5)) < 0.6])


MODES = ("concat", "sum", "mul", "ave", None)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("return_sequences", "return_state"), [(True, False), (False, True)])
def test_bidirectional(mode: str | None, return_sequences: bool, return_state: bool) -> None:
    def make(layers: Any) -> Any:
        kind = ("LSTM", "GRU", "SimpleRNN")[MODES.index(mode) % 3]
        inner = getattr(layers, kind)(
            3, return_sequences=return_sequences, return_state=return_state
        )
        return layers.Bidirectional(inner, merge_mode=mode)

    check_layer(make, (2, 5, 4), free=(1,) if return_state else ())


@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_bidirectional_with_a_mask_and_states(kind: str, return_sequences: bool) -> None:
    count = 4 if kind == "LSTM" else 2

    def make(library: Any) -> Any:
        x = library.Input((None, 4), name="x")
        mask = library.Input((None,), dtype="bool", name="mask")
        states = [library.Input((3,), name=f"state{i}") for i in range(count)]
        inner = getattr(library.layers, kind)(
            3, return_sequences=return_sequences, return_state=True
        )
        outputs = library.layers.Bidirectional(inner)(x, initial_state=states, mask=mask)
        return library.Model([x, mask, *states], leaves(outputs))

    generator = np.random.default_rng(0)
    arrays = [generator.standard_normal((2, 3)).astype(np.float32) for _ in range(count)]
    x = generator.standard_normal((2, 5, 4)).astype(np.float32)
    mask = np.array([[True, False, True, True, True], [True, True, False, False, True]])
    check_model(make, [x, mask, *arrays])


@pytest.mark.parametrize("mode", ["concat", None])
def test_bidirectional_passes_masks_on(mode: str | None) -> None:
    def make(library: Any) -> Any:
        words = library.Input((None,), dtype="int32", name="words")
        x = library.layers.Embedding(7, 4, mask_zero=True)(words)
        x = library.layers.Bidirectional(
            library.layers.GRU(3, return_sequences=True), merge_mode=mode
        )(x)
        if mode is None:
            x = library.layers.Concatenate()(x)
        return library.Model(words, library.layers.LSTM(2)(x))

    check_model(make, [np.array([[1, 2, 3, 0, 0], [4, 0, 5, 6, 0], [0, 0, 0, 0, 0]], np.int32)])


def test_bidirectional_with_a_backward_layer_of_its_own() -> None:
    def make(layers: Any) -> Any:
        return layers.Bidirectional(
            layers.LSTM(3, return_sequences=True),
            backward_layer=layers.GRU(
                3, return_sequences=True, go_backwards=True, activation="relu"
            ),
        )

    check_layer(make, (2, 5, 4))


def test_bidirectional_with_cells_given_by_hand() -> None:
    def make(layers: Any) -> Any:
        return layers.Bidirectional(
            layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)], return_sequences=True)
        )

    check_layer(make, (2, 5, 4), free=(1,))


def test_weights_read_from_a_config_have_the_paths_of_keras() -> None:
    def make(library: Any) -> Any:
        inner = library.layers.LSTM(3, return_sequences=True)
        stack = [
            library.layers.Bidirectional(inner, name="bi"),
            library.layers.TimeDistributed(library.layers.Dense(2)),
        ]
        return library.Sequential([library.Input((5, 4)), *stack])

    theirs = make(keras)
    read = kerac.Sequential.from_config(theirs.get_config())
    assert [w.path for w in read.weights] == [w.path for w in theirs.weights]


def test_configs_of_keras_2() -> None:
    inner = {
        "name": "lstm",
        "units": 3,
        "implementation": 2,
        "time_major": False,
        "dtype": "float32",
    }
    config = {"name": "both", "layer": {"class_name": "LSTM", "config": inner}, "merge_mode": "sum"}
    layer = ours.Bidirectional.from_config(config)
    assert [child.name for child in layer.children().values()] == ["forward_lstm", "backward_lstm"]


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda: ours.Bidirectional(ours.Dense(3)), "cannot go backwards"),
        (
            lambda: ours.Bidirectional(ours.LSTM(3), merge_mode="add"),
            "'concat', 'sum', 'mul', 'ave'",
        ),
        (
            lambda: ours.Bidirectional(ours.LSTM(3), backward_layer=ours.LSTM(3)),
            "go_backwards is False in both layers",
        ),
        (
            lambda: ours.Bidirectional(
                ours.LSTM(3), backward_layer=ours.LSTM(3, go_backwards=True, return_state=True)
            ),
            "return_state is False in the forward layer, but True in the backward one",
        ),
        (lambda: ours.TimeDistributed("dense"), "does not describe a layer"),
        (
            lambda: ours.TimeDistributed(ours.Dense(3))(np.zeros((2, 3), np.float32)),
            "needs one input of 3 axes or more",
        ),
    ],
)
def test_mistakes(make: Any, fact: str) -> None:
    with pytest.raises(CompileError) as caught:
        make()
    assert fact in str(caught.value)
