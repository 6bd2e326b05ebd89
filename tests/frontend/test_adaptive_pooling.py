"""Pooling to a size, beside Keras."""

from typing import Any

import pytest

import kerac
from kerac.ir.errors import ShapeError
from tests.frontend.checking import check_layer

CASES: list[tuple[str, tuple[int, ...], Any]] = [
    ("1D", (2, 11, 3), 4),
    ("1D", (2, 6, 3), 1),
    ("1D", (2, 6, 3), 6),
    ("2D", (2, 7, 10, 3), (3, 4)),
    ("2D", (2, 8, 5, 2), 4),
    ("3D", (1, 5, 6, 4, 2), (2, 3, 3)),
]


@pytest.mark.parametrize("kind", ["Average", "Max"])
@pytest.mark.parametrize(("rank", "shape", "size"), CASES)
def test_adaptive_pooling(kind: str, rank: str, shape: tuple[int, ...], size: Any) -> None:
    check_layer(lambda layers: getattr(layers, f"Adaptive{kind}Pooling{rank}")(size), shape)


@pytest.mark.parametrize("kind", ["Average", "Max"])
def test_channels_first(kind: str) -> None:
    name = f"Adaptive{kind}Pooling2D"
    check_layer(
        lambda layers: getattr(layers, name)((2, 3), data_format="channels_first"), (2, 3, 7, 5)
    )


def test_lengths_that_are_not_known() -> None:
    with pytest.raises(ShapeError, match=r"to be pooled to \(2, 2\), but axis 1 is"):
        kerac.layers.AdaptiveMaxPooling2D(2)(kerac.Input((None, 4, 1)))
