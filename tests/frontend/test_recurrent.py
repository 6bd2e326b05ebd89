"""Recurrent layers, cells and stacks of cells against real Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kerac.ir.errors import CompileError, UnsupportedError
from kerac.layers import recurrent, recurrent_cells
from kerac.structure import leaves
from tests.frontend.checking import check_layer, check_model

STATES = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}


def random_arguments(name: str, generator: np.random.Generator) -> dict[str, Any]:
    def pick(*choices: Any) -> Any:
        return choices[generator.integers(len(choices))]

    arguments: dict[str, Any] = {
        "units": int(generator.integers(1, 6)),
        "activation": pick("tanh", "tanh", "relu", "softsign", None),
        "use_bias": pick(True, True, False),
        "return_sequences": pick(True, False),
        "return_state": pick(True, False),
        "go_backwards": pick(True, False),
    }
    if name != "SimpleRNN":
        arguments["recurrent_activation"] = pick("sigmoid", "sigmoid", "hard_sigmoid", "tanh")
    if name == "LSTM":
        arguments["unit_forget_bias"] = pick(True, False)
    if name == "GRU":
        arguments["reset_after"] = pick(True, False)
    return arguments


def check_with(
    make: Callable[[Any], Any], states: list[np.ndarray], mask: np.ndarray | None, seed: int = 0
) -> None:
    """A layer on sequences with initial states and a mask, if there are any."""

    def model(library: Any) -> Any:
        x = library.Input((None, 4), name="x")
        given = [library.Input(state.shape[1:], name=f"state{i}") for i, state in enumerate(states)]
        masks = [] if mask is None else [library.Input((None,), dtype="bool", name="mask")]
        keywords = {"initial_state": given} if given else {}
        keywords |= {"mask": masks[0]} if masks else {}
        inputs = [x, *given, *masks]
        outputs = leaves(make(library.layers)(x, **keywords))
        return library.Model(inputs if len(inputs) > 1 else x, outputs)

    check_model(model, [sequences(seed), *states, *([] if mask is None else [mask])], seed)


def sequences(seed: int = 0, steps: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(3, steps, 4)).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", STATES)
def test_random_configurations(name: str, seed: int) -> None:
    arguments = random_arguments(name, np.random.default_rng(seed))
    free = (1,) if seed % 2 else ()
    check_layer(lambda layers: getattr(layers, name)(**arguments), (3, 6, 4), free=free, seed=seed)


@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", STATES)
def test_masks(name: str, seed: int, zero: bool) -> None:
    generator = np.random.default_rng(seed)
    arguments = random_arguments(name, generator) | {"zero_output_for_mask": zero}
    mask = generator.random((3, 6)) < 0.6
    mask[0] = False  # and one with no step at all
    check_with(lambda layers: getattr(layers, name)(**arguments), [], mask, seed)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", STATES)
def test_initial_states(name: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    arguments = random_arguments(name, generator)
    states = [
        generator.normal(size=(3, arguments["units"])).astype(np.float32)
        for _ in range(STATES[name])
    ]
    check_with(lambda layers: getattr(layers, name)(**arguments), states, None, seed)


@pytest.mark.parametrize("name", STATES)
def test_initial_states_and_a_mask(name: str) -> None:
    generator = np.random.default_rng(3)
    arguments = {"units": 3, "return_sequences": True, "return_state": True}
    states = [generator.normal(size=(3, 3)).astype(np.float32) for _ in range(STATES[name])]
    mask = np.array([[True] * 3 + [False] * 3, [True, False] * 3, [True] * 6])
    check_with(lambda layers: getattr(layers, name)(**arguments), states, mask)


@pytest.mark.parametrize("name", STATES)
def test_cells_given_by_hand(name: str) -> None:
    def make(layers: Any) -> Any:
        cell = getattr(layers, f"{name}Cell")(3, use_bias=False)
        return layers.RNN(cell, return_sequences=True, return_state=True, go_backwards=True)

    check_layer(make, (3, 6, 4), free=(1,))


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("arguments", [
    {},
    {"return_sequences": True, "return_state": True},
    {"return_sequences": True, "go_backwards": True},
    {"go_backwards": True, "return_state": True},
    {"return_sequences": True, "zero_output_for_mask": True},
    {"zero_output_for_mask": True, "go_backwards": True},
])  # fmt: skip
def test_stacks_of_cells(arguments: dict[str, Any], masked: bool) -> None:
    def make(layers: Any) -> Any:
        cells = [layers.GRUCell(3), layers.LSTMCell(4), layers.SimpleRNNCell(2)]
        return layers.RNN(layers.StackedRNNCells(cells), **arguments)

    check_with(make, [], np.random.default_rng(1).random((3, 6)) < 0.6 if masked else None)


def test_lists_of_cells_are_stacks() -> None:
    layer = recurrent.RNN([recurrent_cells.GRUCell(3), recurrent_cells.LSTMCell(2)])
    assert layer(sequences()).shape == (3, 2)
    path = f"{layer.name}/{layer.cell.name}/{layer.cell.cells[0].name}/kernel"
    assert layer.weights[0].path == path


@pytest.mark.parametrize("name", STATES)
def test_one_step_of_a_cell(name: str) -> None:
    def make(library: Any) -> Any:
        x, *states = (
            library.Input((n,), name=f"x{i}") for i, n in enumerate([4] + [3] * STATES[name])
        )
        outputs = getattr(library.layers, f"{name}Cell")(3)(x, states)
        return library.Model([x, *states], leaves(outputs))

    generator = np.random.default_rng(0)
    lengths = [4] + [3] * STATES[name]
    check_model(make, [generator.normal(size=(2, n)).astype(np.float32) for n in lengths])


def test_the_forget_gate_begins_open() -> None:
    layer = recurrent.LSTM(2, bias_initializer="zeros")
    layer(sequences())
    np.testing.assert_array_equal(layer.weights[2].array, [0, 0, 1, 1, 0, 0, 0, 0])


def test_weights_have_the_paths_of_keras() -> None:
    layer = recurrent.GRU(2, name="reader")
    layer(sequences())
    names = ("kernel", "recurrent_kernel", "bias")
    assert [w.path for w in layer.weights] == [f"reader/gru_cell/{name}" for name in names]
    assert {name: child.name for name, child in layer.children().items()} == {"cell": "gru_cell"}


def test_arguments_of_keras_2() -> None:
    config = recurrent.LSTM(2).get_config() | {"implementation": 1, "time_major": False}
    assert recurrent.LSTM.from_config(config).units == 2


def test_inputs_of_keras_2_hold_the_states() -> None:
    x, state = sequences(), np.ones((3, 2), np.float32)
    layer = recurrent.GRU(2)
    np.testing.assert_array_equal(layer([x, state]), layer(x, initial_state=[state]))


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda: recurrent.LSTM(0), "units is 0, but must be positive"),
        (lambda: recurrent.LSTM(2, activation="softmax")(sequences()), "is not elementwise"),
        (lambda: recurrent.LSTM(2)(sequences()[0]), "needs an input of 3 axes"),
        (
            lambda: recurrent.LSTM(2)(sequences(), initial_state=[np.ones((3, 2), "f4")]),
            "needs 2 initial",
        ),
        (
            lambda: recurrent.GRU(2)(sequences(), initial_state=[np.ones((3, 3), "f4")]),
            "initial state 0",
        ),
        (
            lambda: recurrent.GRU(2)(sequences(), mask=np.ones((3, 5), bool)),
            "must be equal, but are 5 and 6",
        ),
        (lambda: recurrent.RNN(recurrent.LSTM(2)), "is no cell that kerac knows"),
        (lambda: recurrent_cells.StackedRNNCells([]), "cells is empty"),
    ],
)
def test_mistakes(make: Any, fact: str) -> None:
    with pytest.raises(CompileError) as caught:
        make()
    assert fact in str(caught.value)


def test_states_are_not_kept_between_calls() -> None:
    with pytest.raises(UnsupportedError) as caught:
        recurrent.LSTM(2, stateful=True, name="memory")
    assert "LSTM 'memory': is stateful" in str(caught.value)
