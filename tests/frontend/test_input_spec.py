"""What layers say about their inputs in `input_spec`, against Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import kerac

IMAGE = np.zeros((2, 4, 5, 1), "float32")
SPECS: list[tuple[dict[str, Any], Any]] = [
    ({"ndim": 4}, IMAGE), ({"ndim": 3}, IMAGE), ({"min_ndim": 5}, IMAGE), ({"max_ndim": 3}, IMAGE),
    ({"min_ndim": 2, "max_ndim": 4}, IMAGE), ({"axes": {-1: 1}}, IMAGE), ({"axes": {-1: 3}}, IMAGE),
    ({"axes": {1: None}}, IMAGE), ({"shape": (None, 4, 5, 1)}, IMAGE), ({"ndim": 1}, [IMAGE] * 2),
    ({"shape": (None, 4, 6, 1)}, IMAGE), ({"dtype": "float32"}, IMAGE), ({"dtype": "int32"}, IMAGE),
    ({"shape": (None, 4, 5), "allow_last_axis_squeeze": True}, IMAGE),
]  # fmt: skip


def is_refused(module: Any, spec: dict[str, Any], inputs: Any) -> bool:
    class Same(module.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.input_spec = module.InputSpec(**spec)

        def call(self, inputs: Any) -> Any:
            return inputs

    try:
        Same()(inputs)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("number", range(len(SPECS)))
def test_checks(number: int) -> None:
    spec, inputs = SPECS[number]
    assert is_refused(kerac, spec, inputs) == is_refused(keras, spec, inputs)
    ours, theirs = (module.layers.InputSpec(**spec) for module in (kerac, keras))
    assert ours.get_config() == theirs.get_config()
    arguments = {k: v for k, v in spec.items() if k != "allow_last_axis_squeeze"}
    assert kerac.InputSpec.from_config(arguments).get_config() == ours.get_config()


def test_errors() -> None:
    class Same(kerac.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    layer = Same(name="same")
    layer.input_spec = kerac.InputSpec(min_ndim=5, dtype="int32")
    message = r"Same: the input must have at least 5 axes and must be int32, but is f32\[2, 4"
    with pytest.raises(ValueError, match=message):
        layer(IMAGE)
    layer.input_spec = [kerac.InputSpec(ndim=4, name="first"), kerac.InputSpec(ndim=3)]
    with pytest.raises(ValueError, match="same: takes 2 inputs, but got 1"):
        layer(IMAGE)
    with pytest.raises(ValueError, match="axes name axis 4, but there are at most 3"):
        kerac.InputSpec(ndim=3, axes={4: 1})
