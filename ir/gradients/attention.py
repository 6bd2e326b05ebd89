"""The gradient of attention, through its decomposition."""

from __future__ import annotations

from kerac.ir import ops as o
from kerac.ir.errors import InternalError
from kerac.ir.gradients.registry import WITHOUT_GRADIENT, Applied, Cotangents, gradient_of
from kerac.ir.gradients.reverse import reverse

WITHOUT_GRADIENT |= {o.Iota: "has no operands"}


@gradient_of(o.Attention)
def attention(at: Applied) -> Cotangents:
    """Weights are computed once more, and all of them are in memory."""
    parts = at.op.decompose(*at.inputs)
    if parts is None:
        raise InternalError("attention needs query, key and value")
    # a value that stands at several places gets all of its cotangent at the first of them
    present = list(dict.fromkeys(value for value in at.inputs if value is not None))
    found = dict(zip(present, reverse([parts], [at.cotangent], present), strict=True))
    return tuple(None if value is None else found.pop(value, None) for value in at.inputs)
