"""`mixed_precision` knows one policy and refuses others in one message, wherever they are named."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import UnsupportedError

MIXED = "mixed_bfloat16"
WAYS: dict[str, Callable[[], Any]] = {
    "global policy": lambda: kerac.mixed_precision.set_global_policy(MIXED),
    "dtype policy": lambda: kerac.mixed_precision.set_dtype_policy(keras.DTypePolicy(MIXED)),
    "policy": lambda: kerac.mixed_precision.Policy(MIXED),
    "layer": lambda: kerac.layers.Dense(3, dtype=MIXED),
    "layer with a policy of Keras": lambda: kerac.layers.Dense(3, dtype=keras.DTypePolicy(MIXED)),
    "floatx": lambda: kerac.backend.set_floatx("bfloat16"),
}


@pytest.mark.parametrize("way", WAYS)
def test_other_policies_are_refused(way: str) -> None:
    with pytest.raises(UnsupportedError, match=r"'(mixed_)?bfloat16', but kerac computes in float"):
        WAYS[way]()


def test_the_policy_of_float32() -> None:
    names = set(dir(keras.mixed_precision))
    assert {name for name in names if not name.startswith("_")} <= set(dir(kerac.mixed_precision))
    for given in ("float32", keras.DTypePolicy("float32"), kerac.mixed_precision.Policy()):
        kerac.mixed_precision.set_global_policy(given)
    found = kerac.mixed_precision.global_policy()
    assert (found.name, found.compute_dtype, found.variable_dtype) == ("float32",) * 3
    assert found.serialize() == keras.saving.serialize_keras_object(keras.DTypePolicy("float32"))
    assert keras.DTypePolicy(**found.get_config()).name == "float32"
    layer = kerac.layers.Dense(3, dtype=found)
    assert layer(np.ones((2, 4), np.float32)).dtype == "float32"


def test_a_loss_scale_is_found_where_scripts_look_for_it() -> None:
    assert kerac.mixed_precision.LossScaleOptimizer is kerac.optimizers.LossScaleOptimizer
