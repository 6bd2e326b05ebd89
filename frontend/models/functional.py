"""Models made of calls of layers on symbolic tensors."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from kerac.ir import Value, ops
from kerac.ir.dims import Dim, DimLike, substitute, symbol
from kerac.ir.errors import CompileError, ShapeError
from kerac.ir.graph import unique_name
from kerac.ir.types import TensorType, dtype_name
from kerac.layers.base import REGISTRY, Layer
from kerac.layers.holding import Holder
from kerac.layers.input import InputLayer
from kerac.layers.operation import Operation
from kerac.layers.sharing import number_shared
from kerac.models.model import Model
from kerac.models.text_inputs import TextInputs, reads_text
from kerac.models.topology import Topology, find_topology, with_own_inputs
from kerac.structure import leaves, map_structure
from kerac.tensor import KerasTensor
from kerac.tracing import DimsDifferError, Traced, current_trace, symbolic_types, trace_function


def says_graph(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether the arguments of a model are symbolic inputs and outputs."""
    given = [*args[:2], *(kwargs[name] for name in ("inputs", "outputs") if name in kwargs)]
    return len(given) == 2 and all(isinstance(x, KerasTensor) for x in leaves(given))


def takes_graph(cls: type[Model]) -> bool:
    """Whether a class is made from inputs and outputs, and by no `__init__` of a user."""
    names = list(inspect.signature(cls.__init__).parameters)[1:3]
    return names in (["inputs", "outputs"], ["args", "kwargs"])


_with_graph: dict[type[Model], Any] = {}


def with_graph(cls: type[Model]) -> Any:
    """The functional models that are of a user's class as well."""
    if cls not in _with_graph:
        members = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
        _with_graph[cls] = type(cls.__name__, (cls, Functional), members)
    return _with_graph[cls]


