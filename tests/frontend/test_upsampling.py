"""Upsampling against real Keras."""

from __future__ import annotations

from typing import Any

import pytest

from kerac.ir.errors import CompileError
from kerac.layers import upsampling
from tests.frontend.checking import check_layer

CASES: list[tuple[str, dict[str, Any]]] = [
    ("UpSampling1D", {}),
    ("UpSampling1D", {"size": 3}),
    ("UpSampling2D", {}),
    ("UpSampling2D", {"size": (1, 3), "data_format": "channels_first"}),
    ("UpSampling3D", {"size": 2}),
    ("UpSampling3D", {"size": (1, 2, 3), "data_format": "channels_first"}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_repetition(name: str, arguments: dict[str, Any]) -> None:
    check(name, arguments, (4, 3, 5))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("size", [(2, 3), (1, 4)])
def test_interpolation(interpolation: str, size: Any) -> None:
    check("UpSampling2D", {"size": size, "interpolation": interpolation}, (7, 9))


@pytest.mark.parametrize("interpolation", ["bilinear", "lanczos5"])
@pytest.mark.parametrize("length", [1, 3])
def test_interpolation_of_few_pixels(interpolation: str, length: int) -> None:
    arguments = {"interpolation": interpolation, "data_format": "channels_first"}
    check("UpSampling2D", arguments, (length, 4))


def check(name: str, arguments: dict[str, Any], spatial: tuple[int, ...]) -> None:
    rank = int(name[-2])
    first = arguments.get("data_format") == "channels_first"
    shape = (2, 3, *spatial[:rank]) if first else (2, *spatial[:rank], 3)
    for free in ((), range(2, rank + 2) if first else range(1, rank + 1)):
        check_layer(lambda layers: getattr(layers, name)(**arguments), shape, free=tuple(free))


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda: upsampling.UpSampling2D(0), "size is 0, but must be 2 positive integers"),
        (lambda: upsampling.UpSampling1D((2, 2)), "size is (2, 2), but must be a positive integer"),
        (lambda: upsampling.UpSampling2D(interpolation="area"), "'nearest', 'bilinear'"),
    ],
)
def test_mistakes(make: Any, fact: str) -> None:
    with pytest.raises(CompileError) as caught:
        make()
    assert fact in str(caught.value)
