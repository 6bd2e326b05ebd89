"""Activations, by name and as layers."""

import keras
import numpy as np
import pytest

from kerac import activations, layers
from kerac.ir import CompileError
from tests.compare import assert_close
from tests.frontend.checking import check_layer

NAMES = sorted(keras.src.activations.ALL_OBJECTS_DICT)
# `threshold` has arguments without a default; Keras's layer says that `glu` keeps the shape.
ALONE = [name for name in NAMES if name not in ("threshold", "glu")]


@pytest.mark.parametrize("name", ALONE)
def test_activation(name: str) -> None:
    check_layer(lambda layers: layers.Activation(name), (3, 5, 6))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("glu", {}),
        ("glu", {"axis": 1}),
        ("threshold", {"threshold": 0.3, "default_value": -7.0}),
        ("relu", {"negative_slope": 0.3, "max_value": 1.0, "threshold": -0.5}),
        ("relu", {"max_value": 1.0, "threshold": -0.5}),
        ("leaky_relu", {"negative_slope": 0.3}),
        ("elu", {"alpha": 0.4}),
        ("celu", {"alpha": 0.4}),
        ("gelu", {"approximate": True}),
        ("hard_shrink", {"threshold": 0.2}),
        ("soft_shrink", {"threshold": 0.2}),
        ("squareplus", {"b": 1}),
        ("softmax", {"axis": 0}),
        ("log_softmax", {"axis": 1}),
        ("sparsemax", {"axis": 1}),
    ],
)
def test_function_with_arguments(name: str, arguments: dict) -> None:
    x = np.random.default_rng(0).standard_normal((3, 4, 6)).astype("float32")
    expected = getattr(keras.activations, name)(x, **arguments)
    assert_close(getattr(activations, name)(x, **arguments), expected)


def test_every_name_of_keras_is_known() -> None:
    assert set(NAMES) == set(activations.FUNCTIONS)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ReLU", {}),
        ("ReLU", {"max_value": 0.7}),
        ("ReLU", {"max_value": 6}),
        ("ReLU", {"negative_slope": 0.1}),
        ("ReLU", {"threshold": 0.4}),
        ("ReLU", {"max_value": 0.9, "negative_slope": 0.3, "threshold": 0.2}),
        ("ReLU", {"max_value": 6, "negative_slope": 0.3}),
        ("LeakyReLU", {}),
        ("LeakyReLU", {"negative_slope": 0.05}),
        ("ELU", {}),
        ("PReLU", {}),
        ("PReLU", {"shared_axes": [1]}),
        ("PReLU", {"shared_axes": [1, 2], "alpha_initializer": "ones"}),
        ("Softmax", {}),
        ("Softmax", {"axis": 1}),
        ("Softmax", {"axis": [1, 2]}),
    ],
)
def test_layer(name: str, arguments: dict) -> None:
    check_layer(lambda layers: getattr(layers, name)(**arguments), (3, 4, 5, 6))


@pytest.mark.parametrize("shape", [(4, 7), (2, 3, 7)])
def test_softmax_with_a_mask(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    mask = np.random.default_rng(1).random(shape) < 0.5
    expected = keras.layers.Softmax()(x, mask=mask)
    np.testing.assert_allclose(layers.Softmax()(x, mask=mask), expected, atol=1e-6)


@pytest.mark.parametrize("alias", [{"alpha": 0.1}, {"alpha": np.array(0.1)}])
def test_keras_2_spelling_of_the_slope(alias: dict) -> None:
    assert layers.LeakyReLU(**alias).negative_slope == pytest.approx(0.1)


def test_elu_keeps_its_alpha() -> None:
    layer = layers.ELU(0.5)
    assert layers.ELU.from_config(layer.get_config()).alpha == 0.5


def test_functions_take_arrays_and_symbolic_tensors() -> None:
    x = np.array([-2.0, 0.5, 9.0], "float32")
    np.testing.assert_allclose(activations.relu(x, max_value=6), [0, 0.5, 6])
    assert activations.relu(layers.Input((3,)), 0.1).shape == (None, 3)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(CompileError, match=r"(?s)no activation 'rellu'.*'relu'"):
        layers.Dense(3, activation="rellu", name="head")
