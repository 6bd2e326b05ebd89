"""The names by which scripts call what Keras has, beside those of its classes."""

import importlib
import itertools
from typing import Any

import keras
import numpy as np
import pytest

import kerac

SHARED = {  # what a script finds in a module of Keras that kerac has, too
    "regularizers": ["l1", "l2", "l1_l2", "orthogonal_regularizer"],
    "constraints": ["max_norm", "min_max_norm", "non_neg", "unit_norm"],
    "initializers": [
        *("constant", "identity", "ones", "orthogonal", "zeros", "variance_scaling"),
        *("glorot_normal", "glorot_uniform", "he_normal", "he_uniform"),
        *("lecun_normal", "lecun_uniform", "random_normal", "random_uniform"),
        *("IdentityInitializer", "OrthogonalInitializer"),
    ],
    "metrics": [
        *("categorical_hinge", "hinge", "huber", "kl_divergence", "log_cosh", "poisson"),
        *("mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error"),
        *("mean_squared_logarithmic_error", "squared_hinge"),
        *("concordance_correlation", "pearson_correlation"),
        *("binary_focal_crossentropy", "categorical_focal_crossentropy"),
    ],
    "saving": [
        *("CustomObjectScope", "custom_object_scope", "get_custom_objects", "load_model"),
        *("get_registered_name", "get_registered_object", "register_keras_serializable"),
        *("save_model", "save_weights", "load_weights"),
        *("serialize_keras_object", "deserialize_keras_object"),
    ],
    "config": [
        *("backend", "dtype_policy", "epsilon", "floatx", "image_data_format"),
        *("set_dtype_policy", "set_epsilon", "set_floatx", "set_image_data_format"),
        *("disable_interactive_logging", "enable_interactive_logging", "set_backend"),
        *("is_interactive_logging_enabled", "is_traceback_filtering_enabled"),
        *("max_epochs", "max_steps_per_epoch", "set_max_epochs", "set_max_steps_per_epoch"),
    ],
    "backend": ["is_float_dtype", "is_int_dtype", "result_type", "standardize_dtype"],
    "random": [
        *("SeedGenerator", "beta", "binomial", "categorical", "dropout", "gamma", "normal"),
        *("randint", "shuffle", "truncated_normal", "uniform"),
    ],
    "utils": [
        *("Config", "get_source_inputs", "is_keras_tensor", "pack_x_y_sample_weight"),
        *("serialize_keras_object", "deserialize_keras_object"),
        *("standardize_dtype", "unpack_x_y_sample_weight", "enable_interactive_logging"),
    ],
    "tree": [
        *("MAP_TO_NONE", "assert_same_paths", "assert_same_structure", "flatten"),
        *("flatten_with_path", "is_nested", "lists_to_tuples", "map_shape_structure"),
        *("map_structure", "map_structure_up_to", "pack_sequence_as", "traverse"),
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


TOP = (
    *("Initializer", "InputSpec", "KerasTensor", "Loss", "Metric", "Optimizer", "Regularizer"),
    *("device", "name_scope", "version"),
)


@pytest.mark.parametrize("name", TOP)
def test_a_name_is_at_the_top(name: str) -> None:
    assert callable(getattr(keras, name))
    assert callable(getattr(kerac, name))
    assert name in kerac.__all__


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (kerac, "remat", "memory is planned by the compiler"),
        (kerac, "Function", r"Call kerac.Model\(inputs, outputs\)"),
        (kerac, "anything", "module 'kerac' has no attribute 'anything'$"),
        (kerac.config, "enable_flash_attention", "the compiler chooses"),
        (kerac.config, "enable_unsafe_deserialization", "code in a file is never run"),
    ],
)
def test_what_is_absent_says_what_to_use(module: Any, name: str, message: str) -> None:
    assert not hasattr(module, name)
    with pytest.raises(AttributeError, match=message):
        getattr(module, name)


DTYPES = (
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", int, float, None),
)


def test_dtypes() -> None:
    for dtype in (*DTYPES, np.float32, np.dtype("int8"), bool, str, np.zeros(1, "f8").dtype):
        for name in ("standardize_dtype", "is_float_dtype", "is_int_dtype"):
            assert getattr(kerac.backend, name)(dtype) == getattr(keras.backend, name)(dtype)
    assert kerac.backend.result_type() == keras.backend.result_type()
    for count in (1, 2, 3):
        for given in itertools.product(DTYPES, repeat=count):
            assert kerac.backend.result_type(*given) == keras.backend.result_type(*given), given
    with pytest.raises(ValueError, match="'float33' is no dtype"):
        kerac.backend.standardize_dtype("float33")


def test_device() -> None:
    with kerac.device("cpu:0"):
        pass
    message = "is 'gpu:0', but models run on 'cpu'"
    with pytest.raises(ValueError, match=message), kerac.device("gpu:0"):
        pass


def test_config_of_an_experiment() -> None:
    for config in (kerac.utils.Config(rate=0.1), keras.utils.Config(rate=0.1)):
        config.seed, config["name"] = 3, "a"
        assert (config.rate, config["seed"], "name" in config) == (0.1, 3, True)
        assert list(config) == ["name", "rate", "seed"]
        assert config.as_dict() == {"rate": 0.1, "seed": 3, "name": "a"}
        config.freeze()
        assert config.frozen
        with pytest.raises(ValueError, match="frozen"):
            config.seed = 4
        config.unfreeze()
        assert config.pop("seed") == 3
        assert len(config) == 2
        with pytest.raises(AttributeError, match="rate"):
            print(config.rata)


def test_batches_as_tuples() -> None:
    for given in (1, (1,), (1, 2), (1, 2, 3), [1, 2], ([1, 2],)):
        found = kerac.utils.unpack_x_y_sample_weight(given)
        assert found == keras.utils.unpack_x_y_sample_weight(given)
    for arguments in ((1,), ([1],), (1, 2), (1, 2, 3)):
        found = kerac.utils.pack_x_y_sample_weight(*arguments)
        assert found == keras.utils.pack_x_y_sample_weight(*arguments)


def test_source_inputs() -> None:
    first, second = kerac.Input((2,)), kerac.Input((2,))
    joined = kerac.layers.Dense(3)(first) + kerac.layers.Dense(3)(second)
    assert kerac.utils.get_source_inputs(joined) == [first, second]
    assert kerac.utils.get_source_inputs(first) == [first]


@pytest.mark.parametrize("name", ["concordance_correlation", "pearson_correlation"])
def test_correlations(name: str) -> None:
    generator = np.random.default_rng(0)
    y_true, y_pred = generator.normal(size=(2, 4, 6)).astype("float32")
    for axis in (-1, 0):
        ours, theirs = (
            getattr(k.metrics, name)(y_true, y_pred, axis=axis) for k in (kerac, keras)
        )
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-5, atol=1e-6)
