"""ConvLSTM layers against real Keras, in inference and in training."""

from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError, ShapeError
from kerac.structure import leaves
from tests.frontend.checking import check_layer, check_model, random_arrays
from tests.training.test_fit import assert_same, assert_same_history, pair

CASES: list[tuple[int, dict[str, Any]]] = [
    (1, {"padding": "same", "return_sequences": True, "dilation_rate": 2}),
    (1, {"go_backwards": True, "return_state": True, "strides": 2, "unit_forget_bias": False}),
    (2, {"return_sequences": True, "recurrent_activation": "hard_sigmoid", "use_bias": False}),
    (2, {"padding": "same", "strides": (1, 2), "activation": "relu", "return_state": True}),
    (3, {"padding": "same", "activation": None}),
]


def layer_of(layers: Any, rank: int, **arguments: Any) -> Any:
    return getattr(layers, f"ConvLSTM{rank}D")(3, 2, **arguments)


@pytest.mark.parametrize(("rank", "arguments"), CASES, ids=str)
def test_against_keras(rank: int, arguments: dict[str, Any]) -> None:
    shape = (2, 3, *(5, 4, 3)[:rank], 2)
    check_layer(lambda layers: layer_of(layers, rank, **arguments), shape)


@pytest.mark.parametrize("arguments", [{}, {"return_sequences": True, "return_state": True}])
def test_channels_first(arguments: dict[str, Any]) -> None:
    def layer(library: ModuleType) -> Any:
        return layer_of(library.layers, 2, data_format="channels_first", **arguments)

    image = random_arrays([(2, 3, 2, 5, 4)])[0]
    ours = kerac.Sequential([kerac.Input(image.shape[1:]), layer(kerac)])
    last = layer_of(keras.layers, 2, **arguments)
    expected = leaves(last(image.transpose(0, 1, 3, 4, 2)))
    ours.set_weights(last.get_weights())
    for got, wanted in zip(leaves(ours.predict(image)), expected, strict=True):
        axes = (0, 1, 4, 2, 3) if np.ndim(wanted) == 5 else (0, 3, 1, 2)
        np.testing.assert_allclose(got, np.asarray(wanted).transpose(axes), atol=1e-5)


def test_masks_and_initial_states() -> None:
    def make(library: ModuleType) -> Any:
        x, mask = library.Input((4, 5, 2), name="x"), library.Input((4,), dtype="bool", name="mask")
        states = [library.Input((5, 3), name=f"state{i}") for i in range(2)]
        # Keras's loop with jax takes no masks of steps that are images
        arguments = {"padding": "same", "return_sequences": True, "unroll": True}
        layer = layer_of(library.layers, 1, **arguments)
        return library.Model([x, mask, *states], layer(x, initial_state=states, mask=mask))

    x, *states = random_arrays([(3, 4, 5, 2), (3, 5, 3), (3, 5, 3)])
    mask = np.array([[True, False, True, False], [False, True, True, True], [False] * 4])
    ours = check_model(make, [x, mask, *states])
    shown = ours.predict([x, mask, *states])
    ours.layers[-1].zero_output_for_mask = True
    zeroed = kerac.models.clone_model(ours)
    zeroed.set_weights(ours.get_weights())
    wanted = shown * mask[:, :, None, None]
    np.testing.assert_allclose(zeroed.predict([x, mask, *states]), wanted, atol=1e-6)


@pytest.mark.slow
def test_training_follows_keras() -> None:
    def make(library: ModuleType) -> Any:
        layers = library.layers
        stack = [
            layer_of(layers, 2, padding="same", return_sequences=True),
            layer_of(layers, 2, go_backwards=True),
        ]
        return library.Sequential(
            [library.Input((3, 4, 4, 1)), *stack, layers.Flatten(), layers.Dense(1)]
        )

    generator = np.random.default_rng(5)
    x = generator.normal(size=(12, 3, 4, 4, 1)).astype("float32")
    y = x.mean((1, 2, 3))
    theirs, ours = pair(make)
    histories = []
    for library, model in ((keras, theirs), (kerac, ours)):
        model.compile(library.optimizers.SGD(0.1), "mse")
        histories.append(model.fit(x, y, batch_size=6, epochs=2, shuffle=False, verbose=0))
    assert_same(theirs, ours)
    assert_same_history(*histories)


def test_dropout() -> None:
    x = np.ones((64, 3, 6, 8), "float32")
    arguments = {"dropout": 0.4, "recurrent_dropout": 0.3, "padding": "same", "activation": None}
    layer = layer_of(kerac.layers, 1, recurrent_activation="relu", use_bias=False, **arguments)
    layer.build((None, 3, 6, 8))
    layer.set_weights([np.full(w.shape, 0.05, "float32") for w in layer.weights])
    still, moved = layer(x), layer(x, training=True)
    np.testing.assert_array_equal(still, layer(x))
    assert np.abs(moved - still).max() > 0
    model = kerac.Sequential([kerac.Input((3, 6, 8)), layer, kerac.layers.Flatten()])
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((64, 18)), verbose=0)


def test_mistakes() -> None:
    with pytest.raises(CompileError, match="only one of them may be above 1"):
        layer_of(kerac.layers, 1, strides=2, dilation_rate=2)
    with pytest.raises(CompileError, match="is stateful"):
        layer_of(kerac.layers, 1, stateful=True)
    with pytest.raises(ShapeError, match="takes steps one by one, but their number is not known"):
        layer_of(kerac.layers, 1)(kerac.Input((None, 4, 2)))
    with pytest.raises(ShapeError, match="lengths of an initial state"):
        layer_of(kerac.layers, 1)(
            kerac.Input((3, 4, 2)), initial_state=[kerac.Input((4, 3)), kerac.Input((4, 3))]
        )
