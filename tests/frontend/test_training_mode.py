"""What layers do in training: statistics of the batch, penalties, what is frozen, against Keras."""

from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir import Graph, Value, evaluate_graph, ops
from kerac.tracing import Trace, trace_function
from kerac.variable import Variable

GENERATOR = np.random.default_rng(7)


def run_training(model: Any, x: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The output in training mode, and the new values of weights by path."""
    trace = Trace("training", training=True, key=ops.constant([1, 2], "u32"))
    functional = model.functional()
    traced = trace_function(functional.run, functional.input_types(), trace)
    outputs = (*traced.graph.outputs, *trace.updates.values())
    graph = Graph("training", traced.graph.inputs, outputs)
    output, *new = evaluate_graph(graph, [x])
    return output, {v.path: value for v, value in zip(trace.updates, new, strict=True)}


BATCH_NORMALIZATIONS: list[dict[str, Any]] = [
    {},
    {"axis": 1, "momentum": 0.7, "epsilon": 0.1},
    {"axis": 2, "center": False},
    {"scale": False},
    {"renorm": True, "renorm_clipping": {"rmin": 0.8, "rmax": 1.5, "dmax": 0.4}},
    {"renorm": True, "renorm_momentum": 0.6, "scale": False, "renorm_clipping": {}},
]


@pytest.mark.parametrize("arguments", BATCH_NORMALIZATIONS, ids=str)
def test_batch_normalization_in_training(arguments: dict[str, Any]) -> None:
    x = GENERATOR.normal(2, 3, (6, 4, 5)).astype("float32")

    def make(library: Any) -> Any:
        layer = library.layers.BatchNormalization(name="norm", **arguments)
        return library.Sequential([library.Input((4, 5)), layer])

    theirs, ours = make(keras), make(kerac)
    values = [GENERATOR.uniform(0.5, 1.5, v.shape).astype("float32") for v in theirs.weights]
    theirs.set_weights(values)
    ours.set_weights(values)
    expected = np.asarray(theirs(x, training=True))
    output, new = run_training(ours, x)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)
    for variable, mine in zip(theirs.weights, ours.weights, strict=True):
        value = new.get(mine.path, mine.array)
        np.testing.assert_allclose(value, np.asarray(variable), rtol=1e-4, err_msg=mine.path)


def test_batch_normalization_counts_what_a_mask_lets_count() -> None:
    x = GENERATOR.normal(2, 3, (6, 4, 5)).astype("float32")
    x[1, 2:], x[4, 1:] = 0, 0

    def make(library: Any) -> Any:
        layers = [library.layers.Masking(), library.layers.BatchNormalization(name="norm")]
        return library.Sequential([library.Input((4, 5)), *layers])

    theirs, ours = make(keras), make(kerac)
    expected = np.asarray(theirs(x, training=True))
    output, new = run_training(ours, x)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)
    for variable, value in zip(theirs.non_trainable_weights, new.values(), strict=True):
        np.testing.assert_allclose(value, np.asarray(variable), rtol=1e-4)


def test_a_frozen_normalization_acts_as_in_inference() -> None:
    x = GENERATOR.normal(2, 3, (6, 5)).astype("float32")
    layer = kerac.layers.BatchNormalization()
    model = kerac.Sequential([kerac.Input((5,)), layer])
    layer.trainable = False
    output, new = run_training(model, x)
    assert not new
    np.testing.assert_allclose(output, model.predict(x), rtol=1e-5)


def test_a_model_inside_a_model_updates_its_averages_once_a_call() -> None:
    x = GENERATOR.normal(2, 3, (6, 5)).astype("float32")
    inner = kerac.Sequential([kerac.Input((5,)), kerac.layers.BatchNormalization(momentum=0.5)])
    image = kerac.Input((5,))
    model = kerac.Model(image, inner(inner(image)))
    _, new = run_training(model, x)
    first = 0.5 * x.mean(0)
    beta = 0  # the mean of what a normalization gives
    assert len(new) == 2
    mean = new[inner.layers[0].moving_mean.path]
    np.testing.assert_allclose(mean, 0.5 * first + 0.5 * beta, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False, None])
def test_what_a_caller_says_holds_inside(training: bool | None) -> None:
    class Noted(kerac.Layer):
        """Notes in which mode it was."""

        def call(self, inputs: Value, training: bool = False) -> Value:
            modes.append(training)
            return inputs

    class Around(kerac.Layer):
        """Says the mode to a layer inside."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = Noted()

        def call(self, inputs: Value) -> Any:
            return self.inner(inputs, training=training)

    modes: list[bool] = []
    model = kerac.Sequential([kerac.Input((5,)), Around()])
    modes.clear()
    run_training(model, np.zeros((2, 5), "float32"))
    assert modes == [training is not False]


def test_freezing_reaches_the_layers_inside() -> None:
    def make(library: Any) -> Any:
        layers = library.layers
        base = library.Sequential([library.Input((4,)), layers.Dense(3), layers.Dense(2)])
        return base, library.Sequential([library.Input((4,)), base, layers.Dense(1)])

    found = []
    for library in (keras, kerac):
        base, model = make(library)
        base.trainable = False
        counts = [len(model.trainable_weights), len(base.trainable_weights)]
        base.trainable = True
        base.layers[0].trainable = False
        counts += [len(model.trainable_weights), len(model.non_trainable_weights)]
        model.trainable = False
        model.trainable = True
        found.append([*counts, len(model.trainable_weights)])
    assert found[0] == found[1]


PENALIZED: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("Dense", (3,), {}, (4,)),
    ("Conv2D", (3, 2), {}, (6, 6, 2)),
    ("DepthwiseConv2D", (2,), {}, (6, 6, 2)),
    ("SeparableConv2D", (3, 2), {}, (6, 6, 2)),
    ("LSTM", (3,), {}, (5, 2)),
    ("GRU", (3,), {}, (5, 2)),
    ("SimpleRNN", (3,), {}, (5, 2)),
    ("BatchNormalization", (), {}, (5, 2)),
    ("LayerNormalization", (), {}, (5, 2)),
    ("Embedding", (7, 3), {}, (5,)),
    ("PReLU", (), {}, (5, 2)),
]


