"""Batches as tuples, and where symbolic tensors come from."""

from __future__ import annotations

from typing import Any

from kerac.structure import leaves
from kerac.tensor import KerasTensor


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """What `fit` takes for a batch: x, (x, y) or (x, y, sample_weight)."""
    if y is None:
        return (x,) if isinstance(x, tuple | list) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """x, y and sample_weight of what `fit` takes for a batch; None for what is not there."""
    from kerac.training.batches import unpacked

    return tuple(unpacked(data))


def get_source_inputs(tensor: KerasTensor) -> list[KerasTensor]:
    """The inputs that a symbolic tensor is computed from."""
    found: dict[KerasTensor, None] = {}
    seen: dict[KerasTensor, None] = {}
    pending = leaves(tensor)
    while pending:
        x = pending.pop(0)
        if x in seen:
            continue
        seen[x] = None
        if not x.node.inputs:
            found[x] = None
        pending += x.node.inputs
    return list(found)
