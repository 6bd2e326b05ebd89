"""The networks that tests and benchmarks share."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks.models import NETWORKS, randomize, save

SMALL = ["mlp", "mnist_cnn", "cifar_cnn"]


@pytest.mark.parametrize("name", SMALL)
def test_files_are_the_same_every_time(name: str, tmp_path: Path) -> None:
    first = keras.models.load_model(save(name, tmp_path / "first"))
    second = keras.models.load_model(save(name, tmp_path / "second"))
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.std() > 0


@pytest.mark.parametrize("name", SMALL)
def test_outputs_depend_on_inputs(name: str, network_file: Callable[[str], Path]) -> None:
    model = keras.models.load_model(network_file(name))
    one, other = model.predict(NETWORKS[name].sample(2), verbose=0)
    assert np.isfinite(one).all()
    assert np.abs(one - other).max() > 1e-3


def test_batch_normalization_gets_statistics_of_its_own() -> None:
    layer = keras.layers.BatchNormalization()
    model = randomize(keras.Sequential([keras.Input((5,)), layer]))
    assert model.weights
    for variable in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance):
        assert len(np.unique(variable)) == 5
