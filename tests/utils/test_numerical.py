"""Labels, norms and padding against Keras's own functions."""

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError


@pytest.mark.parametrize("shape", [(), (7,), (7, 1), (3, 4), (3, 4, 1)])
@pytest.mark.parametrize("classes", [None, 12])
def test_to_categorical(shape: tuple[int, ...], classes: int | None) -> None:
    labels = np.random.default_rng(len(shape)).integers(0, 10, shape)
    expected = keras.utils.to_categorical(labels, classes)
    found = kerac.utils.np_utils.to_categorical(labels, classes)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_labels_outside_the_classes_are_refused(labels: list[int]) -> None:
    with pytest.raises(CompileError, match=r"3 classes, but 1 labels are not in 0 \.\.\. 2"):
        kerac.utils.to_categorical(labels, 3)


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_normalize(axis: int, order: float) -> None:
    x = np.random.default_rng(3).normal(size=(4, 5))
    x[1] = 0
    np.testing.assert_allclose(
        kerac.utils.normalize(x, axis, order), keras.utils.normalize(x, axis, order)
    )


def random_padding(seed: int) -> tuple[list, dict]:
    draw = np.random.default_rng(seed)
    items = [(), (2,)][draw.integers(2)]
    lengths = draw.integers(0, 6, draw.integers(1, 6))
    lengths[0] = max(lengths[0], 1)
    sequences = [draw.integers(1, 9, (n, *items)).tolist() for n in lengths]
    arguments = {
        "maxlen": draw.choice([None, 3, 8]),
        "dtype": str(draw.choice(["int32", "float32"])),
        "padding": str(draw.choice(["pre", "post"])),
        "truncating": str(draw.choice(["pre", "post"])),
        "value": int(draw.integers(0, 3)),
    }
    return sequences, arguments


@pytest.mark.parametrize("seed", range(20))
def test_pad_sequences(seed: int) -> None:
    sequences, arguments = random_padding(seed)
    found = kerac.utils.pad_sequences(sequences, **arguments)
    expected = keras.utils.pad_sequences(sequences, **arguments)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_pad_texts() -> None:
    words = [["a"], ["b", "c", "d"]]
    arguments = {"maxlen": 2, "dtype": object, "value": "-"}
    expected = keras.utils.pad_sequences(words, **arguments)
    np.testing.assert_array_equal(kerac.utils.pad_sequences(words, **arguments), expected)


@pytest.mark.parametrize(
    ("sequences", "arguments", "message"),
    [
        ([[1], 2], {}, "item 1 is 2, but a sequence"),
        ([[1]], {"padding": "left"}, "padding is 'left'"),
        ([[1]], {"value": "x"}, "value is the text 'x', but dtype is int32"),
        ([[[1]], [[1, 2]]], {}, r"items of sequence 1 have the shape \(2,\)"),
    ],
)
def test_what_cannot_be_padded(sequences: list, arguments: dict, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        kerac.utils.pad_sequences(sequences, **arguments)
