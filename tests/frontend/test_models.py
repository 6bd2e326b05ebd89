"""Functional models and sequences of layers."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import kerac
from kerac import layers
from kerac.ir import CompileError, ShapeError
from tests.compare import assert_close
from tests.frontend.checking import check_model, check_outputs, made, random_arrays


def branches(library: ModuleType) -> Any:
    layers = library.layers
    x, y = library.Input((4,), name="x"), library.Input((4,), name="y")
    shared = layers.Dense(5, activation="relu", name="shared")
    a, b = shared(x), shared(y)
    total = layers.Add(name="total")([a, b])
    deep = shared(layers.Dense(4)(total))
    return library.Model([x, y], [total, layers.Concatenate()([deep, a])])


def operators(library: ModuleType) -> Any:
    x, y = library.Input((3, 4), name="x"), library.Input((3, 4), name="y")
    total = (x + y) * 2.0 - 1.0 / (x * x + 1.0) + (-y) ** 2
    return library.Model([x, y], [total, total[:, -1], total[:, 1:, ::2], 3 - y])


def nested(library: ModuleType) -> Any:
    layers = library.layers
    a = library.Input((4,), name="a")
    dense = layers.Dense(4, name="d")
    inner = library.Model(a, dense(layers.ReLU()(dense(a))), name="inner")
    tail = library.Sequential([library.Input((4,)), layers.Dense(4), layers.Dense(2)], name="tail")
    outer = library.Sequential([library.Input((4,)), inner, tail], name="outer")
    x = library.Input((4,), name="x")
    first = inner(x)
    return library.Model(x, [first, tail(inner(first)), outer(x)])


def several_results_inside(library: ModuleType) -> Any:
    layers = library.layers
    a, b = library.Input((4,), name="a"), library.Input((4,), name="b")
    inner = library.Model([a, b], [layers.Dense(3)(a), layers.Dense(2)(b)], name="inner")
    x = library.Input((4,), name="x")
    p, q = inner([x, layers.ReLU()(x)])
    r, s = inner([layers.Dense(4)(q), x])
    return library.Model(x, layers.Concatenate()([p, q, r, s]))


def from_the_middle(library: ModuleType) -> Any:
    layers = library.layers
    x = library.Input((4,), name="x")
    hidden = layers.Dense(5, name="hidden")(x)
    y = layers.Dense(3, name="last")(layers.ReLU(name="relu")(hidden))
    library.Model(x, y)
    return library.Model(hidden, y)


def output_is_an_input(library: ModuleType) -> Any:
    x = library.Input((4,), name="x")
    return library.Model(x, [x, library.layers.Dense(2)(x)])


MODELS: list[tuple[Any, list[tuple[int, ...]]]] = [
    (branches, [(3, 4), (3, 4)]),
    (operators, [(3, 3, 4), (3, 3, 4)]),
    (nested, [(3, 4)]),
    (several_results_inside, [(3, 4)]),
    (output_is_an_input, [(3, 4)]),
]


@pytest.mark.parametrize(("make", "shapes"), MODELS, ids=[make.__name__ for make, _ in MODELS])
def test_model(make: Any, shapes: list[tuple[int, ...]]) -> None:
    model = check_model(make, random_arrays(shapes))
    assert len(model.layers) == len({layer.name for layer in model.layers})


def test_model_from_the_middle_of_another() -> None:
    theirs, ours = made(from_the_middle)
    ours.set_weights(theirs.get_weights())
    check_outputs(theirs, ours, random_arrays([(3, 5)]))
    assert [type(x).__name__ for x in ours.layers] == ["InputLayer", "ReLU", "Dense"]


def test_dictionaries() -> None:
    def make(library: ModuleType) -> Any:
        inputs = {name: library.Input((4,), name=name) for name in ("b", "a")}
        hidden = library.layers.Dense(3, name="hidden")(inputs["a"])
        total = library.layers.Dense(3, name="other")(inputs["b"]) + hidden
        return library.Model(inputs, {"y": total, "h": hidden})

    theirs, ours = made(make)
    ours.set_weights(theirs.get_weights())
    a, b = random_arrays([(3, 4), (3, 4)])
    wanted = theirs({"a": a, "b": b})
    for given in ({"a": a, "b": b}, {"b": b, "a": a}):
        outputs = ours(given)
        assert outputs.keys() == {"y", "h"}
        for name in outputs:
            assert_close(outputs[name], wanted[name])
    assert ours.graph.input_names == ("a", "b")
    assert ours.graph.output_names == ("h", "y")
    predicted = ours.predict({"a": a, "b": b})
    assert_close(predicted["y"], wanted["y"])


def test_layers_are_in_the_order_of_keras() -> None:
    theirs, ours = made(branches)
    assert [x.name for x in ours.layers] == [x.name for x in theirs.layers]
    assert ours.output_names == ["total", "concatenate"]
    assert ours.input_names == ["x", "y"]


def test_graph_calls_models_inside_and_shares_weights() -> None:
    kerac.utils.clear_session()
    text = str(nested(kerac).graph)
    assert text.count("def inner(") == 1
    assert text.count('parameter("d/kernel")') == 1
    assert "# inner/d" in text


def test_free_lengths_of_different_inputs_stay_apart_until_something_needs_them_equal() -> None:
    x, y = (kerac.Input((None, 3), name=name) for name in "xy")
    apart = kerac.Model([x, y], [layers.Dense(2)(x), layers.Dense(2)(y)])
    assert apart.graph.symbols == ("N", "T", "T_1")
    inner = kerac.Model([x, y], layers.Add()([x, y]), name="inner")
    p, q = (kerac.Input((None, 3), name=name) for name in "pq")
    assert kerac.Model([p, q], inner([p, q])).graph.symbols == ("N", "T")
    twice = layers.Concatenate(axis=1)([p, p])
    assert kerac.Model([p, q], inner([twice, q])).graph.symbols == ("N", "T")


# Sequences


def test_sequence() -> None:
    def make(library: ModuleType) -> Any:
        layers = library.layers
        return library.Sequential(
            [library.Input((4, 3)), layers.Dense(5, "relu"), layers.Flatten(), layers.Dense(2)]
        )

    model = check_model(make, random_arrays([(3, 4, 3)]))
    assert model.weights[0].path == "sequential/dense/kernel"
    assert [layer.name for layer in model.layers] == ["dense", "flatten", "dense_1"]


@pytest.mark.parametrize(
    "first",
    [
        {"input_shape": (4,)},
        {"input_dim": 4},
        {"batch_input_shape": (None, 4)},
    ],
)
def test_keras_2_spellings_of_the_input(first: dict[str, Any]) -> None:
    model = kerac.Sequential([layers.Dense(3, **first), layers.Dense(2)])
    assert model.built
    assert model.input_shape == (None, 4)
    assert [v.shape for v in model.weights] == [(4, 3), (3,), (3, 2), (2,)]


def test_embedding_says_the_length_of_its_input() -> None:
    model = kerac.Sequential([layers.Embedding(10, 3, input_length=6), layers.Flatten()])
    assert model.output_shape == (None, 18)


def test_sequence_is_built_by_its_first_call() -> None:
    model = kerac.Sequential([layers.Dense(3), layers.Dense(2)], name="late")
    assert not model.built
    with pytest.raises(CompileError, match="late: is not built"):
        model.trace()
    y = model(np.ones((5, 4), "float32"))
    assert y.shape == (5, 2)
    assert model.predict(np.ones((3, 4), "float32")).shape == (3, 2)


def test_add_and_pop() -> None:
    model = kerac.Sequential(name="m")
    model.add(kerac.Input((4,)))
    model.add(layers.Dense(3, name="a"))
    model.add(layers.Dense(2, name="b"))
    assert model.output_shape == (None, 2)
    assert model.pop().name == "b"
    assert model.output_shape == (None, 3)
    with pytest.raises(CompileError, match="two layers are called 'a'"):
        model.add(layers.Dense(2, name="a"))
    with pytest.raises(CompileError, match="an Input is added after"):
        model.add(kerac.Input((4,)))
    with pytest.raises(CompileError, match="only layers can be"):
        model.add(3)


# What models do


def test_predict_in_batches() -> None:
    kerac.utils.clear_session()
    model = branches(kerac)
    x, y = random_arrays([(70, 4), (70, 4)])
    whole = model([x, y])
    for size in (1, 32, 100, None):
        parts = model.predict([x, y], batch_size=size, verbose=0)
        for part, wanted in zip(parts, whole, strict=True):
            assert_close(part, wanted)


def test_predict_sees_new_weights() -> None:
    model = kerac.Sequential([kerac.Input((2,)), layers.Dense(1, use_bias=False)])
    x = np.ones((1, 2), "float64")
    for number in (1.0, 2.0):
        model.set_weights([np.full((2, 1), number)])
        assert model.predict(x).item() == 2 * number


def test_layers_are_found_by_name_and_index() -> None:
    model = branches(kerac)
    assert model.get_layer("shared").units == 5
    assert model.get_layer(index=0).name == "x"
    with pytest.raises(CompileError, match=r"(?s)no layer 'share'.*'shared'"):
        model.get_layer("share")


def test_frozen_layers_have_no_trainable_weights() -> None:
    model = nested(kerac)
    count = len(model.weights)
    model.get_layer("inner").trainable = False
    assert len(model.trainable_weights) == count - 2
    model.trainable = False
    assert model.trainable_weights == []
    assert len(model.non_trainable_weights) == count


def test_own_layers_and_models() -> None:
    class Twice(kerac.Layer):
        times: int = 2

        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight("scale", input_shape[-1:], "ones")

        def call(self, inputs: Any) -> Any:
            from kerac.ir import ops
            from kerac.tracing import traced

            return ops.multiply(ops.multiply(inputs, traced(self.scale)), float(self.times))

    class Mine(kerac.Model):
        def __init__(self) -> None:
            super().__init__(name="mine")
            self.twice = Twice(times=3)
            self.head = layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.head(self.twice(inputs))

    model = Mine()
    x = np.ones((3, 4), "float32")
    y = model(x)
    assert model.weights[0].path.endswith("/scale")
    assert_close(model.predict(x), y)
    assert Twice.from_config(Twice(5).get_config()).times == 5


# Mistakes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([np.ones((2, 4), "float32")], "takes 2 inputs .x, y., but got 1"),
        ([np.ones((2, 4), "float32"), np.ones((2, 5), "float32")], "input 'y' must have the shape"),
        ({"x": np.ones((2, 4), "float32")}, "needs the input 'y'"),
        (
            [np.ones((2, 4), "float32"), np.array([["a"] * 4] * 2)],
            "input .y. must be float32, but got <U1",
        ),
        ([np.ones((2, 4), "float32"), np.ones((3, 4), "float32")], "same number of samples"),
    ],
)
def test_predict_on_wrong_inputs(given: Any, message: str) -> None:
    model = branches(kerac)
    with pytest.raises(CompileError, match=message):
        model.predict(given)


def test_call_on_a_wrong_shape_names_the_model() -> None:
    model = kerac.Sequential([kerac.Input((4,), name="x"), layers.Dense(3)], name="m")
    with pytest.raises(ShapeError, match=r"input 'x' must have the shape .None, 4., but got"):
        model(np.ones((2, 5), "float32"))


def test_inputs_that_are_forgotten() -> None:
    x, y = kerac.Input((4,), name="x"), kerac.Input((4,), name="y")
    with pytest.raises(CompileError, match="m: its outputs need the input 'y'"):
        kerac.Model(x, x + y, name="m")


def test_names_that_occur_twice() -> None:
    x = kerac.Input((4,), name="x")
    y = layers.Dense(3, name="d")(layers.Dense(3, name="d")(x))
    with pytest.raises(CompileError, match="m: two layers are called 'd'"):
        kerac.Model(x, y, name="m")


def test_things_that_are_no_tensors() -> None:
    with pytest.raises(CompileError, match="must be symbolic tensors"):
        kerac.Model(np.ones(3), kerac.Input((3,)))
