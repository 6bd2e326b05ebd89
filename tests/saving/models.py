"""Models of real Keras, small and random, and what kerac.saving needs to know of their layers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import layers

OPTIONS_OF_CONVOLUTION = {"kernel_size": 2, "padding": "same"}


@dataclass(frozen=True)
class Variable:
    """A Keras variable as kerac.saving sees it."""

    variable: Any

    @property
    def name(self) -> str:
        return self.variable.name

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.variable.shape)

    @property
    def dtype(self) -> str:
        return self.variable.dtype

    @property
    def trainable(self) -> bool:
        return self.variable.trainable

    @property
    def value(self) -> np.ndarray:
        return np.asarray(self.variable)


class Node:
    """A Keras layer as kerac.saving sees it; one node for each layer."""

    def __init__(self, layer: Any, nodes: dict[int, Node] | None = None) -> None:
        self.layer = layer
        self._nodes = {} if nodes is None else nodes
        self._nodes[id(layer)] = self

    def _node(self, layer: Any) -> Node:
        return self._nodes.get(id(layer)) or Node(layer, self._nodes)

    @property
    def class_name(self) -> str:
        return type(self.layer).__name__

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def trainable(self) -> bool:
        return self.layer.trainable

    @cached_property
    def variables(self) -> list[Variable]:
        own = self.layer._trainable_variables + self.layer._non_trainable_variables
        return [Variable(variable) for variable in own]

    @property
    def named_variables(self) -> dict[str, Variable]:
        return {}

    @cached_property
    def children(self) -> Mapping[str, Node | Sequence[Node]]:
        if hasattr(self.layer, "layers"):
            return {"layers": [self._node(layer) for layer in self.layer.layers]}
        children: dict[str, Node | Sequence[Node]] = {}
        for child in self.layer._layers:
            for attribute, value in vars(self.layer).items():
                if attribute.startswith("__") or attribute == "_layers":
                    continue
                if value is child:
                    children[attribute] = self._node(child)
                elif isinstance(value, list) and any(item is child for item in value):
                    children[attribute] = [self._node(item) for item in value]
        return children


def randomize(model: Any, seed: int) -> None:
    """Give every weight another random value, so that no two can be mistaken for each other."""
    generator = np.random.default_rng(seed)
    model.set_weights(
        [
            generator.uniform(0.5, 1.5, w.shape).astype(w.dtype)
            if w.dtype.kind == "f"
            else generator.integers(1, 9, w.shape, w.dtype)
            for w in model.get_weights()
        ]
    )


def random_sequence_layer(pick: random.Random, shared: list[Any]) -> Any:
    """Return a layer from sequences of 4 channels to sequences of 4 channels."""
    choices = [
        lambda: layers.Dense(4, use_bias=pick.random() < 0.5),
        lambda: layers.Conv1D(4, **OPTIONS_OF_CONVOLUTION),
        lambda: layers.SeparableConv1D(4, **OPTIONS_OF_CONVOLUTION),
        layers.BatchNormalization,
        layers.LayerNormalization,
        lambda: layers.Dropout(0.5),
        lambda: layers.LSTM(4, return_sequences=True, dropout=pick.choice([0.0, 0.2])),
        lambda: layers.GRU(4, return_sequences=True, reset_after=pick.random() < 0.5),
        lambda: layers.RNN(
            [layers.SimpleRNNCell(4), layers.LSTMCell(4), layers.LSTMCell(4)],
            return_sequences=True,
        ),
        lambda: layers.Bidirectional(layers.GRU(2, return_sequences=True)),
        lambda: layers.TimeDistributed(layers.Dense(4)),
        lambda: layers.TimeDistributed(keras.Sequential([layers.Dense(3), layers.Dense(4)])),
        lambda: layers.PReLU(shared_axes=[1]),
        lambda: layers.Activation("tanh"),
    ]
    if shared and pick.random() < 0.2:
        return pick.choice(shared)
    layer = pick.choice(choices)()
    shared.append(layer)
    return layer


def random_model(seed: int, *, share_across_models: bool = True) -> Any:
    """Return a model with nested and shared layers, all weights random, some layers frozen.

    Layers that an outer and an inner model share are written by Keras, but come apart when it loads
    them.
    """
    pick = random.Random(seed)
    keras.utils.clear_session()
    model = _random_model(pick, [] if share_across_models else None, depth=2)
    for layer in model.layers:
        if pick.random() < 0.2:
            layer.trainable = False
    randomize(model, seed)
    return model


def _random_model(pick: random.Random, shared_by_all: list[Any] | None, depth: int) -> Any:
    shared = [] if shared_by_all is None else shared_by_all

    def layer() -> Any:
        if depth and pick.random() < 0.25:
            return _random_model(pick, shared_by_all, depth - 1)
        return random_sequence_layer(pick, shared)

    if pick.random() < 0.3:
        inner = [layer() for _ in range(pick.randint(1, 4))]
        return keras.Sequential([layers.Input((5, 4)), *inner])
    values = [layers.Input((5, 4)) for _ in range(1 if depth < 2 else pick.randint(1, 2))]
    inputs = list(values)
    for _ in range(pick.randint(2, 6)):
        if pick.random() < 0.3 and len(values) > 1:
            values.append(layers.Add()([values[-1], pick.choice(values[:-1])]))
        else:
            values.append(layer()(pick.choice(values[-2:])))
    return keras.Model(inputs, values[-1] if depth < 2 else values[-2:])
