"""Predictions of a model that is being trained: its weights are read where training writes them."""

from __future__ import annotations

from typing import Any

from kerac.training.step import make_forward
from kerac.variable import Array


class Predictor:
    """The model as native code whose weights are inputs; called on arrays, one an input."""

    def __init__(self, model: Any) -> None:
        from kerac.compile import compile as compile_graph

        step = make_forward(model, model.functional().input_types())
        self._executable = compile_graph(step.graph)
        self._state = [variable.live() for variable in step.state]

    def __call__(self, *arrays: Array) -> Any:
        """The output, or a tuple where there are several."""
        return self._executable(*arrays, *self._state)
