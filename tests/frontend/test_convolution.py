"""Convolution layers against real Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kerac.ir.errors import CompileError
from kerac.layers import convolution
from tests.frontend.checking import check_layer

NAMES = (
    *("Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D"),
    *("SeparableConv1D", "SeparableConv2D"),
)


def random_case(
    name: str, generator: np.random.Generator
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Arguments of a layer and the shape of an input that is large enough."""
    rank = int(name[-2])

    def pick(*choices: Any) -> Any:
        return choices[generator.integers(len(choices))]

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(int(n) for n in generator.integers(low, high, rank))

    groups = pick(1, 1, 2, 3) if name.startswith("Conv") else 1
    strided = pick(True, False)
    arguments: dict[str, Any] = {
        "kernel_size": pick(3, each(1, 4)),
        "strides": pick(2, each(1, 4)) if strided else 1,
        "dilation_rate": 1 if strided else pick(1, 2, each(1, 3)),
        "padding": pick("valid", "same", *["causal"] * (name == "Conv1D")),
        "activation": pick(None, "relu", "tanh"),
        "use_bias": pick(True, True, False),
        "data_format": pick(None, "channels_last", "channels_first"),
    }
    if not name.startswith("Depthwise"):
        arguments["filters"] = 6
    if name.startswith("Conv"):
        arguments["groups"] = groups
    else:
        arguments["depth_multiplier"] = pick(1, 2, 3)
        if strided:  # TensorFlow wants equal ones
            arguments["strides"] = 2
    channels = groups * pick(1, 2, 3)
    spatial = each(8, 12)
    if arguments["data_format"] == "channels_first":
        return arguments, (2, channels, *spatial)
    return arguments, (2, *spatial, channels)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NAMES)
def test_random_configurations(name: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    arguments, shape = random_case(name, generator)
    first = arguments["data_format"] == "channels_first"
    spatial = range(2, len(shape)) if first else range(1, len(shape) - 1)
    free = () if seed % 2 else tuple(spatial)
    check_layer(lambda layers: getattr(layers, name)(**arguments), shape, free=free, seed=seed)


def test_activations_look_along_the_axes_that_the_user_sees() -> None:
    check_layer(
        lambda layers: layers.Conv2D(4, 2, activation="softmax", data_format="channels_first"),
        (2, 3, 5, 4),
    )


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (
            lambda c: c.Conv2D(4, (3, 3, 3)),
            "kernel_size is (3, 3, 3), but must be 2 positive integers",
        ),
        (lambda c: c.Conv2D(4, 0), "kernel_size is 0, but must be 2 positive integers"),
        (lambda c: c.Conv2D(0, 3), "filters is 0, but must be positive"),
        (lambda c: c.Conv2D(4, 3, padding="causal"), "time is the only axis that has causes"),
        (lambda c: c.Conv2D(4, 3, padding="full"), "'valid', 'same'"),
        (lambda c: c.Conv2D(4, 3, strides=2, dilation_rate=2), "only one of them may be above 1"),
        (lambda c: c.Conv2D(4, 3, groups=3), "4 filters do not divide into 3 groups"),
        (lambda c: c.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier is 0, but must be"),
    ],
)
def test_impossible_arguments(make: Any, fact: str) -> None:
    with pytest.raises(CompileError) as caught:
        make(convolution)
    assert fact in str(caught.value)


@pytest.mark.parametrize(
    ("make", "shape", "fact"),
    [
        (
            lambda c: c.Conv2D(4, 3),
            (1, 8, 8),
            "needs an input of 4 axes, but got one of shape (1, 8, 8)",
        ),
        (
            lambda c: c.Conv2D(4, 5),
            (1, 4, 8, 1),
            "the window covers 5 elements, but the axis has 4",
        ),
        (
            lambda c: c.Conv2D(4, 3, groups=2),
            (1, 8, 8, 3),
            "3 channels do not divide into 2 groups",
        ),
    ],
)
def test_inputs_that_do_not_fit(make: Any, shape: tuple[int, ...], fact: str) -> None:
    layer = make(convolution)
    with pytest.raises(CompileError) as caught:
        layer(np.zeros(shape, np.float32))
    assert fact in str(caught.value)
    assert f'in layer "{layer.name}"' in str(caught.value)


def test_weights_have_the_names_and_paths_of_keras() -> None:
    layer = convolution.SeparableConv2D(4, 3, name="both")
    layer(np.zeros((1, 5, 5, 2), np.float32))
    assert [w.path for w in layer.weights] == [
        "both/depthwise_kernel",
        "both/pointwise_kernel",
        "both/bias",
    ]


@pytest.mark.parametrize("name", ["DepthwiseConv2D", "SeparableConv2D"])
def test_configs_of_keras_2(name: str) -> None:
    cls = getattr(convolution, name)
    config = cls(**({"filters": 4} if name.startswith("S") else {}), kernel_size=3).get_config()
    glorot = {"class_name": "GlorotUniform", "config": {"seed": None}}
    old = {"groups": 1, "kernel_initializer": glorot, "kernel_constraint": None, "dtype": "float32"}
    assert cls.from_config(config | old).get_config() == config


@pytest.mark.parametrize(
    "alias", ["Convolution1D", "Convolution2D", "Convolution3D", "SeparableConvolution2D"]
)
def test_aliases(alias: str) -> None:
    assert getattr(convolution, alias).__name__ == getattr(keras.layers, alias).__name__
