"""Sums of products over named axes, as `ab,bc->ac`: by transposes and one matrix product."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kerac.ir import Value, ops
from kerac.ir.dims import DimLike
from kerac.ir.errors import CompileError
from kerac.ir.types import is_static
from kerac.layers.reshaping import product
from kerac.tracing import need_equal

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Labelled:
    """A value with a name for each of its axes."""

    value: Value
    labels: Labels

    def length(self, label: str) -> DimLike:
        """The length of the axis of this name."""
        length: DimLike = self.value.shape[self.labels.index(label)]
        return length

    def ordered(self, labels: Sequence[str]) -> Labelled:
        """The same with axes in another order."""
        order = tuple(self.labels.index(label) for label in labels)
        return Labelled(ops.transpose(self.value, order), tuple(labels))

    def merged(self, *groups: Sequence[str]) -> Value:
        """The value with one axis for each group of names."""
        shape = tuple(product(tuple(map(self.length, group))) for group in groups)
        moved = self.ordered([label for group in groups for label in group])
        return ops.reshape(moved.value, shape)

    def summed_to(self, kept: Collection[str]) -> Labelled:
        """Without the axes that are not among `kept`."""
        axes = tuple(axis for axis, label in enumerate(self.labels) if label not in kept)
        if not axes:
            return self
        labels = tuple(label for label in self.labels if label in kept)
        return Labelled(ops.reduce_sum(self.value, axes), labels)


def einsum(equation: str, *operands: Value) -> Value:
    """The sum of products that the equation names; operands are multiplied from the left on."""
    inputs, result = parse_equation(equation, [value.ndim for value in operands])
    values = [Labelled(*pair) for pair in zip(operands, inputs, strict=True)]
    lengths: dict[str, DimLike] = {}
    for value in values:
        for label in value.labels:
            length = value.length(label)
            known = lengths.setdefault(label, length)
            need_equal(known, length, f"the lengths of axis {label!r} of {equation!r}")
    first, *others = values
    for number, other in enumerate(others):
        later = {label for value in others[number + 1 :] for label in value.labels}
        first = _product_of(first, other, {*result, *later})
    return first.summed_to(result).ordered(result).value


def _product_of(x: Labelled, y: Labelled, kept: set[str]) -> Labelled:
    """The product of two, summed over the names that nobody needs any more."""
    x, y = x.summed_to({*y.labels, *kept}), y.summed_to({*x.labels, *kept})
    common = [label for label in x.labels if label in y.labels]
    batch = [label for label in common if label in kept]
    summed = [label for label in common if label not in kept]
    rows = [label for label in x.labels if label not in common]
    columns = [label for label in y.labels if label not in common]
    shape = tuple(
        owner.length(label)
        for owner, labels in ((x, batch), (x, rows), (y, columns))
        for label in labels
    )
    if not summed:
        wide = tuple(x.length(label) for label in (*batch, *rows)) + (1,) * len(columns)
        left = ops.reshape(x.ordered([*batch, *rows]).value, wide)
        narrow = tuple(y.length(label) for label in batch) + (1,) * len(rows)
        right = ops.reshape(
            y.ordered([*batch, *columns]).value, (*narrow, *map(y.length, columns))
        )
        return Labelled(ops.multiply(left, right), (*batch, *rows, *columns))
    if not batch and is_static(y.value.shape):
        left = x.merged(*([label] for label in rows), summed)
        sums = ops.dense(left, y.merged(summed, columns))
    else:
        sums = ops.matmul(x.merged(batch, rows, summed), y.merged(batch, summed, columns))
    return Labelled(ops.reshape(sums, shape), (*batch, *rows, *columns))


def parse_equation(equation: str, ndims: Sequence[int]) -> tuple[list[Labels], Labels]:
    """Names of the axes of all operands and of the result; `...` stands for `.1`, `.0` and so on.

    Without `->` the result has every name that occurs once, in the order of the alphabet.
    """
    text = equation.replace(" ", "")
    if not re.fullmatch(r"[a-zA-Z.,]*(->[a-zA-Z.]*)?", text):
        raise CompileError(f"einsum: {equation!r:.60} is not an equation such as 'ab,bc->ac'")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise CompileError(
            f"einsum: {equation!r:.60} names {len(terms)} tensors, but there are {len(ndims)}"
        )
    inputs = [_labels(term, ndim, equation) for term, ndim in zip(terms, ndims, strict=True)]
    dots = max((label for labels in inputs for label in labels if label[0] == "."), default="")
    many = int(dots[1:]) + 1 if dots else 0
    if not arrow:
        once = sorted(label for label in set(left) if label.isalpha() and left.count(label) == 1)
        right = ("..." if many else "") + "".join(once)
    result = _labels(right, len(right.replace("...", "")) + (many if "..." in right else 0), right)
    unknown = set(result) - {label for labels in inputs for label in labels}
    if unknown:
        raise CompileError(f"einsum: {equation!r:.60} has {min(unknown)!r} in its result alone")
    return inputs, result


def _labels(term: str, ndim: int, equation: str) -> Labels:
    before, dots, after = term.partition("...")
    letters = before + after
    spare = ndim - len(letters)
    if not (spare >= 0 if dots else spare == 0) or "." in letters:
        raise CompileError(f"einsum: {term!r} of {equation!r:.60} does not name {ndim} axes")
    if len(set(letters)) != len(letters):
        raise CompileError(f"einsum: {term!r} of {equation!r:.60} names an axis twice")
    return (*before, *(f".{place}" for place in reversed(range(spare))), *after)
