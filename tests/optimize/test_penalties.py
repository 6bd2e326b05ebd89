"""Regularizers and constraints against Keras, on arrays."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import kerac

REGULARIZERS = [
    ("L1", {"l1": 0.1}),
    ("L2", {"l2": 0.2}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("L1L2", {}),
    ("OrthogonalRegularizer", {"factor": 0.3}),
    ("OrthogonalRegularizer", {"factor": 0.3, "mode": "columns"}),
]
CONSTRAINTS = [
    ("MaxNorm", {"max_value": 1.0}),
    ("MaxNorm", {"max_value": 1.0, "axis": [0, 1]}),
    ("NonNeg", {}),
    ("UnitNorm", {"axis": 1}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 1.5, "rate": 0.7}),
]


@pytest.mark.parametrize(("name", "options"), REGULARIZERS, ids=str)
def test_regularizers_are_those_of_keras(name, options):
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    expected = getattr(keras.regularizers, name)(**options)(jnp.asarray(x))
    found = getattr(kerac.regularizers, name)(**options)(x)
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-5)


@pytest.mark.parametrize(("name", "options"), CONSTRAINTS, ids=str)
def test_constraints_are_those_of_keras(name, options):
    x = np.random.default_rng(2).normal(size=(5, 4)).astype(np.float32)
    expected = getattr(keras.constraints, name)(**options)(x)
    found = getattr(kerac.constraints, name)(**options)(x)
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-5, atol=1e-7)


def test_constraints_follow_a_step():
    weight = kerac.Variable("ones", (3,), name="w")
    weight.constraint = kerac.constraints.NonNeg()
    kerac.optimizers.SGD(1.0).apply([np.array([0.5, 2.0, -1.0], np.float32)], [weight])
    np.testing.assert_allclose(weight.array, [0.5, 0.0, 2.0])
