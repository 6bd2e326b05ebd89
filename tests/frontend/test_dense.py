"""Dense: shapes of inputs, arguments, weights, mistakes."""

import keras
import numpy as np
import pytest

import kerac
from kerac import layers
from kerac.ir import CompileError, ShapeError, UnsupportedError
from tests.frontend.checking import check_layer


@pytest.mark.parametrize("seed", range(12))
def test_random_configuration(seed: int) -> None:
    choose = np.random.default_rng(seed)
    shape = tuple(int(n) for n in choose.integers(1, 7, choose.integers(2, 5)))
    arguments = {
        "units": int(choose.integers(1, 9)),
        "activation": choose.choice(["relu", "tanh", "linear"]).item(),
        "use_bias": bool(choose.integers(2)),
        "kernel_initializer": choose.choice(["he_normal", "zeros", "orthogonal"]).item(),
        "kernel_regularizer": [None, "l2", "L1L2"][choose.integers(3)],
        "bias_constraint": [None, "non_neg"][choose.integers(2)],
    }
    free = [1] if len(shape) > 2 else []
    check_layer(lambda layers: layers.Dense(**arguments), shape, free=free, seed=seed)


def test_integers_become_floats() -> None:
    check_layer(lambda layers: layers.Dense(3), (4, 5), dtype="int32")


def test_activation_may_be_a_layer() -> None:
    check_layer(lambda layers: layers.Dense(3, activation=layers.LeakyReLU(0.2, name="a")), (4, 5))


def test_arguments_are_positional_as_in_keras() -> None:
    layer = layers.Dense(3, "relu", False)
    assert (layer.units, layer.activation, layer.use_bias) == (3, kerac.activations.relu, False)
    assert list(layer.get_config()) == [
        *("name", "trainable", "dtype", "units", "activation", "use_bias"),
        *("kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer"),
        *("kernel_constraint", "bias_constraint"),
    ]


def test_arrays_in_arrays_out() -> None:
    layer = layers.Dense(2, name="head")
    x = np.ones((5, 3))
    y = layer(x)
    np.testing.assert_allclose(y, x @ layer.kernel.numpy() + layer.bias.numpy(), rtol=1e-6)
    assert [v.path for v in layer.weights] == ["head/kernel", "head/bias"]
    assert layer.count_params() == 8


def test_names_count_as_in_keras() -> None:
    kerac.utils.clear_session()
    keras.utils.clear_session()
    for library in (kerac, keras):
        names = [library.layers.Dense(1).name, library.layers.Dense(1).name]
        assert names == ["dense", "dense_1"]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: layers.Dense(), CompileError, "Dense 'dense': needs the argument 'units'"),
        (lambda: layers.Dense(0), CompileError, "units is 0, but must be positive"),
        (lambda: layers.Dense("a"), CompileError, "units is 'a', but an integer is expected"),
        (lambda: layers.Dense(True), CompileError, "units is True, but an integer is expected"),
        (lambda: layers.Dense(2, unit=3), UnsupportedError, "(?s)no argument 'unit'.*'units'"),
        (lambda: layers.Dense(2, units=3), CompileError, "two values for the argument 'units'"),
        (lambda: layers.Dense(2, dtype="int32"), UnsupportedError, "computes in floating point"),
        (lambda: layers.Dense(2, kernel_initializer="he"), UnsupportedError, "no initializer 'he'"),
        (lambda: layers.Dense(2, activation=3), CompileError, "3 is no activation"),
        (lambda: layers.Dense(2)(layers.Input((None,))), CompileError, "must be known"),
    ],
)
def test_mistake(make: object, kind: type[Exception], message: str) -> None:
    kerac.utils.clear_session()
    with pytest.raises(kind, match=message):
        make()


def test_wrong_shape_names_the_layer() -> None:
    layer = layers.Dense(2, name="head")
    layer(np.ones((1, 3), "float32"))
    with pytest.raises(ShapeError, match=r'(?s)3 rows.*is 4.*f32.2, 4.*in layer "head"'):
        layer(np.ones((2, 4), "float32"))


def test_wrong_number_of_weights() -> None:
    layer = layers.Dense(2, name="head")
    layer(np.ones((1, 3), "float32"))
    with pytest.raises(CompileError, match="head: has 2 weights, but got 1"):
        layer.set_weights([np.ones((3, 2))])
    with pytest.raises(ShapeError, match="head/kernel: has shape"):
        layer.set_weights([np.ones((2, 2)), np.ones(2)])
