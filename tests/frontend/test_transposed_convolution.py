"""Transposed convolutions against real Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kerac import layers
from kerac.ir import CompileError
from tests.frontend.checking import check_layer


@pytest.mark.parametrize("seed", range(10))
def test_random_configuration(seed: int) -> None:
    choose = np.random.default_rng(seed)
    rank = int(choose.integers(1, 4))
    strides = [int(n) for n in choose.integers(1, 4, rank)]
    dilated = choose.random() < 0.3
    arguments: dict[str, Any] = {
        "filters": int(choose.integers(1, 6)),
        "kernel_size": [int(n) for n in choose.integers(1, 5, rank)],
        "strides": 1 if dilated else strides,
        "dilation_rate": 2 if dilated else 1,
        "padding": choose.choice(["valid", "same"]).item(),
        "use_bias": bool(choose.integers(2)),
        "activation": choose.choice(["relu", "linear"]).item(),
    }
    if not dilated and choose.random() < 0.5:
        arguments["output_padding"] = [int(choose.integers(0, stride)) for stride in strides]
    shape = (2, *(int(n) for n in choose.integers(3, 6, rank)), 3)
    name = f"Conv{rank}DTranspose"
    check_layer(lambda layers: getattr(layers, name)(**arguments), shape, seed=seed)


def test_channels_first_and_free_lengths() -> None:
    def make(layers: Any) -> Any:
        return layers.Conv2DTranspose(4, 3, strides=2, padding="same")

    check_layer(make, (2, 5, 6, 3), free=[1, 2])
    assert layers.Conv2DTranspose(4, 3, 2, data_format="channels_first")(
        np.ones((1, 3, 5, 6), "float32")
    ).shape == (1, 4, 11, 13)


def test_mistakes() -> None:
    with pytest.raises(CompileError, match=r"output_padding is .2, 2., but must be less"):
        layers.Conv2DTranspose(4, 3, strides=2, output_padding=2)
    with pytest.raises(CompileError, match="only one of them may be above 1"):
        layers.Conv1DTranspose(4, 3, strides=2, dilation_rate=2)
