"""Which elements count: masks enter a layer's `call` and leave it as in Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerac.ir import Value, ops
from kerac.ir.errors import ShapeError
from kerac.layers.arguments import call_signature
from kerac.structure import leaves, map_structure
from kerac.tracing import current_trace, need_equal

if TYPE_CHECKING:
    from kerac.layers.base import Layer


def mask_of(x: Any) -> Value | None:
    """The mask of a value in the graph in the making."""
    return current_trace().masks.get(x) if isinstance(x, Value) else None


def fill_masks(layer: Layer, arguments: dict[str, Any]) -> Any:
    """Give `call` the masks that it asks for; returns those of the first argument."""
    names = call_signature(type(layer)).parameters
    tensors = {
        name: value
        for name, value in arguments.items()
        if any(isinstance(x, Value) for x in leaves(value))
    }
    first = next(iter(arguments.values()), None)
    if len(tensors) == 1:
        if "mask" in names and arguments.get("mask") is None:
            arguments["mask"] = map_structure(mask_of, next(iter(tensors.values())))
    else:
        # as Keras has it: a layer with several tensor arguments gets a mask for each by its name
        for name, value in tensors.items():
            if f"{name}_mask" in names and arguments.get(f"{name}_mask") is None:
                arguments[f"{name}_mask"] = map_structure(mask_of, value)
    if arguments.get("mask") is not None:
        return arguments["mask"]
    return map_structure(mask_of, first)


def set_masks(layer: Layer, first: Any, previous: Any, outputs: Any) -> Any:
    """Note the masks of a layer's outputs; a layer that does not support masks ends them."""
    masks = current_trace().masks
    if not layer.supports_masking:
        given = set(leaves(first))
        # the same value without its mask is another value
        return map_structure(
            lambda x: x.labelled() if x in given and x in masks else x, outputs
        )
    values = leaves(outputs)
    if all(value in masks for value in values):
        return outputs
    found = layer.compute_mask(first, previous)
    if found is not None:
        for value, mask in zip(values, leaves(found), strict=False):
            if mask is not None:
                masks.setdefault(value, mask)
    return outputs


def any_along(mask: Value, axis: int) -> Value:
    """Whether any element along `axis` is true.

    mask: bool[..., D, ...] -> bool[..., ...]
    """
    numbers = ops.ReduceMax((axis,))(ops.cast(mask, "f32"))
    return ops.Greater()(numbers, ops.constant(0.0, "f32"))


def align(mask: Value, x: Value) -> Value:
    """The mask with axes of length 1 behind, so that it broadcasts against x."""
    return ops.reshape(mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim)))


def as_bool(mask: Value) -> Value:
    """A mask that someone gave, as bool: what is not 0 counts."""
    return mask if mask.dtype == "bool" else ops.NotEqual()(mask, ops.constant(0, mask.dtype))


def check_mask(mask: Value, x: Value, steps: int = 1, ndim: int = 2) -> None:
    """A mask must be [N, T], with x's batch and as many steps as its axis `steps` has."""
    if mask.ndim != ndim:
        raise ShapeError(f"the mask must be bool[N, T], but is {mask.type}")
    need_equal(mask.shape[0], x.shape[0], "the batches of mask and input")
    need_equal(mask.shape[1], x.shape[steps], "the numbers of steps of mask and input")
