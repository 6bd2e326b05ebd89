"""Gradients of sums up to each element, and of tables changed by number."""

from __future__ import annotations

from kerac.ir import ops as o
from kerac.ir.gradients.registry import WITHOUT_GRADIENT, Applied, Cotangents, gradient_of
from kerac.ir.graph import Value

WITHOUT_GRADIENT[o.ArgSort] = "places are no numbers that change with the elements"


@gradient_of(o.CumulativeSum)
def cumulative_sum(at: Applied) -> Cotangents:
    """The sums the other way round."""
    return (o.CumulativeSum(at.op.axis, not at.op.reverse)(at.cotangent),)


@gradient_of(o.Scatter)
def scatter(at: Applied) -> Cotangents:
    """To the table what was left of it, to each update what it brought.

    Of equally large updates all get the cotangent; products with a factor of 0 have no slope here.
    """
    table, indices, updates = at.result.operands
    g = at.cotangent
    if at.op.reduction == "add":
        return g, None, _rows(g, indices)
    if at.op.reduction == "set":
        return o.Scatter()(g, indices, _zeros(updates)), None, _of_last(g, indices)
    if at.op.reduction == "multiply":
        whole = o.multiply(g, at.result)
        return o.divide(whole, table), None, o.divide(_rows(whole, indices), updates)
    zero = o.constant(0, g.dtype)
    kept = o.select(o.Equal()(table, at.result), g, zero)
    brought = o.Equal()(updates, _rows(at.result, indices))
    return kept, None, o.select(brought, _rows(g, indices), zero)


def _of_last(g: Value, indices: Value) -> Value:
    """The cotangents of rows, to the last update of each row alone."""
    count = indices.shape[0]
    numbers = o.iota((count, 1), 0)
    none = o.broadcast_to(o.constant(-1, "i32"), (g.shape[0], 1))
    last = o.Scatter("maximum")(none, indices, numbers)
    stays = o.Equal()(_rows(last, indices), numbers)
    return o.select(stays, _rows(g, indices), o.constant(0, g.dtype))


def _rows(table: Value, indices: Value) -> Value:
    """Rows by number, zero for numbers outside the table."""
    length = o.Length(table.shape[0], indices.dtype)()
    inside = o.LogicalAnd()(
        o.GreaterEqual()(indices, o.constant(0, indices.dtype)), o.Less()(indices, length)
    )
    found = o.gather(table, indices)
    return o.select(o.reshape(inside, (*inside.shape, 1)), found, o.constant(0, found.dtype))


def _zeros(x: Value) -> Value:
    return o.broadcast_to(o.constant(0, x.dtype), x.shape)
