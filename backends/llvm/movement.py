"""Movement: transposing, broadcasting, slicing, reversing and repeating as strided views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import ELEMENT, INDEX, Index, Mask, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel, Lowering, lowers
from kerac.backends.llvm.pointwise import Part, Position, epilogue_shapes, for_each_vector
from kerac.backends.llvm.transposition import pick, tile_size, transpose_tile
from kerac.backends.llvm.views import Section, Way, view_of
from kerac.ir.dims import DimLike
from kerac.ir.ops.movement import BroadcastTo, Repeat, Reverse, Slice, Transpose

FEW = 8  # neighbours that vectors of interleaved elements are made for

Place = tuple[int, int]  # number of a section, and of a way in it
Indices = dict[Place, Index]


@lowers(Transpose, BroadcastTo, Slice, Reverse, Repeat, reads_pieces=(0,))
def lower_view(lowering: Lowering, group: Group) -> None:
    """y[i...] = x[base + i * stride ...]"""
    anchor = group.head
    k = lowering.kernel(group)
    view = view_of(anchor, k.pitch(anchor.operands[0]))
    sections = view.sections(anchor.shape, epilogue_shapes(k))
    _Mover(k, k.read(anchor.operands[0]), sections, view.base).emit()
    lowering.launch(k)


@dataclass(frozen=True)
class _Mover:
    """One view under construction; vectors run along the last way of the last section."""

    k: GroupKernel
    x: Pointer
    sections: tuple[Section, ...]
    base: DimLike

    @property
    def places(self) -> list[Place]:
        """All ways, outermost first."""
        return [
            (number, way)
            for number, section in enumerate(self.sections)
            for way in range(len(section.ways))
        ]

    def way(self, place: Place) -> Way:
        return self.sections[place[0]].ways[place[1]]

    def emit(self) -> None:
        """Choose how vectors are read and build the loops."""
        places = self.places
        if not places or self.k.lanes == 1:
            self._over(places, {}, lambda at: self.k.finish(self._read(at), self._position(at)))
            return
        inner = places[-1]
        stride = self.way(inner).stride
        unit = next((place for place in places if self.way(place).stride == 1), None)
        together = unit is not None and self._are_neighbours(unit, inner)
        length = self.way(inner).length
        if stride == 0 and together and isinstance(length, int) and length <= FEW:
            self._interleaved(places[-2:], length)
        elif stride in (0, 1, -1):
            self._rows(inner)
        elif unit is not None:
            self._transposed(unit, inner)
        elif isinstance(stride, int) and 2 <= stride <= FEW:
            self._spaced([inner], stride, [(0, {})], 1)
        else:
            self._over(places, {}, lambda at: self.k.finish(self._read(at), self._position(at)))

    def _over(
        self, places: Sequence[Place], indices: Indices, body: Callable[[Indices], None]
    ) -> None:
        """Loops over the ways at `places`."""
        inner: Index = 2 * ELEMENT
        for place in self.places:
            if place not in places:
                inner = self.k.multiply(inner, self.k.dim(self.way(place).length))
        self.k.parallel(
            {
                f"i{section}_{way}": self.k.dim(self.way((section, way)).length)
                for section, way in places
            },
            lambda *at: body({**indices, **dict(zip(places, at, strict=True))}),
            cost=inner,
        )

    def _offset(self, indices: Indices) -> Index:
        total = self.k.dim(self.base)
        for place, index in indices.items():
            total = self.k.add(total, self.k.multiply(index, self.k.dim(self.way(place).stride)))
        return total

    def _read(self, indices: Indices, lanes: int = 1, mask: Mask = None) -> Register:
        return self.k.load(self.x, self._offset(indices), lanes, mask)

    def _position(self, indices: Indices) -> Position:
        parts = []
        for number, section in enumerate(self.sections):
            index: Index = 0
            for place, way in enumerate(section.ways):
                index = self.k.add(
                    self.k.multiply(index, self.k.dim(way.length)), indices.get((number, place), 0)
                )
            parts.append(Part(index, section.first, section.last))
        return Position(tuple(parts))

    def _are_neighbours(self, outer: Place, inner: Place) -> bool:
        """Whether two ways follow one another in one section, so that both count its elements."""
        return outer == (inner[0], inner[1] - 1)

    def _rows(self, inner: Place) -> None:
        """Vectors of neighbours, forwards or backwards, or of one element."""
        k, way = self.k, self.way(inner)

        def vector(indices: Indices, i: Index, lanes: int, mask: Mask) -> None:
            at = {**indices, inner: i}
            if way.stride == 0:
                value = k.broadcast(self._read(indices), lanes)
            else:
                value = self._read(at, lanes, mask)
            k.finish(value, self._position(at), mask)

        def row(indices: Indices) -> None:
            if way.stride == -1:
                self._backwards(inner, indices)
            else:
                for_each_vector(k, "v", way.length, lambda *place: vector(indices, *place))

        self._over([place for place in self.places if place != inner], {}, row)

    def _backwards(self, inner: Place, indices: Indices) -> None:
        """A row from its last element to its first."""
        k, lanes = self.k, self.k.lanes

        def vector(i: Index, count: Index) -> None:
            if not isinstance(count, int):
                k.loop("v", 0, count, lambda e: one(i + e))
                return
            first = {**indices, inner: k.add(i, count - 1)}
            mask = k.tail_mask(count, lanes)
            value = self._read(first, lanes, mask)
            picks = [count - 1 - lane if lane < count else -1 for lane in range(lanes)]
            k.finish(k.shuffle(value, None, picks), self._position({**indices, inner: i}), mask)

        def one(i: Index) -> None:
            at = {**indices, inner: i}
            k.finish(self._read(at), self._position(at))

        self._pieces(inner, lanes, vector)

    def _pieces(self, place: Place, size: int, body: Callable[[Index, Index], None]) -> None:
        """body(first, count) for pieces of `size` of a way; the last one may be shorter."""
        k, length = self.k, self.k.dim(self.way(place).length)
        full = length // size * size
        k.loop("t", 0, full, lambda i: body(i, size), step=size)
        if isinstance(length, int):
            if length > full:
                body(full, length - full)
            return
        rest = k.subtract(length, full)
        k.when(k.compare("greater", rest, 0), lambda: body(full, rest))

    def _transposed(self, unit: Place, inner: Place) -> None:
        """The operand's vectors run along `unit`, those of the result along `inner`."""
        rows, columns = self.way(unit), self.way(inner)
        if isinstance(rows.length, int) and rows.length <= FEW and columns.stride == rows.length:
            made: list[tuple[int, Indices]] = [(row, {unit: row}) for row in range(rows.length)]
            self._spaced([unit, inner], rows.length, made, rows.length)
        elif (
            isinstance(columns.length, int)
            and columns.length <= FEW
            and self._are_neighbours(unit, inner)
        ):
            self._interleaved([unit, inner], columns.length)
        else:
            self._tiled(unit, inner)

    def _tiled(self, unit: Place, inner: Place) -> None:
        """Square tiles, transposed in registers."""
        k, size = self.k, tile_size(self.k.target, self.x.dtype)

        def tile(indices: Indices, r: Index, rows: Index, c: Index, columns: Index) -> None:
            def finish(row: int, vector: Register) -> None:
                at = {**indices, unit: k.add(r, row), inner: c}
                k.finish(vector, self._position(at), k.tail_mask(columns, size))

            loaded = []
            for column in range(size):
                inside = k.compare("less", column, columns)
                mask = k.tail_mask(k.select(inside, rows, 0, INDEX), size)
                at = {**indices, unit: r, inner: k.add(c, column)}
                loaded.append(self._read(at, size, mask))
            for row, vector in enumerate(transpose_tile(k, loaded)):
                k.when(k.compare("less", row, rows), partial(finish, row, vector))

        def tiles(indices: Indices) -> None:
            self._pieces(
                unit,
                size,
                lambda r, rows: self._pieces(
                    inner, size, lambda c, columns: tile(indices, r, rows, c, columns)
                ),
            )

        self._over([place for place in self.places if place not in (unit, inner)], {}, tiles)

    def _interleaved(self, pair: Sequence[Place], count: int) -> None:
        """`count` neighbours of the result lie apart in the operand, or are one element of it."""
        k, lanes = self.k, self.k.lanes
        unit, inner = pair
        sources = 1 if self.way(inner).stride == 0 else count

        def piece(indices: Indices, r: Index, rows: Index) -> None:
            mask = k.tail_mask(rows, lanes)
            at = {**indices, unit: r}
            loaded = [self._read({**at, inner: source}, lanes, mask) for source in range(sources)]

            def finish(number: int, valid: Index) -> None:
                flat = range(number * lanes, (number + 1) * lanes)
                value = pick(k, loaded, [i % count % sources * lanes + i // count for i in flat])
                k.finish(
                    value, self._position({**at, inner: number * lanes}), k.tail_mask(valid, lanes)
                )

            for number in range(count):
                valid = k.subtract(k.multiply(rows, count), number * lanes)
                k.when(k.compare("greater", valid, 0), partial(finish, number, valid))

        others = [place for place in self.places if place not in pair]
        self._over(others, {}, lambda indices: self._pieces(unit, lanes, partial(piece, indices)))

    def _spaced(
        self, taken: Sequence[Place], stride: int, rows: Sequence[tuple[int, Indices]], reach: int
    ) -> None:
        """Vectors along the last way, whose elements are `stride` apart.

        `rows` are what is made of them: (offset of the first element, indices). They reach over
        `reach` neighbours of each element.
        """
        k, lanes, inner = self.k, self.k.lanes, self.places[-1]

        def piece(indices: Indices, c: Index, columns: Index) -> None:
            # elements from the first to the last one that is wanted
            needed = k.add(k.multiply(k.subtract(columns, 1), stride), reach)
            start = self._offset({**indices, inner: c})
            loaded = [
                k.load(
                    self.x,
                    k.add(start, number * lanes),
                    lanes,
                    k.tail_mask(k.maximum(k.subtract(needed, number * lanes), 0), lanes),
                )
                for number in range(stride)
            ]
            for first, own in rows:
                value = pick(k, loaded, [first + stride * lane for lane in range(lanes)])
                at = {**indices, **own, inner: c}
                k.finish(value, self._position(at), k.tail_mask(columns, lanes))

        others = [place for place in self.places if place not in taken]
        self._over(others, {}, lambda indices: self._pieces(inner, lanes, partial(piece, indices)))
