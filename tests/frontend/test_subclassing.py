"""Layers and models of a user's own: what they hold is found, trained, and kept in files."""

from collections.abc import Callable
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


def test_a_subclass_is_built_for_a_shape_and_read_from_a_file(tmp_path: Path) -> None:
    @kerac.saving.register_keras_serializable("mine")
    class Automatic(kerac.Model):  # type: ignore[misc]
        def __init__(self, units: int = 3, activation: str = "relu", **keywords: Any) -> None:
            super().__init__(**keywords)
            self.dense = kerac.layers.Dense(units, activation=activation)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Automatic(4, name="automatic")
    model.build((None, 6))
    assert [w.shape for w in model.weights] == [(6, 4), (4,)]
    assert model.get_config()["units"] == 4
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = kerac.models.load_model(path)
    assert type(loaded) is Automatic
    assert_close(loaded(X), model(X))


@pytest.mark.parametrize("writer", [keras, kerac])
@pytest.mark.parametrize("reader", [keras, kerac])
def test_subclasses_made_from_symbolic_tensors_are_functional(
    reader: ModuleType, writer: ModuleType, tmp_path: Path
) -> None:
    def classes(library: ModuleType) -> tuple[Any, Any]:
        @library.saving.register_keras_serializable("mine")
        class Plain(library.Model):  # type: ignore[misc, name-defined]
            def twice(self, x: Any) -> Any:
                return self(self(x))

        @library.saving.register_keras_serializable("mine")
        class Own(library.Model):  # type: ignore[misc, name-defined]
            def __init__(self, units: int, **keywords: Any) -> None:
                inputs = library.Input((6,))
                outputs = library.layers.Dense(units, name="d")(inputs)
                super().__init__(inputs=inputs, outputs=outputs, **keywords)
                self.units = units

            def get_config(self) -> dict[str, Any]:
                return {"units": self.units, "name": self.name}

        return Plain, Own

    plain, own = classes(writer)
    classes(reader)
    inputs = writer.Input((6,))
    path = tmp_path / "model.keras"
    for model in (plain(inputs, writer.layers.Dense(6)(inputs)), own(3)):
        model.save(path)
        loaded = reader.models.load_model(path)
        assert type(loaded).__name__ == type(model).__name__
        assert_close(np.asarray(loaded(X)), np.asarray(model(X)))
        if hasattr(model, "twice"):
            assert np.asarray(loaded.twice(X)).shape == X.shape


def test_a_lambda_of_code_is_traced() -> None:
    def build(library: ModuleType) -> Any:
        ops, layers = library.ops, library.layers
        one, other = library.Input((6,)), library.Input((6,))
        x = layers.Lambda(lambda t, by: ops.tanh(t[0] - t[1]) * by, arguments={"by": 3})(
            [one, other]
        )
        return library.Model([one, other], layers.Lambda(lambda t: t[:, :2] + 1)(x))

    ours, theirs = build(kerac), build(keras)
    assert_close(ours.predict([X, -X], verbose=0), np.asarray(theirs([X, -X])))
    with pytest.raises(CompileError, match="has no name, so that a file cannot name it"):
        ours.to_json()


def test_arrays_keep_their_masks_between_layers() -> None:
    numbers = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    results = []
    for library in (keras, kerac):
        embedding = library.layers.Embedding(5, 3, mask_zero=True)
        recurrent = library.layers.LSTM(2)
        recurrent(embedding(numbers))
        for layer in (embedding, recurrent):
            weights = [np.linspace(-1, 1, w.size).reshape(w.shape) for w in layer.get_weights()]
            layer.set_weights(weights)
        y = embedding(numbers)
        results.append([np.asarray(y._keras_mask), np.asarray(recurrent(y))])
    theirs, ours = results
    assert (ours[0] == theirs[0]).all()
    assert_close(ours[1], theirs[1])


