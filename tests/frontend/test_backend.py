"""What old scripts ask of `keras.backend`, and the places where they look for layers."""

import importlib
from collections.abc import Iterator

import numpy as np
import pytest

import kerac
from kerac import backend as K  # noqa: N812 - as scripts call it
from kerac.ir.errors import CompileError


@pytest.fixture
def channels_first() -> Iterator[None]:
    K.set_image_data_format("channels_first")
    yield
    K.set_image_data_format("channels_last")


def test_settings() -> None:
    assert (K.backend(), K.floatx(), K.image_data_format()) == ("kerac", "float32", "channels_last")
    assert K.image_dim_ordering() == "tf"
    assert K.cast_to_floatx([1]).dtype == np.float32
    K.set_epsilon(1e-3)
    assert K.epsilon() == 1e-3
    K.set_epsilon(1e-7)
    K.set_floatx("float16")
    assert K.cast_to_floatx([1]).dtype == np.float16
    K.set_floatx("float32")
    with pytest.raises(CompileError, match="set to 'int32'"):
        K.set_floatx("int32")
    with pytest.raises(CompileError, match="set to 'middle'"):
        K.set_image_data_format("middle")


def test_numbers_for_names() -> None:
    K.clear_session()
    assert [K.get_uid("a"), K.get_uid("a"), K.get_uid("b")] == [1, 2, 1]
    K.clear_session()
    assert K.get_uid("a") == 1


def test_tensors_and_weights() -> None:
    dense = kerac.layers.Dense(2)
    tensor = kerac.Input((3,))
    assert K.is_keras_tensor(dense(tensor))
    assert not K.is_keras_tensor(np.zeros(3))
    assert (K.int_shape(tensor), K.ndim(tensor)) == ((None, 3), 2)
    K.set_value(dense.kernel, np.ones((3, 2)))
    assert (K.get_value(dense.kernel) == 1).all()


@pytest.mark.usefixtures("channels_first")
def test_layers_follow_the_backend() -> None:
    for layer in (
        kerac.layers.Conv2D(4, 3), kerac.layers.MaxPooling2D(), kerac.layers.Flatten(),
        kerac.layers.UpSampling2D(), kerac.layers.SpatialDropout2D(0.1),
    ):  # fmt: skip
        assert layer.get_config()["data_format"] == "channels_first"
    output = kerac.layers.Conv2D(4, 3)(kerac.Input((3, 8, 8)))
    assert output.shape == (None, 4, 6, 6)


@pytest.mark.parametrize(
    "name", ["core", "convolutional", "embeddings", "merge", "noise", "advanced_activations"]
)
def test_old_places(name: str) -> None:
    module = importlib.import_module(f"kerac.layers.{name}")
    for layer in module.__all__:
        assert getattr(module, layer) is getattr(kerac.layers, layer)
