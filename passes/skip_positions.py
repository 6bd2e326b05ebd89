"""Positions that no reader looks at are not computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import gcd
from operator import mul

from kerac.ir import Graph, Origin, Value
from kerac.ir import ops as o
from kerac.ir.ops.elementwise import Elementwise
from kerac.ir.ops.movement import Pairs
from kerac.ir.ops.window import explicit_padding, known_pairs
from kerac.passes.base import Pass

Steps = tuple[int, ...]  # along each axis: of so many positions the first is wanted


@dataclass(frozen=True)
class SkipPositions(Pass):
    """Compute only every second position where strides skip the others, as before a projection.

    A convolution with windows of one element then is a product with a matrix at every place.

    def before(x: f32[N, 8, 8, 3], a: f32[3, 3, 3, 4], b: f32[1, 1, 4, 6], skip: f32[N, 8, 8, 4]):
        y = convolution(x, a, residual=skip, activation="relu", padding="same")
        z = convolution(y, b, strides=(2, 2))
        return z
    def after(x: f32[N, 8, 8, 3], a: f32[3, 3, 3, 4], b: f32[1, 1, 4, 6], skip: f32[N, 8, 8, 4]):
        skip_1 = slice(skip, start=(0, 0, 0, 0), stop=(N, 8, 8, 4), step=(1, 2, 2, 1))
        y = convolution(x, a, residual=skip_1, activation="relu", strides=(2, 2),
            padding=((1, 1), (1, 1)))
        z = convolution(y, b)
        return z
    """

    def apply(self, graph: Graph, changes: Counter[str]) -> Graph:
        """The graph that computes what is wanted; counts the values that have fewer positions."""
        wanted = _wanted(graph)
        if not any(_skips(value, wanted) for value in graph.values):
            return graph
        rebuilt = _Rebuilt(wanted, self.name)
        for value in graph.values:
            rebuilt.add(value)
        changes["skip"] += sum(_skips(value, wanted) for value in graph.values)
        return graph.with_outputs(rebuilt.new[output] for output in graph.outputs)


def _wanted(graph: Graph) -> Mapping[Value, Steps]:
    """What is computed of each value: all that its readers want, if it can leave out the rest."""
    found: dict[Value, Steps] = {output: _all(output) for output in graph.outputs}
    for value in reversed(graph.values):
        steps = found.get(value, ())
        if not _can_skip(value, steps):
            steps = found[value] = _all(value)
        for operand, of_operand in zip(value.operands, _operand_steps(value, steps), strict=True):
            known = found.get(operand, of_operand)
            found[operand] = tuple(map(gcd, known, of_operand))
    return found


def _all(value: Value) -> Steps:
    return () if isinstance(value.type, tuple) else (1,) * value.ndim


def _can_skip(value: Value, steps: Steps) -> bool:
    """Whether the op of `value` can compute these positions alone."""
    match value.op:
        case Elementwise():
            return True
        case o.Convolution() as op:
            between = steps[:1] == steps[-1:] == (1,)
            return between and (max(steps) == 1 or _padding(value, op) is not None)
    return False


def _padding(value: Value, op: o.Convolution) -> Pairs | None:
    """A convolution's padding, if it depends on no symbol."""
    x, kernel = value.operands[:2]
    spatial = x.ndim - 2
    window = kernel.shape[:-2]
    strides, dilation = op.all_strides(spatial), op.all_dilation(spatial)
    return known_pairs(explicit_padding(x.shape[1:-1], window, strides, dilation, op.padding))


def _operand_steps(value: Value, steps: Steps) -> list[Steps]:
    """What is wanted of each operand where `steps` are those of `value`."""
    match value:
        case Value(Elementwise()):
            return [_aligned(operand, value, steps) for operand in value.operands]
        case Value(o.Convolution() as op, (Value() as x, Value() as kernel, *_)):
            of_x = _all(x)
            if _is_product(value, op):
                of_x = _where_long(x, (1, *map(mul, op.all_strides(x.ndim - 2), steps[1:-1]), 1))
            rest = [_aligned(operand, value, steps) for operand in value.operands[2:]]
            return [of_x, _all(kernel), *rest]
        case Value(o.Slice() as op, (Value() as x,)) if _is_plain(op, x):
            return [op.steps]
    return [_all(operand) for operand in value.operands]


