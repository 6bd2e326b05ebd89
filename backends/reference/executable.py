"""A graph that can be called as a compiled model can, but is interpreted by the ops themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kerac.ir import Graph, Value, evaluate_graph, evaluate_values, symbol
from kerac.runtime.abi import DERIVED, ModelInfo, TensorInfo
from kerac.runtime.arguments import arrange, bind_dims

Array = np.ndarray[Any, Any]


class ReferenceExecutable:
    """Call it on arrays, one an input, or on a dict of them by name, as a compiled model."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.info = describe(graph)

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """Names, dtypes and shapes of the inputs."""
        return self.info.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Names, dtypes and shapes of the outputs."""
        return self.info.outputs

    def __call__(self, *arguments: Any) -> Any:
        """The output for `arguments`, or a tuple where the graph has several."""
        outputs = evaluate_graph(self.graph, self._arrays(arguments))
        return outputs[0] if len(outputs) == 1 else outputs

    def run_into(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Write the outputs into the arrays `outputs`; one may be the input that it replaces."""
        # a result may be a view of an input that is overwritten
        results = [r.copy() for r in evaluate_graph(self.graph, self._arrays(tuple(inputs)))]
        for array, result in zip(outputs, results, strict=True):
            array[...] = result

    def values(self, *arguments: Any) -> dict[Value, Any]:
        """What every value of the graph is for `arguments`: an array, or a tuple of arrays."""
        return evaluate_values(self.graph, self._arrays(arguments))

    def _arrays(self, arguments: tuple[Any, ...]) -> list[Array]:
        arrays = arrange(self.info, arguments)
        bind_dims(self.info, arrays)
        return arrays


def describe(graph: Graph) -> ModelInfo:
    """What a compiled model of `graph` would say about itself."""
    replaced = {output: input_ for input_, output in graph.updates}
    return ModelInfo(
        name=graph.name,
        producer="kerac",
        target="reference",
        dim_names=graph.symbols,
        inputs=tuple(_describe(graph, value, value.name) for value in graph.inputs),
        outputs=tuple(
            replace(_describe(graph, value, name), replaces=replaced.get(number, -1))
            for number, (value, name) in enumerate(
                zip(graph.outputs, graph.output_names, strict=True)
            )
        ),
        weights_size=0,
    )


def _describe(graph: Graph, value: Value, name: str) -> TensorInfo:
    places = {symbol(dim): -1 - place for place, dim in enumerate(graph.symbols)}
    shape = (dim if isinstance(dim, int) else places.get(dim, DERIVED) for dim in value.shape)
    return TensorInfo(
        name=name,
        dtype=value.dtype,
        type=str(value.type),
        origin=str(value.origin),
        shape=tuple(shape),
    )