class Functional(Model):
    """`Model(inputs, outputs)`: symbolic tensors, and the layers that lie between."""

    module: ClassVar[str] = "keras.src.models.functional"
    supports_masking = True

    def _initialize(self) -> None:
        super()._initialize()
        self._input_structure: Any = None
        self._output_structure: Any = None
        self._flat_inputs: list[KerasTensor] = []
        self._flat_outputs: list[KerasTensor] = []
        self._topology = Topology((), ())
        self._text: TextInputs | None = None

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        trainable: bool | None = None,
        dtype: Any = None,
    ) -> None:
        for tensor in leaves([inputs, outputs]):
            if not isinstance(tensor, KerasTensor):
                raise CompileError(
                    "Model: its inputs and outputs must be symbolic tensors, "
                    f"but one is {tensor!r:.60}",
                    remedy="Start with kerac.Input(shape) and call layers on it.",
                )
        super().__init__(name=name, dtype=dtype, trainable=trainable is not False)
        if any(not isinstance(x.node.layer, InputLayer) for x in leaves(inputs)):
            inputs, outputs = with_own_inputs(inputs, outputs)
        self._input_structure, self._output_structure = inputs, outputs
        self._flat_inputs, self._flat_outputs = leaves(inputs), leaves(outputs)
        self._topology = find_topology(self._flat_inputs, self._flat_outputs, str(self.name))
        if reads_text(self._topology.nodes):
            self._text = TextInputs(self)
        self.built = True

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic tensors of the arguments, in order."""
        return self._flat_inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic tensors of the results, in order."""
        return self._flat_outputs

    @property
    def input(self) -> Any:
        """The symbolic tensors of the arguments, as they were given."""
        return _unpacked(self._input_structure)

    @property
    def output(self) -> Any:
        """The symbolic tensors of the results, as they were given."""
        return _unpacked(self._output_structure)

    @property
    def input_shape(self) -> Any:
        """Shapes of the inputs."""
        return _unpacked(map_structure(lambda x: x.shape, self._input_structure))

    @property
    def output_shape(self) -> Any:
        """Shapes of the outputs."""
        return _unpacked(map_structure(lambda x: x.shape, self._output_structure))

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return [x.name for x in self._flat_inputs]

    @property
    def output_names(self) -> list[str]:
        """A name for each output: its key, or else that of the layer it comes from."""
        if isinstance(self._output_structure, dict):
            return sorted(self._output_structure)
        names: dict[str, None] = {}
        for x in self._flat_outputs:
            names[unique_name(str(x.node.layer.name), names)] = None
        return list(names)

    @property
    def layers(self) -> list[Layer]:
        """The layers in Keras's order, inputs included."""
        return [x for x in self._topology.layers if not isinstance(x, Operation)]

    def children(self) -> dict[str, Any]:
        return {"layers": self.layers, **Holder.children(self)}

    @property
    def operations(self) -> list[Layer]:
        """Layers and operators, in Keras's order."""
        return list(self._topology.layers)

    def functional(self) -> Functional:
        """The model itself; of one that reads text the network after the text."""
        return self if self._text is None else self._text.network

    def text_inputs(self, x: Any = None) -> TextInputs | None:
        return self._text

    # Tracing

    def run(self, values: list[Value]) -> Any:
        """Make all calls on values of the inputs, in the graph in the making."""
        known: dict[KerasTensor, Any] = dict(zip(self._flat_inputs, values, strict=True))
        for node in self._topology.nodes:
            if all(x in known for x in leaves(node.outputs)):
                continue
            args, kwargs = map_structure(
                lambda x: known[x] if isinstance(x, KerasTensor) else x, (node.args, node.kwargs)
            )
            results = leaves(node.layer(*args, **kwargs))
            known.update(zip(leaves(node.outputs), results, strict=True))
        return map_structure(lambda x: known[x], self._output_structure)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        values = self.flat_inputs(inputs)
        masks = [None] * len(values) if mask is None else leaves(mask)
        given = {
            name: m for name, m in zip(self.input_names, masks, strict=False) if m is not None
        }
        if current_trace().in_place:
            masked = dict(zip(self.input_names, values, strict=True))
            current_trace().masks.update((masked[name], m) for name, m in given.items())
            return _unpacked(self.run(values))
        return _unpacked(self._call_graph(values, given))

    def _call_graph(self, values: list[Value], masks: dict[str, Value]) -> Any:
        """Call this model's own graph, which takes and returns masks too."""
        trace = current_trace()
        local = _Local([value.tensor_type for value in (*values, *masks.values())])
        types = dict(zip(self.input_names, local.types, strict=False))
        mask_types = dict(zip(masks, local.types[len(values) :], strict=True))
        key = (self, tuple(local.types), tuple(masks))
        if key not in trace.calls:
            try:
                trace.calls[key] = trace_function(
                    self.run, types, trace.inner(str(self.name)), mask_types
                )
            except DimsDifferError as error:
                error.dims = (local.outside(error.dims[0]), local.outside(error.dims[1]))
                raise
        traced: Traced = trace.calls[key]
        called = ops.call(traced.graph, *values, *masks.values())
        results = [called]
        if len(traced.graph.outputs) > 1:
            results = [
                ops.item(called, index, name=str(name))
                for index, name in enumerate(traced.graph.output_names)
            ]
        outputs = iter(range(len(traced.masks)))

        def take(_: Any) -> Value:
            index = next(outputs)
            place = traced.masks[index]
            if place is not None:
                trace.masks[results[index]] = results[place]
            return results[index]

        return map_structure(take, traced.structure)

    def flat_inputs(self, inputs: Any) -> list[Value]:
        """Values of the inputs in order, brought to their rank and dtype."""
        given = self.in_order(inputs)
        if len(given) != len(self._flat_inputs):
            raise CompileError(
                f"{self.name}: takes {len(self._flat_inputs)} inputs "
                f"({', '.join(self.input_names)}), but got {len(given)}"
            )
        missing = [
            tensor.name
            for x, tensor in zip(given, self._flat_inputs, strict=True)
            if not isinstance(x, Value)
        ]
        if missing:
            raise CompileError(f"{self.name}: its input {missing[0]!r} is no tensor")
        return [_fitted(x, tensor) for x, tensor in zip(given, self._flat_inputs, strict=True)]

    def in_order(self, inputs: Any) -> list[Any]:
        """The leaves of `inputs`; a dictionary goes by keys or else by the names of inputs."""
        if isinstance(inputs, Mapping):
            names = self.input_names
            if isinstance(self._input_structure, dict):
                names = sorted(self._input_structure)
            missing = [name for name in names if name not in inputs]
            if missing:
                raise CompileError(
                    f"{self.name}: needs the input {' and '.join(map(repr, missing))}, "
                    f"but got {', '.join(map(repr, inputs))}"
                )
            return [inputs[name] for name in names]
        return leaves(inputs)

    def input_types(self) -> dict[str, TensorType]:
        """The types of the inputs by name, with a symbol for every length that varies."""
        types = symbolic_types([x.type for x in self._flat_inputs])
        return dict(zip(self.input_names, types, strict=True))

    # Configs

    def get_config(self) -> dict[str, Any]:
        from kerac.models.config import functional_config

        return functional_config(self) if takes_graph(type(self)) else super().get_config()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        from kerac.models.config import functional_from_config

        return functional_from_config(cls, config) if takes_graph(cls) else cls(**config)

    def serialize(self) -> dict[str, Any]:
        kind = self.kind()
        if kind["registered_name"] is None:
            kind |= {"class_name": "Functional", "registered_name": "Functional"}
        serialized = {
            **kind,
            "config": self.get_config(),
            "build_config": {"input_shape": None},
        }
        return number_shared(self, serialized)


