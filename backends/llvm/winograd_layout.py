"""Where a convolution by Winograd's transforms keeps what it transforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import Index
from kerac.backends.llvm.lowering import Lowering
from kerac.backends.llvm.packing import Columns, ColumnTiles, Packed
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.run_time_packing import packed_weights
from kerac.backends.llvm.window import Axis
from kerac.backends.llvm.winograd_schedule import Shape, choose_blocking
from kerac.backends.llvm.winograd_transforms import BY_FOUR, PRODUCTS, WINDOW, Form
from kerac.ir.dims import known_dim
from kerac.ir.errors import InternalError
from kerac.ir.graph import Value
from kerac.ir.types import TensorType, known_shape

LINE = 16  # elements in a cache line


def apart(size: int) -> int:
    """At least `size` elements: an odd number of lines, which lie in different sets of a cache."""
    lines = -(-size // LINE)
    return (lines + (lines + 1) % 2) * LINE


def shape_of(axes: Sequence[Axis], kernel: Value, form: Form) -> Shape:
    """What the schedule must know of a convolution."""
    height, width = (known_dim(axis.positions) for axis in axes)
    channels, filters = known_shape(kernel.shape[2:])
    return Shape(height, width, channels, filters, form.outputs)


def windows_of_tiles(axes: Sequence[Axis], shape: Shape, form: Form) -> list[Axis]:
    """The axes with the elements that a tile reads as one window; the last may reach beyond."""

    def windows(axis: Axis, tiles: int) -> Axis:
        reached = (tiles - 1) * form.outputs + form.inputs
        after = max(reached - known_dim(axis.before) - known_dim(axis.length), 0)
        return Axis(axis.length, form.inputs, form.outputs, 1, axis.before, after, tiles)

    return list(map(windows, axes, (shape.tile_rows, shape.tile_columns)))


@dataclass(frozen=True)
class Stripe:
    """Some tiles of a band: `count` of them from `start` on."""

    row: Index  # of tiles in which the band begins, counted through all images
    band: Index  # its tiles
    start: Index
    count: Index


@dataclass(frozen=True)
class Piece:
    """Some columns and input channels of a stripe: `count` channels from `start` on."""

    stripe: Stripe
    part: Columns
    slot: Index  # of the memory for its filters
    start: Index
    count: Index
    most: int  # channels of the longest piece
    is_kept: bool  # whether its filters are transformed already
    is_short: bool  # whether it has FEW_CHANNELS, so that filters and sums stay near

    def filter_pitches(self, width: int) -> tuple[int, int]:
        """Elements from the filters of a product to the next, and from a channel to the next.

        In the first-level cache they are written in one stream, else they are read in one.
        """
        return (width, PRODUCTS * width) if self.is_short else (apart(self.most * width), width)


class Layout:
    """Shapes and memory of one convolution, and the kernel that works on them.

    elements: [chunk of channels, product, tile of the band, channel of the chunk]
    filters:  [product, channel, column] or [channel, product, column]
    sums:     [product, tile, column]
    Sums are in memory of the tasks that are done one after the other, and so are filters unless
    they are kept: those lie in the order of columns and chunks of channels.
    """

    def __init__(self, lowering: Lowering, group: Group, axes: Sequence[Axis]) -> None:
        self.anchor = group.head
        x, kernel = self.anchor.operands[:2]
        self.shape = shape_of(axes, kernel, BY_FOUR)
        self.channels, self.filters = self.shape.channels, self.shape.filters
        self.blocking = choose_blocking(self.shape, lowering.target)
        self.windows = windows_of_tiles(axes, self.shape, BY_FOUR)
        packed = packed_weights(lowering, group, kernel, 1)
        if packed is None:
            raise InternalError("the kernel of a convolution by transforms is not constant")
        self.k = k = lowering.kernel(group)
        self.x, self.pitch = k.read(x), k.row_pitch(x)
        self.weights = Packed(k.read(packed), WINDOW**2 * self.channels, self.filters, k.lanes)
        self.columns = ColumnTiles.of(k, self.filters, self.blocking.vectors)
        self._reserve(lowering)

    def _reserve(self, lowering: Lowering) -> None:
        blocking = self.blocking
        tiles, depth = blocking.rows * self.shape.tile_columns, blocking.channels
        width, blocks = blocking.vectors * self.k.lanes, self.columns.count
        tasks = blocks * -(-tiles // blocking.stripe)
        self.chunks = -(-self.channels // depth)
        # sums wait for the next channels, or are transformed back at once
        self.waits = self.chunks > 1 or blocking.few_tiles > 0
        self.waiting = blocking.stripe if self.waits else max(blocking.heights)
        self.element_pitch = apart(tiles * depth)
        self.filter_size = PRODUCTS * apart(depth * width)
        self.sum_size = PRODUCTS * apart(self.waiting * width)

        def buffer(name: str, *shape: int) -> Buffer:
            return lowering.scratch(TensorType("f32", shape), name)

        k = self.k
        self.elements = k.write(buffer("elements", self.chunks, PRODUCTS, self.element_pitch))
        slots = blocks * (self.chunks if blocking.kept else 1)
        self.factors = k.write(buffer("filters", slots, self.filter_size))
        self.sums = k.write(buffer("sums", tasks, self.sum_size))

    def element_place(self, chunk: Index, product: Index, tile: Index) -> Index:
        """Where the first channel of a chunk lies."""
        number = self.k.add(self.k.multiply(chunk, PRODUCTS), product)
        k = self.k
        first = k.multiply(number, self.element_pitch)
        place: Index = k.add(first, k.multiply(tile, self.blocking.channels))
        return place

    def sum_place(self, piece: Piece, tile: Index) -> Index:
        """Where the sums of the first product of a tile lie; `tile` counts those that wait."""
        width = piece.part.vectors * self.k.lanes
        k = self.k
        mine = k.multiply(k.first_task, self.sum_size)
        place: Index = k.add(mine, k.multiply(tile, width))
        return place

    def sum_pitch(self, piece: Piece) -> Index:
        """Elements from the sums of a product to those of the next."""
        width = piece.part.vectors * self.k.lanes
        if not self.waits or isinstance(piece.stripe.count, int):
            return apart(self.waiting * width)
        pitch: Index = self.k.add(self.k.multiply(piece.stripe.count, width), LINE)
        return pitch
