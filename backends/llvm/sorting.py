"""The order of elements: runs of places, twice as long in every round, are merged."""

from __future__ import annotations

from math import prod

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, INDEX, Index, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.ir.ops.sorting import ArgSort
from kerac.ir.types import TensorType

ROUNDS = 31  # for lengths that are not known


@lowers(ArgSort, epilogue=False)
def lower_argsort(lowering: Lowering, group: Group) -> None:
    """y[row] = places in ascending order of x[row, place]"""
    x = group.head.operands[0]
    k = lowering.kernel(group)
    numbers, result = k.read(x), k.write(group.root)
    merged = k.write(lowering.scratch(TensorType("i32", x.shape), "merged"))
    count = x.shape[-1]
    length = k.dim(count)
    rounds = max(count - 1, 0).bit_length() if isinstance(count, int) else ROUNDS

    def row(number: Index) -> None:
        start = k.multiply(number, length)
        k.loop("i", 0, length, lambda i: k.store(result, k.add(start, i), _place(k, i)))
        for turn in range(rounds):
            width = 2**turn

            def step(width: int = width) -> None:
                merge = _Merge(k, numbers, result, merged, start, length, width)
                runs = k.quotient(k.add(length, 2 * width - 1), 2 * width)
                k.loop("run", 0, runs, merge.run)
                k.loop("i", 0, length, lambda i: _copy(k, merged, result, k.add(start, i)))

            k.when(k.compare("greater", length, width), step)

    cost = k.multiply(length, max(rounds, 1) * 2 * ELEMENT)
    k.parallel({"row": k.dim(prod(x.shape[:-1], start=1))}, row, cost=cost)
    lowering.launch(k)


def _place(k: GroupKernel, index: Index) -> Register:
    register = index if isinstance(index, Register) else k.number(index, INDEX)
    return k.convert(register, "i32")


def _copy(k: GroupKernel, source: Pointer, target: Pointer, at: Index) -> None:
    k.store(target, at, k.load(source, at))


class _Merge:
    """Two neighbouring runs of sorted places become one."""

    def __init__(
        self,
        k: GroupKernel,
        numbers: Pointer,
        places: Pointer,
        merged: Pointer,
        start: Index,
        length: Index,
        width: int,
    ) -> None:
        self.k, self.numbers, self.places, self.merged = k, numbers, places, merged
        self.start, self.length, self.width = start, length, width

    def run(self, number: Index) -> None:
        """The runs from 2 * number * width on."""
        k = self.k
        first = k.multiply(number, 2 * self.width)
        middle = k.minimum(k.add(first, self.width), self.length)
        stop = k.minimum(k.add(first, 2 * self.width), self.length)
        last = k.subtract(self.length, 1)

        def pick(at: Index, left: Register, right: Register) -> tuple[Register, Register]:
            x, one = self._element(k.minimum(left, last))
            y, other = self._element(k.minimum(right, last))
            has_left, has_right = k.compare("less", left, middle), k.compare("less", right, stop)
            later = k.compare("less", y, x)
            if x.kind.is_float:
                is_nan, is_number = k.compare("not_equal", x, x), k.compare("equal", y, y)
                later = k.compute("or", later, k.compute("and", is_nan, is_number))
            takes_right = k.compute("and", has_right, later)
            takes_right = k.compute("or", takes_right, k.compute("xor", has_left, True))
            k.store(self.merged, k.add(self.start, at), k.select(takes_right, other, one))
            step = k.convert(takes_right, "i64")
            return k.subtract(k.add(left, 1), step), k.add(right, step)

        carried = tuple(
            index if isinstance(index, Register) else k.number(index, INDEX)
            for index in (first, middle)
        )
        k.loop("k", first, stop, pick, carried=carried)

    def _element(self, at: Index) -> tuple[Register, Register]:
        """The element at the place that stands at `at`, and the place."""
        place = self.k.load(self.places, self.k.add(self.start, at))
        index = self.k.add(self.start, self.k.convert(place, "i64"))
        return self.k.load(self.numbers, index), place