def _unpacked(structure: Any) -> Any:
    """The only entry of a list, or the structure."""
    if isinstance(structure, list | tuple) and len(structure) == 1:
        return structure[0]
    return structure


class _Local:
    """Types inside a called graph: lengths that are computed outside get symbols of their own."""

    def __init__(self, types: list[TensorType]) -> None:
        self._outside: dict[str, DimLike] = {}
        self._inside: dict[DimLike, DimLike] = {}
        self._taken = {name: None for type_ in types for name in type_.symbols}
        self.types = [type_.with_shape(tuple(map(self._local, type_.shape))) for type_ in types]

    def _local(self, dim: DimLike) -> DimLike:
        if not isinstance(dim, Dim) or str(dim) in dim.symbols:
            return dim
        if dim not in self._inside:
            name = unique_name("D", self._taken)
            self._taken[name] = None
            self._inside[dim], self._outside[name] = symbol(name), dim
        return self._inside[dim]

    def outside(self, dim: DimLike) -> DimLike:
        """What a length inside is for the caller."""
        return substitute(dim, self._outside)


def _fitted(x: Value, tensor: KerasTensor) -> Value:
    """A value with the dtype and number of axes of an input; last axes of length 1 may differ."""
    declared = tensor.shape
    if x.ndim == len(declared) + 1 and x.shape[-1] == 1:
        x = ops.reshape(x, x.shape[:-1])
    elif x.ndim == len(declared) - 1 and declared[-1] == 1:
        x = ops.reshape(x, (*x.shape, 1))
    fits = x.ndim == len(declared) and all(
        want is None or axis == 0 or not isinstance(have, int) or want == have
        for axis, (want, have) in enumerate(zip(declared, x.shape, strict=True))
    )
    if not fits:
        raise ShapeError(
            f"input {tensor.name!r} must have the shape {declared}, but got {x.type}"
        )
    return ops.cast(x, dtype_name(tensor.dtype))


# A model in a file is functional if it has calls; Keras 2 called all of them `Model`.
REGISTRY |= {"Functional": Functional, "Model": Functional}
