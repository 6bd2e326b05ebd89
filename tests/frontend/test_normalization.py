"""Batch and layer normalization against real Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kerac import layers
from kerac.ir.errors import CompileError
from tests.frontend.checking import check_layer, check_model


def random_input(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(2, 3, shape).astype(np.float32)


@pytest.mark.parametrize("arguments", [
    {},
    {"axis": 1, "epsilon": 1e-2, "momentum": 0.9},
    {"axis": -2, "center": False},
    {"scale": False},
    {"center": False, "scale": False, "gamma_initializer": "he_normal"},
    {"renorm": True, "renorm_clipping": {"rmax": 3.0}},
])  # fmt: skip
@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 4, 3)])
def test_batch_normalization(arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    if arguments.get("axis") == -2 and len(shape) == 2:
        return  # the batch is nothing that has weights
    check_layer(lambda layers: layers.BatchNormalization(**arguments), shape)


def test_batch_normalization_of_a_masked_input() -> None:
    def make(library: Any) -> Any:
        x = library.Input((None, 4), name="x")
        x_masked = library.layers.Masking()(x)
        normal = library.layers.BatchNormalization()(x_masked)
        return library.Model(x, library.layers.GlobalAveragePooling1D()(normal))

    check_model(
        make, [random_input(2, 3, 4) * np.array([[[1], [0], [1]], [[0], [0], [1]]], np.float32)]
    )


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling")
@pytest.mark.parametrize("arguments", [
    {},
    {"axis": 1, "epsilon": 1e-2},
    {"axis": [1, 2]},
    {"axis": (-1, 1)},
    {"axis": [-1, -2, -3], "scale": False},
    {"axis": -1, "center": False},
    {"center": False, "scale": False},
    {"rms_scaling": True},
    {"rms_scaling": True, "axis": [1, 2], "scale": False},
])  # fmt: skip
def test_layer_normalization(arguments: dict[str, Any]) -> None:
    free = (1, 2) if arguments.get("axis", -1) == -1 else ()
    check_layer(lambda layers: layers.LayerNormalization(**arguments), (2, 5, 4, 3), free=free)


@pytest.mark.parametrize("arguments", [
    {"groups": 4},
    {"groups": 2, "axis": 1, "epsilon": 1e-2},
    {"groups": -1},
    {"groups": 3, "axis": -2, "scale": False},
    {"groups": 8, "center": False, "scale": False},
])  # fmt: skip
def test_group_normalization(arguments: dict[str, Any]) -> None:
    free = (1,) if arguments.get("axis", -1) == -1 else ()
    check_layer(lambda layers: layers.GroupNormalization(**arguments), (2, 6, 6, 8), free=free)


@pytest.mark.parametrize("axis", [-1, [2, 3]])
@pytest.mark.parametrize("name", ["RMSNormalization", "UnitNormalization"])
def test_normalization_without_mean(name: str, axis: Any) -> None:
    check_layer(lambda layers: getattr(layers, name)(axis=axis), (2, 3, 6, 8))


def test_spectral_normalization() -> None:
    def make(layers: Any) -> Any:
        return layers.SpectralNormalization(layers.Dense(4, name="inner"), power_iterations=2)

    check_layer(make, (2, 6))


def test_groups_must_divide_channels() -> None:
    with pytest.raises(CompileError, match="7 channels do not divide into 2 groups"):
        layers.GroupNormalization(2)(random_input(2, 3, 7))


def test_files_of_keras_2_have_a_list_of_axes() -> None:
    layer = layers.BatchNormalization.from_config(
        {"name": "old", "axis": [3], "momentum": 0.99}
    )
    assert layer.axis == 3


@pytest.mark.parametrize(
    "cls", [layers.BatchNormalization, layers.LayerNormalization]
)
def test_axes_that_do_not_exist(cls: Any) -> None:
    with pytest.raises(CompileError, match="axis 4 does not exist"):
        cls(axis=4)(random_input(2, 3, 4))