def _aligned(operand: Value, value: Value, steps: Steps) -> Steps:
    """The steps of `value` along the axes that an operand has."""
    return _where_long(operand, steps[value.ndim - operand.ndim :])


def _where_long(value: Value, steps: Steps) -> Steps:
    """No step is needed along axes of one element."""
    pairs = zip(value.shape, steps, strict=True)
    return tuple(1 if length == 1 else step for length, step in pairs)


def _is_product(value: Value, op: o.Convolution) -> bool:
    """Whether a convolution is one with a matrix, at every place or at some."""
    single = op.groups == 1 and set(value.operands[1].shape[:-2]) == {1}
    padding = _padding(value, op) if single else None
    return padding is not None and not any(map(any, padding))


def _is_plain(op: o.Slice, x: Value) -> bool:
    """Whether a slice leaves out whole rows and nothing but by its steps."""
    return op.steps[-1] == 1 and set(op.start) == {0} and op.stop == x.shape


def _skips(value: Value, wanted: Mapping[Value, Steps]) -> bool:
    """Whether `value` looks at fewer positions than its operands have, and is no slice itself."""
    found = _operand_steps(value, wanted[value])
    return not isinstance(value.op, o.Slice) and any(max(s, default=1) > 1 for s in found)


def _with_steps(value: Value, op: o.Convolution, steps: Steps) -> o.Convolution:
    """The convolution that computes the positions at `steps`, of the operands that it wants."""
    if _is_product(value, op):
        return replace(op, strides=(), padding="valid")
    padding = _padding(value, op) if max(steps) > 1 else None
    if padding is None:
        return op
    strides = tuple(map(mul, op.all_strides(value.ndim - 2), steps[1:-1]))
    return replace(op, strides=strides, padding=padding)


@dataclass
class _Rebuilt:
    """New values, of which those positions alone are there that are `wanted`."""

    wanted: Mapping[Value, Steps]
    name: str
    new: dict[Value, Value] = field(default_factory=dict)
    slices: dict[tuple[Value, Steps], Value] = field(default_factory=dict)

    def add(self, old: Value) -> None:
        """Find what stands for `old`; what stands for its operands is known."""
        match old:
            case Value(o.Slice() as slice_, (Value() as x,)) if _is_plain(slice_, x):
                self.new[old] = self._at(x, slice_.steps, old)
                return
        found = iter(_operand_steps(old, self.wanted[old]))
        inputs = [None if v is None else self._at(v, next(found)) for v in old.inputs]
        op = old.op
        if isinstance(op, o.Convolution):
            op = _with_steps(old, op, self.wanted[old])
        if op == old.op and all(new is v for new, v in zip(inputs, old.inputs, strict=True)):
            self.new[old] = old
        else:
            self.new[old] = op(*inputs, name=old.name, origin=self._signed(old))

    def _at(self, value: Value, steps: Steps, as_slice: Value | None = None) -> Value:
        """The new value at those positions, which may be fewer than it has."""
        new = self.new[value]
        rest = tuple(a // b for a, b in zip(steps, self.wanted[value], strict=True))
        if max(rest, default=1) == 1:
            return new
        if (value, rest) not in self.slices:
            if as_slice is None or new is not value:
                op = o.Slice((0,) * value.ndim, new.shape, rest)
                as_slice = op(new, name=value.name, origin=self._signed(value))
            self.slices[value, rest] = as_slice
        return self.slices[value, rest]

    def _signed(self, value: Value) -> Origin:
        return value.origin | Origin(passes=(self.name,))
