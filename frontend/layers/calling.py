"""Calling a layer on symbolic tensors, on arrays, or on shapes alone: each traces it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir import Graph, TensorType, Value, evaluate_graph, ops, type_of
from kerac.ir.errors import CompileError
from kerac.random import new_seed
from kerac.structure import leaves, map_structure, pack
from kerac.tensor import KerasTensor, Node, shape_of
from kerac.tracing import Trace, symbolic_types, trace_function, with_equal_dims

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kerac.layers.base import Layer


def has_symbols(tensors: Sequence[Any]) -> bool:
    """Whether one of the arguments is a symbolic tensor."""
    return any(isinstance(x, KerasTensor) for x in tensors)


def has_arrays(tensors: Sequence[Any]) -> bool:
    """Whether one of the arguments is an array of any library."""
    return any(is_array(x) for x in tensors)


def trains_on_arrays(args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name; who gives arrays trains, unless he says that he does not.

    That is what Keras means by a call of a layer that prepares data.
    """
    tensors = leaves([args, kwargs])
    on_values = has_symbols(tensors) or any(isinstance(x, Value) for x in tensors)
    if kwargs.get("training") is None and has_arrays(tensors) and not on_values:
        return {**kwargs, "training": True}
    return kwargs


def is_array(x: Any) -> bool:
    """Whether x is an array or can become one."""
    return hasattr(x, "__array__") and not isinstance(x, KerasTensor | Value)


class EagerTensor(np.ndarray[Any, Any]):
    """What a layer returned for arrays, with a mask that the next layer takes into account."""

    _keras_mask: Any = None


def with_mask(array: np.ndarray[Any, Any], mask: np.ndarray[Any, Any] | None) -> Any:
    """The array, which remembers its mask if there is one."""
    if mask is None:
        return array
    tensor = np.asarray(array).view(EagerTensor)
    tensor._keras_mask = np.asarray(mask)
    return tensor


def numbers_of(x: Any, layer: Any) -> np.ndarray[Any, Any]:
    """The array that a tensor of any library is; of float64 it is rounded to float32."""
    try:
        array = np.asarray(x)
        return array.astype(np.float32) if array.dtype == np.float64 else array
    except Exception as error:  # whatever the library of the tensor raises
        raise CompileError(
            f"{layer.name}: is called on a {type(x).__name__}, which has no numbers: {error!s:.80}",
            remedy="Call it on arrays: kerac's layers do not run inside functions that TensorFlow, "
            "JAX or torch trace, such as those given to map of a data set.",
        ) from None


class Placeholder:
    """Where a tensor goes in the arguments of a call."""

    def __init__(self, name: str) -> None:
        self.name = name


def filled(layer: Layer, args: Any, kwargs: Any, names: Iterable[str]) -> Any:
    """A function of values that calls the layer with them in place of the placeholders."""

    def function(values: list[Any]) -> Any:
        by_name = dict(zip(names, values, strict=True))

        def fill(x: Any) -> Any:
            return by_name[x.name] if isinstance(x, Placeholder) else x

        return layer(*map_structure(fill, args), **map_structure(fill, kwargs))

    return function


def infer_outputs(layer: Layer, args: Any, kwargs: Any, types: dict[str, TensorType]) -> Any:
    """The structure of the types of outputs."""

    def attempt(types: dict[str, TensorType]) -> Any:
        function = filled(layer, args, kwargs, types)
        traced = trace_function(function, types, Trace(with_weights=False))
        return map_structure(lambda value: value.tensor_type, traced.structure)

    return with_equal_dims(attempt, types)


def call_on_symbols(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the layer will return, and a node that remembers the call."""
    tensors = {x: None for x in leaves([args, kwargs]) if isinstance(x, KerasTensor)}
    places = {x: Placeholder(f"input_{i}") for i, x in enumerate(tensors)}
    fresh = symbolic_types([x.type for x in tensors])
    types = {place.name: type_ for place, type_ in zip(places.values(), fresh, strict=True)}

    def hide(x: Any) -> Any:
        return places.get(x, x) if isinstance(x, KerasTensor) else x

    found = infer_outputs(layer, map_structure(hide, args), map_structure(hide, kwargs), types)
    node = Node(layer, args, kwargs)
    flat = [
        KerasTensor(type_, node, position, f"keras_tensor_{layer.name}_{position}")
        for position, type_ in enumerate(leaves(found))
    ]
    node.outputs = pack(found, flat)
    layer.nodes.append(node)
    return node.outputs


def call_on_arrays(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The layer's outputs as arrays, by the reference interpreter."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    masks: dict[str, np.ndarray[Any, Any]] = {}

    def hide(x: Any) -> Any:
        if not is_array(x):
            return x
        name = f"input_{len(arrays)}"
        arrays[name] = numbers_of(x, layer)
        mask = getattr(x, "_keras_mask", None)
        if mask is not None:
            masks[name] = numbers_of(mask, layer)
        return Placeholder(name)

    args, kwargs = map_structure(hide, args), map_structure(hide, kwargs)
    types = {name: type_of(array) for name, array in arrays.items()}

    function = filled(layer, args, kwargs, types)
    trace = Trace()
    if kwargs.get("training"):
        # the second number counts steps: it lets layers with a seed draw anew, too
        trace.training = True
        trace.key = ops.constant([new_seed() % 2**32, layer._array_calls], "u32")
        layer._array_calls += 1
    mask_types = {name: type_of(mask) for name, mask in masks.items()}
    traced = trace_function(function, types, trace, mask_types)
    graph = traced.graph
    more = (*trace.updates.values(), *trace.losses)
    whole = Graph(graph.name, graph.inputs, (*graph.outputs, *more))
    results = evaluate_graph(whole, [*arrays.values(), *masks.values()])
    count = len(graph.outputs)
    for variable, value in zip(trace.updates, results[count:], strict=False):
        variable.assign(value)
    layer.added_losses = list(results[count + len(trace.updates) :])
    outputs = [
        with_mask(x, None if place is None else results[place])
        for x, place in zip(results, traced.masks, strict=False)
    ]
    return pack(traced.structure, outputs)


def output_shape(layer: Layer, *shapes: Any, **keywords: Any) -> Any:
    """The shape of the outputs for inputs of these shapes; lists hold shapes of several inputs."""
    types: dict[str, TensorType] = {}

    def place(shape: Any) -> Any:
        if isinstance(shape, dict):
            return {key: place(item) for key, item in shape.items()}
        if any(isinstance(item, list | tuple) for item in shape):
            return [place(item) for item in shape]
        name = f"input_{len(types)}"
        dims = tuple(-1 if dim is None else dim for dim in shape)
        types[name] = _declared(dims)
        return Placeholder(name)

    args = tuple(place(shape) for shape in shapes)
    fresh = dict(zip(types, symbolic_types(list(types.values())), strict=True))
    return map_structure(shape_of, infer_outputs(layer, args, keywords, fresh))


def _declared(dims: tuple[int, ...]) -> TensorType:
    from kerac.ir import symbol

    return TensorType("f32", tuple(symbol("unknown") if dim < 0 else dim for dim in dims))
