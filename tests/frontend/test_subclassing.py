"""Layers and models of a user's own: what they hold is found, trained, and kept in files."""

from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError
from tests.compare import assert_close


def scattered(library: ModuleType) -> Any:
    """A model whose layers are in private attributes, lists of lists and dictionaries."""
    layers = library.layers

    class Inner(library.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, **keywords: Any) -> None:
            super().__init__(**keywords)
            self._dense = layers.Dense(4)
            self.by_name = {"b": layers.Dense(3), "a": layers.Dense(5)}
            self.nested = [[layers.Dense(2)], (layers.Dense(3), None)]

        def build(self, input_shape: Any) -> None:
            self.scale = library.Variable(np.full(3, 2.0), name="scale")

        def call(self, x: Any) -> Any:
            x = self.by_name["a"](self.by_name["b"](self._dense(x)))
            return self.nested[1][0](self.nested[0][0](x)) * self.scale

    class Whole(library.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__(name="whole")
            self._inner = Inner()
            self.blocks: list[Any] = []
            for units in (3, 4):
                self.blocks.append(layers.Dense(units, activation="tanh"))
            self.head = library.Sequential([layers.Dense(2)])

        def call(self, x: Any) -> Any:
            x = self._inner(x)
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    return Whole()


X = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")


def test_layers_and_weights_are_found_wherever_attributes_hold_them() -> None:
    theirs, ours = scattered(keras), scattered(kerac)
    theirs(X)
    ours(X)
    shapes = [tuple(w.shape) for w in theirs.weights]
    assert [w.shape for w in ours.weights] == shapes
    assert len(ours.trainable_weights) == len(theirs.trainable_weights)
    ours.set_weights(theirs.get_weights())
    assert_close(ours(X), np.asarray(theirs(X)))
    ours._inner.trainable = False
    assert len(ours.trainable_weights) == 6


@pytest.mark.parametrize(("reader", "writer"), [(kerac, keras), (keras, kerac)])
def test_weights_of_subclasses_cross(
    reader: ModuleType, writer: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "model.weights.h5"
    one, other = scattered(writer), scattered(reader)
    want = np.asarray(one(X))
    other(X)
    one.save_weights(path)
    other.load_weights(path)
    assert_close(np.asarray(other(X)), want)


def test_weights_of_an_own_layer_train() -> None:
    model = scattered(kerac)
    model(X)
    before = model.get_weights()
    model.compile("sgd", "mse")
    model.train_on_batch(X, np.ones((5, 2)))
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_variables_begin_with_arrays_or_initializers() -> None:
    assert kerac.Variable(np.arange(3.0)).dtype == "float32"
    assert kerac.Variable([1, 2]).numpy().tolist() == [1, 2]
    assert kerac.Variable("ones", shape=(2,), name="w").numpy().tolist() == [1, 1]
    assert kerac.Variable(0.5, trainable=False).shape == ()

    def tens(shape: Any, dtype: Any = None) -> Any:
        return np.full(shape, 10, dtype)

    variable = kerac.Variable(tens, (2,), dtype="int32")
    assert (variable.dtype, variable.numpy().tolist()) == ("int32", [10, 10])
    dense = kerac.layers.Dense(2, kernel_initializer=tens)
    assert dense(X).shape == (5, 2)
    assert (dense.kernel.numpy() == 10).all()
    with pytest.raises(CompileError, match="but its shape is not given"):
        kerac.Variable("ones", name="w")


def test_functions_given_in_code_have_their_names_in_files(tmp_path: Path) -> None:
    def build(library: ModuleType) -> Any:
        @library.saving.register_keras_serializable("mine")
        def doubled(x: Any) -> Any:
            return x * 2

        @library.saving.register_keras_serializable("mine")
        def halves(shape: Any, dtype: Any = None) -> Any:
            return np.full(shape, 0.5, dtype)

        inputs = library.Input((6,))
        dense = library.layers.Dense(3, activation=doubled, kernel_initializer=halves)
        return library.Model(inputs, dense(inputs))

    path = tmp_path / "model.keras"
    for writer, reader in ((keras, kerac), (kerac, keras), (kerac, kerac)):
        model = build(writer)
        build(reader)  # registers the functions there
        model.save(path)
        loaded = reader.models.load_model(path)
        assert_close(np.asarray(loaded(X)), np.asarray(model(X)))
