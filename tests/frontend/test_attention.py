"""Attention layers against real Keras: arguments, masks, axes, and files."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir import CompileError, evaluate_graph
from kerac.layers import GroupQueryAttention, MultiHeadAttention
from tests.compare import assert_close
from tests.frontend.checking import check_model, random_arrays, random_value

pytestmark = [
    pytest.mark.filterwarnings("ignore:The structure of `inputs`"),
    pytest.mark.filterwarnings("ignore:.*does not support masking:UserWarning"),
    pytest.mark.filterwarnings("ignore:Exception encountered when calling:UserWarning"),
]
SIZES = {
    "MultiHeadAttention": {"num_heads": 3, "key_dim": 4},
    "GroupQueryAttention": {"head_dim": 4, "num_query_heads": 6, "num_key_value_heads": 2},
}


def attending(name: str, called: dict[str, Any], **arguments: Any) -> Any:
    """A model of one layer on a query and a value of another length.

    Keras says the shape of scores for equal lengths alone.
    """
    steps = 5 if called.get("return_attention_scores") else 7

    def make(library: ModuleType) -> Any:
        query, value = library.Input((5, 6), name="query"), library.Input((steps, 6), name="value")
        layer = getattr(library.layers, name)(**(SIZES[name] | arguments))
        return library.Model([query, value], layer(query, value, **called))

    return make


@pytest.mark.parametrize("called", [
    {},
    {"use_causal_mask": True},
    {"return_attention_scores": True},
    {"return_attention_scores": True, "use_causal_mask": True},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("arguments", [
    {},
    {"use_bias": False, "use_gate": True},
    {"dropout": 0.1, "seed": 1, "sliding_window": 2},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("name", SIZES)
def test_arguments(name: str, arguments: dict[str, Any], called: dict[str, Any]) -> None:
    steps = 5 if called.get("return_attention_scores") else 7
    check_model(attending(name, called, **arguments), random_arrays([(2, 5, 6), (2, steps, 6)]))


# without dropout Keras calls a function of JAX that knows one depth alone
@pytest.mark.parametrize(
    "arguments", [{"value_dim": 5, "dropout": 0.1}, {"output_shape": (3, 2)}], ids=str
)
def test_shapes(arguments: dict[str, Any]) -> None:
    arrays = random_arrays([(2, 5, 6), (2, 7, 6)])
    check_model(attending("MultiHeadAttention", {}, **arguments), arrays)


@pytest.mark.parametrize(
    ("axes", "mask"),
    [
        (None, None),
        (2, None),
        (-2, (3, 4, 4)),
        ((1, 2), (3, 4, 3, 4)),
        ((2, 1), None),
    ],
)
def test_several_axes(axes: Any, mask: tuple[int, ...] | None) -> None:
    def make(library: ModuleType) -> Any:
        x = library.Input((3, 4, 6), name="x")
        masks = [library.Input(mask, dtype="bool", name="mask")] if mask else []
        layer = library.layers.MultiHeadAttention(2, 3, attention_axes=axes)
        outputs = layer(x, x, attention_mask=masks[0] if mask else None)
        return library.Model([x, *masks], outputs)

    arrays = random_arrays([(2, 3, 4, 6)])
    check_model(make, arrays + (random_arrays([(2, *mask)], "bool") if mask else []))


@pytest.mark.parametrize("given", [None, (6, 6)])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_masks(name: str, dropout: float, causal: bool, given: tuple[int, ...] | None) -> None:
    def make(library: ModuleType) -> Any:
        layers = library.layers
        words = library.Input((6,), dtype="int32", name="words")
        masks = [library.Input(given, dtype="bool", name="mask")] if given else []
        x = layers.Embedding(4, 8, mask_zero=True)(words)
        layer = getattr(layers, name)(**SIZES[name], dropout=dropout)
        y = layer(x, x, use_causal_mask=causal, attention_mask=masks[0] if given else None)
        return library.Model([words, *masks], [y, layers.GlobalAveragePooling1D()(y)])

    words = random_arrays([(4, 6)], "int32", high=3)
    words[0][3] = 0
    check_model(make, words + (random_arrays([(4, *given)], "bool") if given else []))


def test_lengths_that_nobody_knows() -> None:
    def make(library: ModuleType) -> Any:
        x = library.Input((None, 8), name="x")
        layer = library.layers.MultiHeadAttention(2, 4, sliding_window=3)
        return library.Model(x, layer(x, x, use_causal_mask=True))

    check_model(make, random_arrays([(2, 21, 8)]))


ONE_HEAD = [
    ("Attention", {}),
    ("Attention", {"use_scale": True, "dropout": 0.1, "seed": 3}),
    ("Attention", {"use_scale": True, "score_mode": "concat"}),
    ("Attention", {"score_mode": "concat"}),
    ("AdditiveAttention", {}),
    ("AdditiveAttention", {"use_scale": False}),
]


@pytest.mark.parametrize("called", [
    {}, {"use_causal_mask": True}, {"return_attention_scores": True}
], ids=str)  # fmt: skip
@pytest.mark.parametrize(("name", "arguments"), ONE_HEAD)
def test_one_head(name: str, arguments: dict[str, Any], called: dict[str, Any]) -> None:
    def make(library: ModuleType) -> Any:
        inputs = [library.Input((n, 6), name=f"x{n}") for n in (5, 7)]
        key = library.layers.Dense(6)(inputs[1])
        layer = getattr(library.layers, name)(**arguments)
        return library.Model(inputs, layer([*inputs, key], **called))

    check_model(make, random_arrays([(2, 5, 6), (2, 7, 6)]))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
def test_masks_of_one_head(name: str, causal: bool) -> None:
    def make(library: ModuleType) -> Any:
        layers = library.layers
        inputs = [library.Input((n,), dtype="int32", name=f"x{n}") for n in (5, 7)]
        query, value = (layers.Embedding(4, 8, mask_zero=True)(x) for x in inputs)
        y = getattr(layers, name)()([query, value], use_causal_mask=causal)
        return library.Model(inputs, [y, layers.GlobalAveragePooling1D()(y)])

    words = random_arrays([(4, 5), (4, 7)], "int32", high=3)
    words[1][:, 0] = 1
    check_model(make, words)


def transformer(steps: int, width: int, blocks: int) -> Any:
    """An encoder of words, as the tutorials of Keras have it."""
    layers = keras.layers
    words = keras.Input((steps,), dtype="int32")
    places = keras.ops.arange(steps)
    x = layers.Embedding(50, width, mask_zero=True)(words) + layers.Embedding(steps, width)(places)
    for _ in range(blocks):
        attention = layers.MultiHeadAttention(4, width // 4, dropout=0.1)
        x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dropout(0.1)(attention(x, x)))
        hidden = layers.Dense(4 * width, activation="gelu")(x)
        x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dense(width)(hidden))
    grouped = layers.GroupQueryAttention(8, 4, 2, use_gate=True)(x, x)
    return keras.Model(words, layers.GlobalAveragePooling1D()(x + grouped))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_files(ending: str, tmp_path: Path) -> None:
    theirs = transformer(12, 16, 2)
    generator = np.random.default_rng(0)
    for variable in theirs.weights:
        variable.assign(random_value(variable, generator))
    words = generator.integers(0, 50, (3, 12)).astype("int32")
    words[:, 9:] = 0
    theirs.save(tmp_path / f"model.{ending}")
    ours = kerac.models.load_model(tmp_path / f"model.{ending}")
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    expected = np.asarray(theirs(words))
    assert_close(evaluate_graph(ours.trace(), [words])[0], expected)
    assert_close(kerac.compile(ours)(words), expected)
    ours.save(tmp_path / "back.keras")
    back = keras.models.load_model(tmp_path / "back.keras")
    np.testing.assert_array_equal(back(words), expected)


def test_files_of_keras_2_have_the_shapes_of_inputs() -> None:
    config = MultiHeadAttention(2, 3).get_config() | {"query_shape": [None, 5, 6]}
    assert MultiHeadAttention.from_config(config).key_dim == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiHeadAttention(0, 3), "num_heads is 0, but must be positive"),
        (lambda: MultiHeadAttention(2, 3, dropout=2), "dropout is 2.0, but must lie between"),
        (lambda: GroupQueryAttention(4, 5, 2), "5 heads of queries do not share 2 heads"),
        (lambda: MultiHeadAttention(2, 3, attention_axes=4), "must name axes from 1 to 1"),
    ],
)
def test_mistakes(make: Any, message: str) -> None:
    x = np.ones((2, 3, 4), "float32")
    with pytest.raises(CompileError, match=message):
        make()(x, x)
