"""Serialized objects as data, and the list of everything that nobody knows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from kerac.ir.errors import FormatError, UnsupportedError
from kerac.saving.config import (
    CODE,
    InboundNode,
    SerializedFunction,
    SerializedObject,
    TensorReference,
    decode_config,
)
from kerac.saving.json_text import parse_json
from kerac.saving.layer_classes import layer_classes, refuse_unknown_layers


def layer(
    class_name: str, name: str, module: str | None = "keras.layers", **config: Any
) -> dict[str, Any]:
    result: dict[str, Any] = {"class_name": class_name, "config": {"name": name, **config}}
    if module is not None:
        result.update(module=module, registered_name=None)
    return result


def model(*layers: dict[str, Any], class_name: str = "Sequential", **config: Any) -> dict[str, Any]:
    return layer(class_name, "model", "keras", layers=list(layers), **config)


def decode(value: dict[str, Any]) -> SerializedObject:
    return decode_config(parse_json(json.dumps(value), "config.json"), "config.json")


def decoded_value(value: Any) -> Any:
    return decode(model(layer("Dense", "dense", value=value))).config["layers"][0].config["value"]


def tensor(name: str, node: int = 0, index: int = 0) -> dict[str, Any]:
    config = {"shape": [None, 3], "dtype": "float32", "keras_history": [name, node, index]}
    return {"class_name": "__keras_tensor__", "config": config}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"class_name": "__tuple__", "items": [1, [2]]}, (1, [2])),
        ({"class_name": "TensorShape", "items": [None, 3]}, (None, 3)),
        ({"class_name": "__ellipsis__", "config": {}}, ...),
        ({"class_name": "__bytes__", "config": {"value": "a"}}, b"a"),
        ({"class_name": "__bytes__", "value": "a"}, b"a"),
        (
            {"class_name": "__slice__", "config": {"start": None, "stop": 3, "step": None}},
            slice(None, 3, None),
        ),
        (tensor("x", 1, 2), TensorReference("x", 1, 2)),
        (
            {"class_name": "DTypePolicy", "module": "keras", "config": {"name": "float16"}},
            "float16",
        ),
        ({"class_name": "Policy", "config": {"name": "mixed_float16"}}, "mixed_float16"),
        ({"class_name": "plain", "other": 1}, {"class_name": "plain", "other": 1}),
        ([{"a": [1, {"b": None}]}], [{"a": [1, {"b": None}]}]),
    ],
)
def test_values(value: Any, expected: Any) -> None:
    assert decoded_value(value) == expected


def test_arrays() -> None:
    for class_name in ("__numpy__", "__tensor__"):
        value = {
            "class_name": class_name,
            "config": {"value": [[1, 2], [3, 4]], "dtype": "float32"},
        }
        expected = np.array([[1, 2], [3, 4]], "f4")
        np.testing.assert_array_equal(decoded_value(value), expected, strict=True)


def test_tensors_know_their_type() -> None:
    reference = decoded_value(tensor("x"))
    assert reference.shape == (None, 3)
    assert reference.dtype == "float32"


def test_functions() -> None:
    value = {"class_name": "function", "module": "builtins", "config": "f", "registered_name": "f"}
    assert decoded_value(value) == SerializedFunction("f", "builtins", "f", "dense.value")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"class_name": "__numpy__", "config": {"value": [[1], [2, 3]], "dtype": "float32"}},
            "equal rows",
        ),
        (
            {"class_name": "__numpy__", "config": {"value": ["x"], "dtype": "object"}},
            "dtype 'object'",
        ),
        ({"class_name": "__numpy__", "config": {"value": [300], "dtype": "int8"}}, "equal rows"),
        (
            {"class_name": "__keras_tensor__", "config": {"keras_history": ["x"]}},
            "comes from ['x']",
        ),
        (
            {"class_name": "function", "config": {"a": 1}},
            "config is {'a': 1}, but a text is expected",
        ),
        (
            {"class_name": "Zeros", "config": 3},
            "the config of Zeros is 3, but an object is expected",
        ),
        ({"class_name": 3, "config": {}}, "class_name is 3, but a text is expected"),
        (
            {"class_name": "Zeros", "config": {}, "module": []},
            "module is [], but a text is expected",
        ),
        ({"class_name": "Zeros", "config": {"name": 1}}, "name is 1, but a text is expected"),
        (
            {"class_name": "Zeros", "config": {}, "shared_object_id": True},
            "but an integer is expected",
        ),
        ({"class_name": "DTypePolicy", "config": {}}, "name is None, but a text is expected"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        decoded_value(value)
    assert str(caught.value).startswith("config.json: dense.value: ")
    assert message in str(caught.value)


def test_what_is_no_model_says_so() -> None:
    with pytest.raises(FormatError, match="has no class_name and config, but a Keras model is"):
        decode({"layers": []})


def test_old_sequential_models() -> None:
    old = decode({"class_name": "Sequential", "config": [layer("Dense", "dense", None, units=3)]})
    assert old.config["layers"][0].config["units"] == 3


def test_calls_in_both_forms() -> None:
    new = {"args": [[tensor("a"), tensor("b", 1)]], "kwargs": {"mask": None, "state": tensor("c")}}
    old = [["a", 0, 0, {}], ["b", 1, 0, {"mask": None, "state": ["c", 0, 0]}]]
    for node in (new, old):
        value = model({**layer("Add", "add"), "name": "add", "inbound_nodes": [node]})
        (found,) = decode(value).config["layers"][0].inbound_nodes
        assert found == InboundNode(
            ([TensorReference("a", 0, 0), TensorReference("b", 1, 0)],),
            {"mask": None, "state": TensorReference("c", 0, 0)},
        )


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ([["a", 0, 0, {}]], InboundNode((TensorReference("a", 0, 0),), {})),
        ([["a", 0, 0]], InboundNode((TensorReference("a", 0, 0),), {})),
        (["a", 0, 0], InboundNode((TensorReference("a", 0, 0),), {})),
        ([["_CONSTANT_VALUE", -1, 2.5, {}]], InboundNode((2.5,), {})),
        ([], InboundNode((), {})),
    ],
)
def test_old_calls(node: Any, expected: InboundNode) -> None:
    value = model({**layer("Dense", "dense"), "inbound_nodes": [node]})
    assert decode(value).config["layers"][0].inbound_nodes == (expected,)


@pytest.mark.parametrize(
    "node", [3, "a", [3], [["a", 0]], [["a", 0, 0, 3]], {"args": 3, "kwargs": {}}]
)
def test_calls_that_do_not_fit(node: Any) -> None:
    with pytest.raises(FormatError, match=r"^config\.json: dense: "):
        decode(model({**layer("Dense", "dense"), "inbound_nodes": [node]}))


def test_inputs_and_outputs_of_a_model() -> None:
    value = model(
        class_name="Functional",
        input_layers=[["a", 0, 0], ["b", 0, 0]],
        output_layers={"y": ["c", 0, 1]},
    )
    found = decode(value)
    assert found.config["input_layers"] == [TensorReference("a", 0, 0), TensorReference("b", 0, 0)]
    assert found.config["output_layers"] == {"y": TensorReference("c", 0, 1)}


def test_paths_follow_the_names_of_layers() -> None:
    cell = layer(
        "LSTMCell", "cell", kernel_initializer=layer("Zeros", "zeros", "keras.initializers")
    )
    inner = model(layer("TimeDistributed", "each", layer=layer("RNN", "rnn", cell=[cell])))
    found = decode(model(layer("Dense", "first"), inner))
    assert [(item.class_name, item.path) for item in layer_classes(found)] == [
        ("Sequential", ""),
        ("Dense", "first"),
        ("Sequential", "model"),
        ("TimeDistributed", "model/each"),
        ("RNN", "model/each/rnn"),
        ("LSTMCell", "model/each/rnn/cell"),
    ]
    assert [item.path for item in found.walk()][-1] == "model/each/rnn/cell.kernel_initializer"


def test_code_in_a_file_is_dropped() -> None:
    lambda_value = {"class_name": CODE, "config": {"value": ["4wEAAAA", None, None]}}
    old_lambda = layer("Lambda", "old", None, function=["4wEAAAA", None, None])
    found = decode(model(layer("Dense", "dense", activation=lambda_value), old_lambda))
    assert "4wEAAAA" not in repr(found)
    assert [item.path for item in found.walk() if item.class_name == CODE] == [
        "dense.activation",
        "old.function",
    ]


@pytest.mark.parametrize(
    ("module", "registered_name", "kind", "is_keras"),
    [
        ("keras.layers", None, "Add", True),
        ("keras.layers", "Add", "Add", True),
        (None, None, "Add", True),
        ("keras.src.ops.numpy", "Add", "ops.Add", True),
        ("keras.ops", None, "ops.Add", True),
        ("keras.src.models.functional", "Functional", "Add", True),
        ("tf_keras.src.layers", None, "Add", True),
        ("mine.layers", "Custom>Add", "Custom>Add", False),
        ("keras.layers", "Custom>Add", "Custom>Add", False),
        ("keras_hub.layers", None, "keras_hub.layers.Add", False),
        ("kerasx", None, "kerasx.Add", False),
        ("os", "system", "system", False),
    ],
)
def test_whose_class_it_is(
    module: str | None, registered_name: str | None, kind: str, is_keras: bool
) -> None:
    value = {
        "class_name": "Add",
        "config": {},
        "module": module,
        "registered_name": registered_name,
    }
    found = decode(value)
    assert (found.kind, found.is_keras) == (kind, is_keras)


def test_everything_unknown_is_listed_at_once() -> None:
    function = {
        "class_name": "function",
        "module": "mine",
        "config": "swish2",
        "registered_name": "Custom>swish2",
    }
    custom = {**layer("Dense", "mine", "mine"), "registered_name": "Custom>Dense"}
    inner = model(
        layer("Bidirectionnal", "both", layer=layer("LSTM", "lstm")), layer("Lambda", "f")
    )
    value = model(
        layer("Dense", "dense", activation=function),
        custom,
        inner,
        layer("Add", "add", "keras.ops"),
    )
    value["config"]["layers"].append(
        layer("Dense", "last", activation={"class_name": CODE, "config": {}})
    )
    with pytest.raises(UnsupportedError) as caught:
        refuse_unknown_layers(
            decode(value), {"Sequential", "Dense", "LSTM", "Bidirectional"}, "m.keras"
        )
    assert (
        str(caught.value)
        == """\
m.keras: uses 6 layers or functions that kerac does not know
    dense.activation: function Custom>swish2, which is not one of Keras
    mine: Custom>Dense, which is not one of Keras
    model/both: Bidirectionnal (nearest: Bidirectional)
    model/f: Lambda, which is Python code, and code in a file is never run
    add: ops.Add
    last.activation: a Python lambda, and code in a file is never run
  Replace them by supported layers, or pass them in code to the loader."""
    )
    known = {"Sequential", "Dense", "LSTM", "Bidirectionnal", "Lambda", "ops.Add", CODE}
    refuse_unknown_layers(decode(value), known | {"Custom>swish2", "Custom>Dense"}, "m.keras")


def test_long_lists_are_cut_short() -> None:
    value = model(*(layer(f"Other{i % 3}", f"layer{i}") for i in range(50)))
    with pytest.raises(UnsupportedError, match="and 30 more, among them Other0, Other1, Other2"):
        refuse_unknown_layers(decode(value), {"Sequential"}, "m.keras")
