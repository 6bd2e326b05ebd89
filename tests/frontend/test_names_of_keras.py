"""The names by which scripts call what Keras has, beside those of its classes."""

import importlib
from typing import Any

import keras
import pytest

import kerac

SHARED = {  # what a script finds in a module of Keras that kerac has, too
    "regularizers": ["l1", "l2", "l1_l2", "orthogonal_regularizer"],
    "constraints": ["max_norm", "min_max_norm", "non_neg", "unit_norm"],
    "initializers": [
        *("constant", "identity", "ones", "orthogonal", "zeros", "variance_scaling"),
        *("glorot_normal", "glorot_uniform", "he_normal", "he_uniform"),
        *("lecun_normal", "lecun_uniform", "random_normal", "random_uniform"),
    ],
    "metrics": [
        *("categorical_hinge", "hinge", "huber", "kl_divergence", "log_cosh", "poisson"),
        *("mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error"),
        *("mean_squared_logarithmic_error", "squared_hinge"),
        *("binary_focal_crossentropy", "categorical_focal_crossentropy"),
    ],
    "saving": [
        *("CustomObjectScope", "custom_object_scope", "get_custom_objects", "load_model"),
        *("get_registered_name", "get_registered_object", "register_keras_serializable"),
        "save_model",
    ],
    "config": [
        *("backend", "dtype_policy", "epsilon", "floatx", "image_data_format"),
        *("set_dtype_policy", "set_epsilon", "set_floatx", "set_image_data_format"),
    ],
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in SHARED for name in SHARED[module]]
)
def test_a_name_is_in_the_same_module(module: str, name: str) -> None:
    assert hasattr(getattr(keras, module), name)
    ours = importlib.import_module(f"kerac.{module}")
    assert callable(getattr(ours, name))
    assert getattr(kerac, module) is ours


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        ("regularizers", "l2", (0.02,)), ("regularizers", "l1_l2", (0.02, 0.3)),
        ("constraints", "max_norm", (2.5,)), ("initializers", "he_normal", ()),
        ("initializers", "constant", (3,)), ("initializers", "variance_scaling", (2.0, "fan_out")),
    ],
)  # fmt: skip
def test_what_a_short_name_makes(module: str, name: str, arguments: tuple[Any, ...]) -> None:
    ours, theirs = (getattr(getattr(k, module), name)(*arguments) for k in (kerac, keras))
    # newer versions of Keras add arguments
    assert ours.get_config().items() <= theirs.get_config().items()
    assert type(ours).__name__ == type(theirs).__name__
