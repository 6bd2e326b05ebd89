"""Layers that move elements or pass them on."""

from typing import Any

import numpy as np
import pytest

from kerac import layers
from kerac.ir import CompileError, ShapeError
from tests.frontend.checking import check_layer


@pytest.mark.parametrize("data_format", [None, "channels_last", "channels_first"])
@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 4, 5), (3, 4, 5, 6)], ids=str)
def test_flatten(shape: tuple[int, ...], data_format: str | None) -> None:
    check_layer(lambda layers: layers.Flatten(data_format), shape)


def test_flatten_of_free_length() -> None:
    model = check_layer(lambda layers: layers.Flatten(), (3, 4, 5), free=[1])
    assert str(model.graph.outputs[0].type) == "f32[N, 5*T]"


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        ((6,), (3, 2, 3)),
        ((-1,), (3, 2, 3)),
        ((2, -1), (3, 4, 5)),
        ((-1, 1, 2), (3, 4)),
        ((3, 2, 1), (2, 6)),
    ],
)
def test_reshape(target: tuple[int, ...], shape: tuple[int, ...]) -> None:
    check_layer(lambda layers: layers.Reshape(target), shape)


def test_reshape_of_free_length() -> None:
    check_layer(lambda layers: layers.Reshape((-1, 2)), (3, 4, 6), free=[1])


@pytest.mark.parametrize("dims", [(1,), (2, 1), (3, 1, 2)], ids=str)
def test_permute(dims: tuple[int, ...]) -> None:
    check_layer(lambda layers: layers.Permute(dims), (2, 3, 4, 5)[: len(dims) + 1])


def test_repeat_vector() -> None:
    check_layer(lambda layers: layers.RepeatVector(4), (2, 3))


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_identity(dtype: str) -> None:
    check_layer(lambda layers: layers.Identity(), (2, 3), dtype=dtype)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Dropout", {"rate": 0.3}, (3, 4)),
        ("Dropout", {"rate": 0.0, "seed": 5, "noise_shape": (None, 1, 5)}, (3, 4, 5)),
        ("SpatialDropout1D", {"rate": 0.3}, (3, 4, 5)),
        ("SpatialDropout2D", {"rate": 0.3, "data_format": "channels_first"}, (3, 4, 5, 6)),
        ("SpatialDropout3D", {"rate": 0.3}, (2, 3, 4, 5, 6)),
        ("GaussianNoise", {"stddev": 0.2}, (3, 4)),
        ("GaussianDropout", {"rate": 0.2}, (3, 4)),
        ("AlphaDropout", {"rate": 0.2, "seed": 1}, (3, 4)),
        ("ActivityRegularization", {"l1": 0.5}, (3, 4)),
    ],
)
def test_inference_passes_on(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    check_layer(lambda layers: getattr(layers, name)(**arguments), shape)


def test_dropout_stays_in_the_graph() -> None:
    model = check_layer(lambda layers: layers.SpatialDropout1D(0.3), (3, 4, 5))
    assert "dropout(x0, rate=0.3, shared_axes=(1,))" in str(model.graph)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Reshape((-1, -1)), "leaves two lengths open"),
        (lambda: layers.Permute((1, 3)), "must name each axis from 1 on once"),
        (lambda: layers.RepeatVector(0), "must be positive"),
        (lambda: layers.Dropout(1.5), "rate is 1.5, but must lie between 0 and 1"),
        (lambda: layers.Flatten("channels"), "data_format is 'channels', but one of"),
    ],
)
def test_mistake(make: object, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (layers.Reshape((4,), name="a"), (2, 6), "6 elements, but target_shape .4,. has 4"),
        (layers.Reshape((4, -1), name="a"), (2, 6), "has 6 elements, but 4 do not divide it"),
        (layers.Permute((2, 1), name="a"), (2, 6), "dims names 2 axes"),
        (layers.RepeatVector(2, name="a"), (2, 6, 1), "must have 2 axes"),
        (layers.SpatialDropout1D(0.1, name="a"), (2, 6), "must have 3 axes"),
    ],
)
def test_shape_does_not_fit(layer: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=f'(?s){message}.*in layer "a"'):
        layer(np.ones(shape, "float32"))
