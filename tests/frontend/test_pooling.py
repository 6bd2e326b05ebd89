"""Pooling layers against real Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kerac.ir.errors import CompileError
from kerac.layers import pooling
from tests.frontend.checking import check_layer, check_model


def random_shape(
    rank: int, data_format: str | None, generator: np.random.Generator
) -> tuple[int, ...]:
    spatial = tuple(int(n) for n in generator.integers(5, 9, rank))
    return (2, 3, *spatial) if data_format == "channels_first" else (2, *spatial, 3)


def spatial_axes(shape: tuple[int, ...], data_format: str | None) -> tuple[int, ...]:
    return tuple(
        range(2, len(shape)) if data_format == "channels_first" else range(1, len(shape) - 1)
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Max", "Average"])
def test_windows(kind: str, rank: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    name = f"{kind}Pooling{rank}D"

    def each() -> tuple[int, ...]:
        return tuple(int(n) for n in generator.integers(1, 4, rank))

    arguments: dict[str, Any] = {
        "pool_size": [2, each()][generator.integers(2)],
        "strides": [None, 1, each()][generator.integers(3)],
        "padding": ["valid", "same"][generator.integers(2)],
        "data_format": [None, "channels_last", "channels_first"][generator.integers(3)],
    }
    shape = random_shape(rank, arguments["data_format"], generator)
    free = () if seed % 2 else spatial_axes(shape, arguments["data_format"])
    check_layer(lambda layers: getattr(layers, name)(**arguments), shape, free=free)


@pytest.mark.parametrize(("keepdims", "data_format"), [(False, None), (True, "channels_first")])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Max", "Average"])
def test_everything(kind: str, rank: int, keepdims: bool, data_format: str | None) -> None:
    shape = random_shape(rank, data_format, np.random.default_rng(rank))
    name, arguments = (
        f"Global{kind}Pooling{rank}D",
        {"data_format": data_format, "keepdims": keepdims},
    )
    check_layer(
        lambda layers: getattr(layers, name)(**arguments),
        shape,
        free=spatial_axes(shape, data_format),
    )


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_mean_of_what_the_mask_keeps(keepdims: bool, data_format: Any) -> None:
    first = data_format == "channels_first"

    def make(library: Any) -> Any:
        x = library.Input((3, None) if first else (None, 3), name="x")
        mask = library.Input((None,), dtype="bool", name="mask")
        layer = library.layers.GlobalAveragePooling1D(data_format=data_format, keepdims=keepdims)
        return library.Model([x, mask], layer(x, mask=mask))

    generator = np.random.default_rng(7)
    x = generator.standard_normal((2, 3, 6) if first else (2, 6, 3)).astype(np.float32)
    check_model(make, [x, generator.random((2, 6)) < 0.6])


def test_masks_of_numbers() -> None:
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    mask = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], np.float32)
    expected = keras.layers.GlobalAveragePooling1D()(x, mask=mask)
    np.testing.assert_allclose(pooling.GlobalAveragePooling1D()(x, mask=mask), expected)


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda: pooling.MaxPooling2D(0), "pool_size is 0, but must be 2 positive integers"),
        (
            lambda: pooling.MaxPooling1D(2, strides=(1, 1)),
            "strides is (1, 1), but must be a positive",
        ),
        (lambda: pooling.AveragePooling2D(), "needs the argument 'pool_size'"),
        (
            lambda: pooling.MaxPooling2D()(np.zeros((2, 3, 3), np.float32)),
            "needs an input of 4 axes",
        ),
        (lambda: pooling.MaxPooling2D()(np.zeros((1, 1, 3, 1), np.float32)), "but the axis has 1"),
    ],
)
def test_mistakes(make: Any, fact: str) -> None:
    with pytest.raises(CompileError) as caught:
        make()
    assert fact in str(caught.value)


@pytest.mark.parametrize(
    "alias", ["MaxPool1D", "MaxPool2D", "AvgPool2D", "GlobalMaxPool2D", "GlobalAvgPool1D"]
)
def test_aliases(alias: str) -> None:
    assert getattr(pooling, alias).__name__ == getattr(keras.layers, alias).__name__
