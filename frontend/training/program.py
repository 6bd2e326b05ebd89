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
        self._is_checked = False
        values = step.graph.outputs[: len(step.results)]
        self._results = [
            np.empty(known_shape(x.tensor_type.shape), x.tensor_type.numpy_dtype) for x in values
        ]

    def __call__(self, batch: Sequence[Array], key: Array, steps: int = 1) -> list[Array]:
        """The results of the last of so many steps, in arrays that the next run overwrites.

        `batch` holds the batches of all steps, one after another; `key` counts the steps.
        """
        inputs = self.inputs(batch, key)
        outputs = (*self._results, *self._changed)
        if steps == 1:
            self.executable.run_into(inputs, outputs, not self._is_checked)
            key[1] += np.uint32(1)
        else:
            self._run_steps(inputs, outputs, key, len(batch), steps)
        self._is_checked = True
        Clock.ticks += 1
        return self._results

    def inputs(self, batch: Sequence[Array], key: Array) -> tuple[Array, ...]:
        """All that the step reads."""
        own = (*batch, key) if len(self.step.batch) > len(batch) else batch
        return (*own, *self._state)

    def _run_steps(
        self, inputs: Sequence[Array], outputs: Sequence[Array], key: Array, moving: int, steps: int
    ) -> None:
        from kerac.backends.llvm.repeat import repeat_address
        from kerac.runtime.frames import Steps

        many = Steps(steps, moving, repeat_address(), key.ctypes.data + key.itemsize)
        self.executable.run_steps(inputs, outputs, many, not self._is_checked)