@pytest.mark.parametrize(("name", "args", "keywords", "shape"), PENALIZED)
def test_every_weight_has_the_penalty_that_is_meant_for_it(
    name: str, args: tuple[Any, ...], keywords: dict[str, Any], shape: tuple[int, ...]
) -> None:
    kinds = {"regularizer": ["l1", "l2"], "constraint": ["max_norm", "non_neg"]}
    config = getattr(keras.layers, name)(*args, **keywords).get_config()
    for kind, choices in kinds.items():
        for number, argument in enumerate(k for k in config if k.endswith(f"_{kind}")):
            if argument != "activity_regularizer":
                keywords = keywords | {argument: choices[number % len(choices)]}
    if name == "Embedding":
        shape = (5,)

    def make(library: Any) -> Any:
        layer = getattr(library.layers, name)(*args, **keywords)
        return library.Sequential([library.Input(shape), layer])

    def described(variable: Any) -> tuple[str, str]:
        return type(variable.regularizer).__name__, type(variable.constraint).__name__

    theirs, ours = make(keras), make(kerac)
    assert [described(v) for v in ours.weights] == [described(v) for v in theirs.weights]


def test_a_variable_shows_what_training_wrote() -> None:
    variable = Variable("zeros", (2, 3), name="w")
    before, version = variable.array, variable.version
    live = variable.live()
    assert live.ctypes.data % 64 == 0
    assert variable.live() is live
    live[...] = 1
    kerac.variable.Clock.ticks += 1
    assert variable.version != version
    assert (before == 0).all()
    assert (variable.array == 1).all()
    assert variable.array is variable.array
    variable.assign(np.full((2, 3), 5))
    assert (live == 5).all()
    assert (variable.numpy() == 5).all()


RANDOM: list[tuple[str, tuple[Any, ...], float, float]] = [
    ("Dropout", (0.25,), 1.0, np.sqrt(0.25 / 0.75)),
    ("Dropout", (0.5, (None, 1, None)), 1.0, 1.0),
    ("SpatialDropout1D", (0.5,), 1.0, 1.0),
    ("GaussianNoise", (0.7,), 1.0, 0.7),
    ("GaussianDropout", (0.2,), 1.0, np.sqrt(0.2 / 0.8)),
]


@pytest.mark.parametrize(("name", "args", "mean", "deviation"), RANDOM)
def test_random_layers_keep_the_mean(
    name: str, args: tuple[Any, ...], mean: float, deviation: float
) -> None:
    layer = getattr(kerac.layers, name)(*args, seed=1)
    x = np.ones((80, 25, 100), "float32")
    model = kerac.Sequential([kerac.Input((25, 100)), layer])
    output, _ = run_training(model, x)
    assert abs(output.mean() - mean) < 0.03
    assert abs(output.std() - deviation) < 0.03
    assert (layer(x) == x).all()
    dropped = output == 0
    if name == "SpatialDropout1D" or len(args) > 1:
        assert (dropped == dropped[:, :1]).all()
    elif name == "Dropout":
        assert np.isin(output, [0, np.float32(1 / 0.75)]).all()


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = np.random.default_rng(3).standard_normal((200, 300)).astype("float32")
    model = kerac.Sequential([kerac.Input((300,)), kerac.layers.AlphaDropout(0.3)])
    output, _ = run_training(model, x)
    assert abs(output.mean()) < 0.02
    assert abs(output.std() - 1) < 0.02


def test_each_layer_has_random_numbers_of_its_own() -> None:
    x = np.ones((4, 50), "float32")
    drop = kerac.layers.Dropout
    image = kerac.Input((50,))
    model = kerac.Model(image, [drop(0.5)(image), drop(0.5)(image), drop(0.5, seed=1)(image)])
    trace = Trace("training", training=True, key=ops.constant([1, 2], "u32"))
    functional = model.functional()
    traced = trace_function(functional.run, functional.input_types(), trace)
    one, two, three = evaluate_graph(traced.graph, [x])
    assert (one != two).any()
    assert (one != three).any()


def test_layers_called_on_arrays_in_training_change_their_averages() -> None:
    x = GENERATOR.normal(2, 3, (6, 5)).astype("float32")
    layer = kerac.layers.BatchNormalization(momentum=0.5)
    layer(x)
    output = layer(x, training=True)
    np.testing.assert_allclose(output.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.array, 0.5 * x.mean(0), rtol=1e-5)
    assert (kerac.layers.Dropout(0.5)(np.ones((3, 40)), training=True) == 0).any()
