"""Transforming the elements of tiles, for convolution by Winograd's transforms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from kerac.backends.llvm.kernel import Index, Mask, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel
from kerac.backends.llvm.window import Axis, clamped_range
from kerac.backends.llvm.winograd_transforms import Form, Load
from kerac.ir.dims import known_dim

FAR = 1 << 16  # elements of an image that come from beyond the second-level cache


@dataclass(frozen=True)
class Tile:
    """A tile of an image, by the numbers of its row and column, and channels `first` to `stop`.

    Channels that the last vector has beyond the last one become zeros.
    """

    image: Index
    row: Index
    column: Index
    first: Index
    stop: Index


@dataclass(frozen=True)
class Factors:
    """Where the factors of a tile go: those of a product lie `pitch` elements from the next's."""

    pointer: Pointer
    place: Index
    pitch: int


class ElementTransform:
    """The transform of one tile after the other.

    `down` and `across` are the axes with what a tile reads as one window.
    """

    def __init__(
        self, k: GroupKernel, x: Pointer, pitch: Index, channels: int, form: Form, *axes: Axis
    ) -> None:
        self.k, self.x, self.pitch, self.channels, self.form = k, x, pitch, channels, form
        self.down, self.across = axes
        self.is_padded = any(axis.padded for axis in axes)
        lengths = [known_dim(axis.length) for axis in axes]
        self.is_far = lengths[0] * lengths[1] * channels > FAR
        if self.is_padded:
            self.patch = k.local("patch", "f32", form.products * k.lanes)

    def tile(self, tile: Tile, factors: Factors) -> None:
        """Write the factors of a tile."""
        k, inputs = self.k, self.form.inputs
        lines = clamped_range(k, self.down, tile.row)
        columns = clamped_range(k, self.across, tile.column)
        inside = k.multiply(k.subtract(lines[1], lines[0]), k.subtract(columns[1], columns[0]))
        is_whole = k.compare("equal", inside, inputs**2)
        k.when(is_whole, partial(self._whole, tile, factors))
        if self.is_padded:
            is_part = k.compare("less", inside, inputs**2)
            k.when(is_part, partial(self._part, tile, factors, lines, columns))

    def _whole(self, tile: Tile, factors: Factors) -> None:
        """A tile that lies inside the array."""
        k = self.k
        start = self._place(tile, 0, 0)

        def vector(c: Index) -> None:
            if self.is_far:
                k.loop("line", 0, self.form.inputs, partial(self._prefetch, tile, c))
            mask = self._mask(c)

            def load(line: Index, column: int) -> Register:
                lines = k.multiply(line, self._line_pitch)
                place = k.add(k.add(start, lines), k.multiply(self.pitch, column))
                return k.load(self.x, k.add(place, c), k.lanes, mask)

            self._transform(load, factors, k.subtract(c, tile.first))

        k.loop("c", tile.first, tile.stop, vector, step=k.lanes)

    def _part(
        self, tile: Tile, factors: Factors, lines: tuple[Index, ...], columns: tuple[Index, ...]
    ) -> None:
        """A tile with elements beyond the border, which are zeros: the others are copied."""
        k, inputs = self.k, self.form.inputs

        def zero(place: Index) -> None:
            k.store(self.patch, place, 0.0, lanes=k.lanes)

        k.loop("place", 0, inputs**2 * k.lanes, zero, step=k.lanes)

        def vector(c: Index) -> None:
            mask = self._mask(c)

            def line(i: Index) -> None:
                start = k.add(self._place(tile, i, 0), c)

                def element(j: Index) -> None:
                    value = k.load(self.x, k.add(start, k.multiply(self.pitch, j)), k.lanes, mask)
                    k.store(self.patch, k.multiply(k.add(i * inputs, j), k.lanes), value)

                k.loop("j", columns[0], columns[1], element)

            k.loop("i", lines[0], lines[1], line)

            def load(line: Index, column: int) -> Register:
                place = k.multiply(k.add(k.multiply(line, inputs), column), k.lanes)
                return k.load(self.patch, place, k.lanes)

            self._transform(load, factors, k.subtract(c, tile.first))

        k.loop("c", tile.first, tile.stop, vector, step=k.lanes)

    def _transform(self, load: Load, factors: Factors, channel: Index) -> None:
        k, pitch = self.k, factors.pitch
        start = k.add(factors.place, channel)

        def store(line: Index, column: int, value: Any) -> None:
            place = k.add(start, k.multiply(line, pitch))
            k.store(factors.pointer, k.add(place, column * self.form.inputs * pitch), value)

        def number(place: Index) -> Register:
            # numbers in the code would stay in registers that the products need
            points = k.read(k.lowering.constant(self.form.points, "points"))
            return k.broadcast(k.load(points, place), k.lanes)

        self.form.transform_tile(k, load, store, number)

    def _mask(self, c: Index) -> Mask:
        """Of the channels from `c` on that there are."""
        k = self.k
        if self.channels % k.lanes == 0:
            return None
        return k.tail_mask(k.subtract(self.channels, c), k.lanes)

    def _prefetch(self, tile: Tile, c: Index, line: Index) -> None:
        """Ask for what the next tile reads beyond this one."""
        k, form = self.k, self.form
        start = k.add(self._place(tile, line, form.inputs), c)
        for j in range(form.outputs):
            k.prefetch(self.x, k.add(start, k.multiply(self.pitch, j)))

    @property
    def _line_pitch(self) -> Index:
        pitch: Index = self.k.multiply(self.pitch, self.k.dim(self.across.length))
        return pitch

    def _place(self, tile: Tile, line: Index, column: Index) -> Index:
        """Where the first channel of an element of the tile lies."""
        k, outputs = self.k, self.form.outputs
        y = k.add(k.multiply(tile.row, outputs), line)
        y = k.subtract(y, k.dim(self.down.before))
        y = k.add(k.multiply(tile.image, k.dim(self.down.length)), y)
        x = k.add(k.multiply(tile.column, outputs), column)
        x = k.subtract(x, k.dim(self.across.before))
        place = k.add(k.multiply(y, k.dim(self.across.length)), x)
        start: Index = k.multiply(place, self.pitch)
        return start