def test_losses_are_penalties_and_what_the_last_call_added() -> None:
    results = []
    for library in (keras, kerac):

        class Spread(library.layers.Layer):  # type: ignore[misc, name-defined]
            ops = library.ops

            def call(self, x: Any) -> Any:
                self.add_loss(self.ops.mean(x * x))
                return x

        dense = library.layers.Dense(2, kernel_initializer="ones", kernel_regularizer="l2")
        spread = Spread()
        spread(dense(X))
        results.append([float(x) for x in (*spread.losses, *dense.losses)])
    assert results[1] == pytest.approx(results[0], rel=1e-5)


def test_other_libraries_are_told_that_values_have_no_numbers() -> None:
    class Wrong(kerac.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * np.mean(x)

    with pytest.raises(TypeError, match=r"use kerac\.ops in the place of NumPy"):
        Wrong()(X)

    class Symbolic:
        def __array__(self, *args: Any) -> Any:
            raise NotImplementedError("no numbers here")

    with pytest.raises(CompileError, match="is called on a Symbolic, which has no numbers"):
        kerac.layers.Dense(2, name="d")(Symbolic())


def test_a_layer_may_return_its_weight_and_ask_for_masks() -> None:
    class Sum(kerac.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.total = self.add_weight(initializer="zeros", shape=(6,), trainable=False)

        def call(self, x: Any) -> Any:
            self.total.assign_add(kerac.ops.sum(x, axis=0))
            return self.total

    summed = Sum()
    summed(X)
    assert_close(summed(X), 2 * X.sum(0))
    embedding = kerac.layers.Embedding(5, 3, mask_zero=True)
    assert embedding.compute_mask(np.array([[1, 0]])).tolist() == [[True, False]]
    masking = kerac.layers.Masking()
    assert masking.compute_mask(np.zeros((1, 2, 3))).tolist() == [[False, False]]


def test_subclasses_take_float64_and_show_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    summaries = []
    for library in (keras, kerac):
        layers = library.layers
        parts = layers.Dense(4, name="a"), layers.LSTM(3, name="b"), layers.ReLU(name="c")

        class Whole(library.Model):  # type: ignore[misc, name-defined]
            def __init__(self, parts: Any = parts) -> None:
                super().__init__(name="whole")
                self.one, self.other, self.act = parts

            def call(self, x: Any) -> Any:
                return self.act(self.other(self.one(x)))

        model = Whole()
        model.compile("sgd", "mse")
        model.fit(np.ones((1, 2, 6)), np.ones((1, 3)), verbose=0)
        assert model.predict(np.ones((4, 2, 6)), verbose=0).shape == (4, 3)
        model.summary()
        summaries.append([row for row in capsys.readouterr().out.splitlines() if "│" in row])
    assert summaries[1] == summaries[0]


def test_a_subclass_of_a_convolution_makes_its_kernel_anew() -> None:
    images = np.random.default_rng(1).normal(size=(2, 5, 6, 3)).astype("float32")
    results = []
    for library in (keras, kerac):

        class Centred(library.layers.Conv2D):  # type: ignore[misc, name-defined]
            ops = library.ops

            def call(self, x: Any) -> Any:
                centre = self.ops.mean(self.kernel, axis=[0, 1, 2], keepdims=True)
                return self.convolution_op(x, self.kernel - centre) + self.bias

        layer = Centred(4, 3, strides=2, padding="same", bias_initializer="ones")
        layer(images)
        kernel, bias = layer.get_weights()
        layer.set_weights([np.linspace(-1, 2, kernel.size).reshape(kernel.shape), bias])
        results.append(np.asarray(layer(images)))
    assert_close(results[1], results[0])


@pytest.mark.parametrize(
    "decide",
    [lambda x: x > 0, lambda x: not x, lambda x: x is not None and x],
    ids=["if", "not", "and"],
)
def test_what_is_computed_later_decides_nothing(decide: Callable[[Any], Any]) -> None:
    class Branch(kerac.layers.Layer):
        def call(self, x: Any) -> Any:
            return x if decide(kerac.ops.sum(x)) else -x

    with pytest.raises(CompileError, match="is asked whether it is true"):
        Branch()(kerac.Input((3,)))
