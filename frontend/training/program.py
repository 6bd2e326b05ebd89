"""A compiled step with the arrays that it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerac.ir.types import known_shape
from kerac.training.step import Step
from kerac.variable import Clock

Array = np.ndarray[Any, Any]


class Program:
    """Run it on the arrays of a batch: it returns the results and changes the variables."""

    def __init__(self, step: Step) -> None:
        from kerac.compile import compile as compile_graph

        self.step = step
        self.executable = compile_graph(step.graph)
        self._state = [variable.live() for variable in step.state]
        self._changed = [variable.live() for variable in step.changed]
        values = step.graph.outputs[: len(step.results)]
        self._results = [
            np.empty(known_shape(x.tensor_type.shape), x.tensor_type.numpy_dtype) for x in values
        ]

    def __call__(self, batch: Sequence[Array]) -> list[Array]:
        """The results, in arrays that the next run overwrites."""
        self.executable.run_into((*batch, *self._state), (*self._results, *self._changed))
        Clock.ticks += 1
        return self._results
