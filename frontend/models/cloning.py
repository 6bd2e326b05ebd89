"""A model made again, with new layers and new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerac.ir.errors import CompileError
from kerac.layers.base import Layer
from kerac.layers.input import InputLayer
from kerac.models.functional import Functional
from kerac.models.sequential import Sequential
from kerac.structure import leaves, map_structure
from kerac.tensor import KerasTensor

CloneFunction = Callable[[Any], Any]


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: CloneFunction | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Any:
    """Make a functional or sequential model again, compiled as the given one is.

    `clone_function(layer)` makes each layer but inputs, from its config unless given;
    `call_function(layer, *args, **kwargs)` calls it. With `recursive`, both do so inside models.
    """
    cloning = _Cloning(clone_function or _from_config, call_function, recursive)
    clone = cloning.model(model, input_tensors)
    if model.compiled:
        clone.compile_from_config(model.get_compile_config())
    return clone


def _from_config(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


class _Cloning:
    """Layers by what they were made from, so that shared ones stay shared."""

    def __init__(
        self,
        clone_function: CloneFunction,
        call_function: Callable[..., Any] | None,
        recursive: bool,
    ) -> None:
        self._clone_function = clone_function
        self._call_function = call_function
        self._is_recursive = recursive
        self._known: dict[Layer, Any] = {}

    def model(self, model: Any, input_tensors: Any = None, is_inner: bool = False) -> Any:
        given = leaves(input_tensors)
        if any(x is not None and not isinstance(x, KerasTensor) for x in given):
            raise CompileError(
                f"{model.name}: is cloned, but input_tensors are not symbolic tensors",
                remedy="Give what kerac.Input(shape) returned.",
            )
        if isinstance(model, Sequential):
            if self._call_function is not None and not is_inner:
                raise CompileError(
                    f"{model.name}: is sequential, but call_function is given, "
                    "which calls layers of functional models"
                )
            return self._sequential(model, input_tensors)
        if isinstance(model, Functional):
            return self._functional(model, input_tensors)
        raise CompileError(
            f"{model.name}: is a {type(model).__name__}, "
            "but only functional and sequential models can be cloned",
            remedy="Make it again by type(model).from_config(model.get_config()).",
        )

    def layer(self, layer: Layer) -> Any:
        """The clone of a layer, one for each."""
        if layer not in self._known:
            is_model = self._is_recursive and isinstance(layer, Functional | Sequential)
            made = self.model(layer, is_inner=True) if is_model else self._clone_function(layer)
            self._known[layer] = made
        return self._known[layer]

    def _sequential(self, model: Sequential, input_tensors: Any) -> Any:
        given = leaves(input_tensors)
        if len(given) != 1:
            raise CompileError(
                f"{model.name}: has one input, but input_tensors are {len(given)} tensors"
            )
        inputs = given
        if input_tensors is None:
            known = leaves(model.input) if model.built else []
            inputs = [_like(x) for x in known] if len(known) == 1 else []
        layers = [*inputs, *map(self.layer, model.layers)]
        return Sequential(layers, name=model.name, trainable=model.trainable)

    def _functional(self, model: Functional, input_tensors: Any) -> Any:
        inputs = model.input
        if input_tensors is None:
            input_tensors = map_structure(_like, inputs)
        if len(leaves(input_tensors)) != len(leaves(inputs)):
            raise CompileError(
                f"{model.name}: has {len(leaves(inputs))} inputs, "
                f"but input_tensors are {len(leaves(input_tensors))} tensors"
            )
        known = dict(zip(leaves(inputs), leaves(input_tensors), strict=True))
        for node in model._topology.nodes:
            if all(x in known for x in leaves(node.outputs)):
                continue
            args, kwargs = map_structure(
                lambda x: known[x] if isinstance(x, KerasTensor) else x, (node.args, node.kwargs)
            )
            layer = self.layer(node.layer)
            called = (self._call_function or _call)(layer, *args, **kwargs)
            known.update(zip(leaves(node.outputs), leaves(called), strict=True))
        outputs = map_structure(lambda x: known[x], model.output)
        return Functional(input_tensors, outputs, name=model.name, trainable=model.trainable)


def _call(layer: Any, *args: Any, **kwargs: Any) -> Any:
    return layer(*args, **kwargs)


def _like(x: KerasTensor) -> Any:
    """A new input of the same shape, dtype and name."""
    return InputLayer(batch_shape=x.shape, dtype=x.dtype, name=x.node.layer.name).output
