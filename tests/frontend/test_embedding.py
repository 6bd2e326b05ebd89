"""Embedding, masks, and layers that prepare data."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import kerac
from kerac.ir import CompileError
from tests.frontend.checking import check_layer, check_model, random_arrays


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
@pytest.mark.parametrize("shape", [(4,), (4, 6), (2, 3, 5)], ids=str)
def test_embedding(shape: tuple[int, ...], dtype: str) -> None:
    if dtype == "float32":
        words = random_arrays([shape], "int32", high=9)[0].astype(dtype)
        check_model(
            lambda library: library.Sequential(
                [library.Input(shape[1:], name="x"), library.layers.Embedding(10, 3)]
            ),
            [words],
        )
    elif dtype != "int64":  # jax computes in 32 bits
        check_layer(lambda layers: layers.Embedding(10, 3), shape, dtype=dtype, high=10)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"tie_weights": False}, {"logit_soft_cap": 0.3, "mask_zero": True}],
    ids=str,
)
def test_reversible_embedding(arguments: dict[str, Any]) -> None:
    def make(library: ModuleType) -> Any:
        words = library.Input((6,), dtype="int32", name="words")
        embedding = library.layers.ReversibleEmbedding(9, 4, **arguments)
        vectors = embedding(words)
        scores = embedding(library.layers.Dense(4)(vectors), reverse=True)
        mean = library.layers.GlobalAveragePooling1D()(vectors)
        return library.Model(words, [scores, mean], name="model")

    check_model(make, random_arrays([(3, 6)], "int32", high=9))


@pytest.mark.parametrize("mask_value", [0.0, 2.5])
def test_masking(mask_value: float) -> None:
    x = random_arrays([(3, 6, 4)])[0]
    x[:, 2] = mask_value
    x[0, 4:] = mask_value

    def make(library: ModuleType) -> Any:
        inputs = library.Input((6, 4), name="x")
        masked = library.layers.Masking(mask_value)(inputs)
        return library.Model(inputs, [masked, library.layers.GlobalAveragePooling1D()(masked)])

    check_model(make, [x])


def show_mask(library: ModuleType, *between: Any) -> Any:
    """Words, an embedding with a mask, layers between, and the mean of the steps that count."""
    inputs = library.Input((6,), dtype="int32", name="words")
    x = library.layers.Embedding(5, 4, mask_zero=True)(inputs)
    for layer in between:
        x = layer(x)
    return library.Model(inputs, library.layers.GlobalAveragePooling1D()(x))


@pytest.mark.parametrize(
    "make",
    [
        lambda layers: layers.Dense(3),
        lambda layers: layers.Activation("relu"),
        lambda layers: layers.ReLU(),
        lambda layers: layers.PReLU(),
        lambda layers: layers.ELU(),
        lambda layers: layers.LeakyReLU(),
        lambda layers: layers.Dropout(0.5),
        lambda layers: layers.SpatialDropout1D(0.5),
        lambda layers: layers.GaussianNoise(0.5),
        lambda layers: layers.Identity(),
        lambda layers: layers.Rescaling(2.0),
        lambda layers: layers.ActivityRegularization(0.1),
    ],
)
def test_layers_pass_masks_on(make: Any) -> None:
    check_model(lambda library: show_mask(library, make(library.layers)), words())


@pytest.mark.filterwarnings("ignore:Layer 'reshape':UserWarning")
def test_layers_that_do_not_support_masks_end_them() -> None:
    def make(library: ModuleType) -> Any:
        between = [library.layers.Reshape(shape) for shape in [(6, 2, 2), (6, 4)]]
        return show_mask(library, *between)

    check_model(make, words())


@pytest.mark.filterwarnings("ignore:Layer 'inner':UserWarning")
def test_masks_pass_models_inside() -> None:
    def make(library: ModuleType) -> Any:
        inner = library.Sequential(
            [library.Input((6, 4)), library.layers.Dense(3), library.layers.ReLU()], name="inner"
        )
        x = library.Input((6,), dtype="int32", name="words")
        y = inner(library.layers.Embedding(5, 4, mask_zero=True)(x))
        return library.Model(x, library.layers.GlobalAveragePooling1D()(y))

    check_model(make, words())


def test_masks_leave_models_inside() -> None:
    def make(library: ModuleType) -> Any:
        inner = library.Sequential(
            [library.Input((6,), dtype="int32"), library.layers.Embedding(5, 4, mask_zero=True)],
            name="inner",
        )
        x = library.Input((6,), dtype="int32", name="words")
        return library.Model(x, library.layers.GlobalAveragePooling1D()(inner(x)))

    check_model(make, words())


def words() -> list[np.ndarray]:
    """Numbers of words, 0 where there is none."""
    return random_arrays([(5, 6)], "int32", high=4)


@pytest.mark.parametrize("scale", [0.5, 1 / 255, [1.0, 2.0, 3.0]])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_rescaling(scale: Any, dtype: str) -> None:
    check_layer(lambda layers: layers.Rescaling(scale, offset=-1), (2, 4, 3), dtype=dtype, high=255)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"axis": 1},
        {"axis": None},
        {"axis": (1, 2)},
        {"mean": 0.4, "variance": 2.0},
        {"mean": [0.1, 0.2, 0.3], "variance": [1.0, 2.0, 3.0]},
        {"mean": [0.1, 0.2, 0.3], "variance": [1.0, 2.0, 3.0], "invert": True},
        {"invert": True},
    ],
    ids=str,
)
def test_normalization(arguments: dict[str, Any]) -> None:
    check_layer(lambda layers: layers.Normalization(**arguments), (2, 4, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kerac.layers.Embedding(0, 3), "input_dim is 0, but must be positive"),
        (lambda: kerac.layers.Normalization(mean=1.0), "needs both mean and variance"),
        (lambda: kerac.layers.Rescaling("a"), "scale is 'a', but numbers are expected"),
    ],
)
def test_mistake(make: Any, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        make()


def test_weights_given_to_the_layer() -> None:
    table = np.arange(6, dtype="float32").reshape(3, 2)
    layer = kerac.layers.Embedding(3, 2, weights=[table])
    np.testing.assert_array_equal(layer(np.array([2, 0])), table[[2, 0]])
