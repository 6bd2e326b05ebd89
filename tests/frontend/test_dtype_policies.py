"""Dtype policies beside Keras: one model with every kind of layer for each policy, both ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError
from tests.compare import assert_close

Make = Callable[[Any], Any]

GLOROT = "glorot_uniform"  # jax lacks the orthogonal one in 16 bits
INPUTS = {"image": (8, 8, 4), "line": (8, 4), "steps": (5, 6), "vector": (6,), "words": (5,)}
# by name: what the layer reads, and the layer
LAYERS: dict[str, tuple[str, Make]] = {
    "dense": ("vector", lambda k: k.layers.Dense(7, activation="tanh")),
    "dense_steps": ("steps", lambda k: k.layers.Dense(7, activation="gelu")),
    "einsum": ("steps", lambda k: k.layers.EinsumDense("abc,cd->abd", (None, 9), bias_axes="d")),
    "conv1d": ("line", lambda k: k.layers.Conv1D(5, 3, activation="relu")),
    "conv2d": ("image", lambda k: k.layers.Conv2D(5, 3, padding="same", activation="silu")),
    "strided": ("image", lambda k: k.layers.Conv2D(40, 3, strides=2, padding="same")),
    "grouped": ("image", lambda k: k.layers.Conv2D(6, 3, groups=2)),
    "depthwise": ("image", lambda k: k.layers.DepthwiseConv2D(3, padding="same")),
    "separable": ("image", lambda k: k.layers.SeparableConv2D(5, 3)),
    "transposed": ("image", lambda k: k.layers.Conv2DTranspose(5, 3, strides=2)),
    "batch_norm": ("image", lambda k: k.layers.BatchNormalization()),
    "layer_norm": ("steps", lambda k: k.layers.LayerNormalization()),
    "group_norm": ("image", lambda k: k.layers.GroupNormalization(2)),
    "rms_norm": ("steps", lambda k: k.layers.RMSNormalization()),
    "unit_norm": ("steps", lambda k: k.layers.UnitNormalization()),
    "max_pool": ("image", lambda k: k.layers.MaxPooling2D()),
    "average_pool": ("image", lambda k: k.layers.AveragePooling2D(3, 2, "same")),
    "global_pool": ("image", lambda k: k.layers.GlobalAveragePooling2D()),
    "softmax": ("vector", lambda k: k.layers.Softmax()),
    "relu": ("vector", lambda k: k.layers.ReLU(3.0, 0.1)),
    "prelu": ("vector", lambda k: k.layers.PReLU("ones")),
    "elu": ("vector", lambda k: k.layers.ELU()),
    "flatten": ("image", lambda k: k.layers.Flatten()),
    "reshape": ("vector", lambda k: k.layers.Reshape((2, 3))),
    "padding": ("image", lambda k: k.layers.ZeroPadding2D(1)),
    "upsampling": ("image", lambda k: k.layers.UpSampling2D(2, interpolation="bilinear")),
    "rescaling": ("image", lambda k: k.layers.Rescaling(0.5, 1.0)),
    "normalization": ("vector", lambda k: k.layers.Normalization(mean=0.5, variance=2.0)),
    "dropout": ("vector", lambda k: k.layers.Dropout(0.5)),
    "embedding": ("words", lambda k: k.layers.Embedding(10, 6)),
    "lstm": ("steps", lambda k: k.layers.LSTM(5, recurrent_initializer=GLOROT)),
    "gru": (
        "steps",
        lambda k: k.layers.GRU(5, recurrent_initializer=GLOROT, return_sequences=True),
    ),
    "simple_rnn": ("steps", lambda k: k.layers.SimpleRNN(5, recurrent_initializer=GLOROT)),
    "bidirectional": (
        "steps",
        lambda k: k.layers.Bidirectional(k.layers.LSTM(4, recurrent_initializer=GLOROT)),
    ),
    "distributed": ("steps", lambda k: k.layers.TimeDistributed(k.layers.Dense(4))),
    "conv_lstm": ("image", lambda k: k.layers.ConvLSTM1D(3, 3, recurrent_initializer=GLOROT)),
    "float32": ("vector", lambda k: k.layers.Dense(7, activation="softmax", dtype="float32")),
}
# the errors of a few roundings, as parts of the largest number
POLICIES = {
    "mixed_bfloat16": 3e-2,
    "mixed_float16": 4e-3,
    "bfloat16": 3e-2,
    "float16": 4e-3,
}


@pytest.fixture(autouse=True)
def _policies() -> Any:
    yield
    for module in (keras, kerac):
        module.config.set_dtype_policy("float32")
        module.config.set_floatx("float32")


def network(k: Any, policy: str) -> Any:
    """A model with an output for each layer, and one where several meet."""
    k.config.set_dtype_policy(policy)
    inputs = {
        name: k.Input(shape, name=name, dtype="int32" if name == "words" else None)
        for name, shape in INPUTS.items()
    }
    outputs = {}
    for name, (source, make) in LAYERS.items():
        layer = make(k)
        layer.name = name
        outputs[name] = layer(inputs[source])
    steps = inputs["steps"]
    if not policy.endswith("_float16") and policy != "float16":  # which jax lacks on processors
        outputs["attention"] = k.layers.MultiHeadAttention(2, 3, name="attention")(steps, steps)
    outputs["dot"] = k.layers.Attention(name="dot")([steps, steps])
    first = k.layers.Dense(6)(steps[:, 0])
    outputs["summed"] = k.layers.Add(name="summed")([inputs["vector"], first])
    outputs["mixed"] = k.ops.tanh(outputs["dense"]) * 2.0 + outputs["float32"]
    return k.Model(inputs, outputs)


def batch() -> dict[str, Any]:
    generator = np.random.default_rng(3)
    return {
        name: generator.integers(0, 10, (3, *shape)).astype("int32")
        if name == "words"
        else generator.normal(size=(3, *shape)).astype("float32")
        for name, shape in INPUTS.items()
    }


def compare(actual: Any, expected: Any, tolerance: float) -> None:
    assert actual.keys() == expected.keys()
    wrong = []
    for name, wanted in expected.items():
        assert actual[name].dtype == wanted.dtype, name
        try:
            assert_close(*(np.asarray(x, np.float64) for x in (actual[name], wanted)), tolerance)
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # in Keras's unit norms
@pytest.mark.parametrize("policy", POLICIES)
def test_models_of_a_policy_go_both_ways(policy: str, tmp_path: Path) -> None:
    tolerance, x = POLICIES[policy], batch()
    theirs = network(keras, policy)
    expected = theirs.predict(x, verbose=0)
    theirs.save(tmp_path / "theirs.keras")
    for module in (keras, kerac):
        module.config.set_dtype_policy("float32")
    ours = kerac.models.load_model(tmp_path / "theirs.keras")
    for layer in theirs.layers:
        own = ours.get_layer(layer.name)
        for attribute in ("compute_dtype", "variable_dtype", "dtype"):
            if isinstance(layer, keras.layers.InputLayer):
                continue
            assert getattr(own, attribute) == getattr(layer, attribute), layer.name
        assert [v.dtype for v in own.weights] == [v.dtype for v in layer.weights], layer.name
    compare(ours.predict(x, verbose=0), expected, tolerance)
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras")
    compare(again.predict(x, verbose=0), expected, 1e-6)


def test_policies_are_those_of_keras() -> None:
    for name in (*POLICIES, "float32", "float64"):
        theirs, ours = keras.DTypePolicy(name), kerac.DTypePolicy(name)
        assert (ours.name, ours.compute_dtype) == (theirs.name, theirs.compute_dtype)
        assert ours.variable_dtype == theirs.variable_dtype
        assert repr(ours) == repr(theirs)
        serialized = kerac.dtype_policies.serialize(ours)
        assert serialized == keras.dtype_policies.serialize(theirs)
        for given in (name, theirs, serialized, ours, ours.get_config() | {}):
            if given != {"name": name}:
                assert kerac.dtype_policies.get(given) == ours
        assert keras.dtype_policies.deserialize(serialized) == theirs
    assert kerac.dtype_policies.get(np.float64).name == "float64"
    names = {name for name in dir(keras.mixed_precision) if not name.startswith("_")}
    assert names <= set(dir(kerac.mixed_precision))


def test_the_global_policy_is_that_of_layers_without_one() -> None:
    kerac.mixed_precision.set_global_policy("mixed_bfloat16")
    assert kerac.config.dtype_policy() == kerac.mixed_precision.global_policy()
    layer = kerac.layers.Dense(3)
    assert (layer.compute_dtype, layer.dtype) == ("bfloat16", "float32")
    assert layer(np.ones((2, 4), np.float32)).dtype.name == "bfloat16"
    own = kerac.layers.Dense(3, dtype="float64")
    assert own(np.ones((2, 4), np.float32)).dtype == "float64"
    assert own.kernel.dtype == "float64"
    assert kerac.layers.LSTM(3, dtype="float16").cell.compute_dtype == "float16"


def test_a_map_chooses_by_the_paths_of_layers() -> None:
    policies: Any = {"first": keras.DTypePolicy("bfloat16"), "block/.*": "mixed_float16"}
    maps = [k.dtype_policies.DTypePolicyMap("float32") for k in (keras, kerac)]
    for found in maps:
        for key, policy in policies.items():
            found[key] = getattr(policy, "name", policy)
    theirs, ours = maps
    for path in ("first", "block/dense", "block", "other"):
        assert ours[path].name == theirs[path].name
    assert kerac.dtype_policies.get(theirs) == ours
    again = kerac.dtype_policies.deserialize(kerac.dtype_policies.serialize(ours))
    assert again == ours
    layer = kerac.layers.Dense(3, dtype=ours, name="first")
    assert layer(kerac.Input((4,))).dtype == "bfloat16"
    assert layer.kernel.dtype == "bfloat16"
    assert kerac.layers.Dense.from_config(layer.get_config()).dtype_policy == ours


@pytest.mark.parametrize("given", ["int8_from_float32", "mixed", 3.5, "int32"])
def test_what_is_no_policy_for_layers_is_refused(given: Any) -> None:
    with pytest.raises(CompileError, match="Dense 'd'"):
        kerac.layers.Dense(3, dtype=given, name="d")
