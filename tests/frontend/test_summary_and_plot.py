"""Tables and pictures of models: the tables are Keras's to the letter."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.utils import model_to_dot, plot_model


def residual(library: ModuleType) -> Any:
    """A model inside a model, two branches, an operator, and state that is not trained."""
    layers = library.layers
    stack = [library.Input((8,)), layers.Dense(8, "relu", name="d"), layers.Dropout(0.5, name="o")]
    inner = library.Sequential(stack, name="block")
    x = library.Input((8,), name="x")
    y = layers.Add(name="sum")([inner(x), x]) * 2.0
    y = layers.BatchNormalization()(y)
    return library.Model(x, layers.Dense(2, "softmax", name="head")(y), name="residual")


def trained(library: ModuleType) -> Any:
    model = residual(library)
    model.compile("adam", "mse")
    model.fit(np.zeros((4, 8)), np.zeros((4, 2)), verbose=0)
    return model


def chain(library: ModuleType) -> Any:
    x = library.Input((4, 2), name="x")
    return library.Model(x, library.layers.LSTM(3, return_state=True)(x), name="states")


def unbuilt(library: ModuleType) -> Any:
    return library.Sequential([library.layers.Dense(3)])


OPTIONS: list[dict[str, Any]] = [
    {},
    {"expand_nested": True, "show_trainable": True},
    {"line_length": 70},
]


@pytest.mark.parametrize("make", [residual, trained, chain, unbuilt])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_summary(make: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    printed: list[str] = []
    for library in (keras, kerac):
        library.utils.clear_session()
        make(library).summary(print_fn=printed.append, **options)
    assert printed[1].rstrip() == printed[0].rstrip()


def arrows(model: Any, **options: Any) -> set[tuple[str, str]]:
    """Pairs of names, from the text for Graphviz."""
    text = model_to_dot(model, **options).to_string()
    names = dict(re.findall(r"^(\d+) \[label=.*?<b>(.*?)</b>", text, re.MULTILINE))
    return {(names[a], names[b]) for a, b in re.findall(r"^(\d+) -> (\d+)", text, re.MULTILINE)}


def test_arrows() -> None:
    kerac.utils.clear_session()
    model = residual(kerac)
    tail = {("sum", "multiply"), ("multiply", "batch_normalization")}
    tail |= {("batch_normalization", "head"), ("x", "sum")}
    assert arrows(model) == tail | {("x", "block"), ("block", "sum")}
    assert arrows(model, expand_nested=True) == tail | {("x", "d"), ("d", "o"), ("o", "sum")}
    assert arrows(model.get_layer("block")) == {("d", "o")}
    image = kerac.Input((4,), name="image")
    shared = kerac.layers.Dense(4, name="shared")
    assert arrows(kerac.Model(image, shared(shared(image)))) == {
        ("image", "shared"),
        ("shared", "shared"),
    }


def test_what_boxes_say() -> None:
    model = residual(kerac)
    model.get_layer("head").trainable = False
    shown = ("shapes", "dtype", "layer_activations", "trainable")
    every = dict.fromkeys((f"show_{name}" for name in shown), True)
    text = model_to_dot(model, rankdir="LR", **every).to_string()
    (head,) = (line for line in text.splitlines() if "<b>head</b>" in line)
    for said in (
        "Activation: <b>softmax</b>",
        "Input shape: <b>(None, 8)</b>",
        "Output shape: <b>(None, 2)</b>",
        "Output dtype: <b>float32</b>",
        'bgcolor="firebrick"',
    ):
        assert said in head
    assert "Input shape: <b>[(None, 8), (None, 8)]</b>" in text
    assert 'rankdir="LR"' in text
    nameless = model_to_dot(model, show_layer_names=False).to_string()
    assert "head" not in nameless
    assert "<b>Dense</b>" in nameless
    odd = kerac.Sequential([kerac.Input((2,)), kerac.layers.ReLU(name="a<b&c")])
    assert "a&lt;b&amp;c" in model_to_dot(odd).to_string()


@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT", "RL"])
def test_pictures(rankdir: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "model.svg"
    plot_model(residual(kerac), path, show_shapes=True, expand_nested=True, rankdir=rankdir)
    picture = path.read_text(encoding="utf-8")
    assert picture.count("<path") > 20
    assert "<svg" in picture


def test_files_by_their_endings(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    model = residual(kerac)
    plot_model(model, tmp_path / "model.png", dpi=50)
    assert (tmp_path / "model.png").read_bytes().startswith(b"\x89PNG")
    plot_model(model, tmp_path / "model.dot")
    assert (tmp_path / "model.dot").read_text(encoding="utf-8").startswith('digraph "residual" {')
    with pytest.raises(UnsupportedError, match="format 'bmp3' is asked for"):
        plot_model(model, tmp_path / "model.bmp3")


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(CompileError, match="is no model that is built"):
        model_to_dot(unbuilt(kerac))
    with pytest.raises(CompileError, match="rankdir is 'up', but must be one of TB, BT, LR, RL"):
        model_to_dot(residual(kerac), rankdir="up")
