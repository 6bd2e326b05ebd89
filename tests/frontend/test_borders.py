"""Padding and cropping against real Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kerac.ir.errors import CompileError
from kerac.layers import borders
from tests.frontend.checking import check_layer

CASES: list[tuple[str, dict[str, Any]]] = [
    ("ZeroPadding1D", {}),
    ("ZeroPadding1D", {"padding": 2}),
    ("ZeroPadding1D", {"padding": (0, 3), "data_format": "channels_first"}),
    ("ZeroPadding2D", {}),
    ("ZeroPadding2D", {"padding": 2, "data_format": "channels_last"}),
    ("ZeroPadding2D", {"padding": (1, 2)}),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 3)), "data_format": "channels_first"}),
    ("ZeroPadding3D", {}),
    ("ZeroPadding3D", {"padding": ((1, 0), (2, 3), (0, 0))}),
    ("Cropping1D", {}),
    ("Cropping1D", {"cropping": 2}),
    ("Cropping1D", {"cropping": (0, 3)}),
    ("Cropping2D", {}),
    ("Cropping2D", {"cropping": 1, "data_format": "channels_first"}),
    ("Cropping2D", {"cropping": (1, 2)}),
    ("Cropping2D", {"cropping": ((1, 0), (2, 1))}),
    ("Cropping3D", {}),
    ("Cropping3D", {"cropping": ((1, 0), (0, 2), (0, 0)), "data_format": "channels_first"}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_as_keras_has_it(name: str, arguments: dict[str, Any]) -> None:
    rank = int(name[-2])
    shape = (2, *(6, 5, 7, 4)[: rank + 1])
    first = arguments.get("data_format") == "channels_first"
    free = range(2, rank + 2) if first else range(1, rank + 1)
    check_layer(lambda layers: getattr(layers, name)(**arguments), shape, free=tuple(free))


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda: borders.ZeroPadding2D(-1), "padding is -1, but must be 2 pairs of integers >= 0"),
        (lambda: borders.ZeroPadding2D((1, 2, 3)), "but must be 2 pairs of integers >= 0"),
        (lambda: borders.ZeroPadding1D((1, 2, 3)), "but must be two integers >= 0"),
        (lambda: borders.ZeroPadding1D(((1, 2),)), "but must be two integers >= 0"),
        (
            lambda: borders.Cropping2D(2)(np.zeros((1, 4, 9, 1), np.float32)),
            "takes 2 + 2 elements from axis 1",
        ),
    ],
)
def test_mistakes(make: Any, fact: str) -> None:
    with pytest.raises(CompileError) as caught:
        make()
    assert fact in str(caught.value)
