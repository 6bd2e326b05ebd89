"""How a convolution by Winograd's transforms is cut into pieces that fit the caches."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from kerac.backends.llvm.schedule import BLOCK, TASKS, Tile, fits, product_cycles
from kerac.backends.llvm.target import Target
from kerac.backends.llvm.winograd_transforms import OUTPUTS, PRODUCTS, WINDOW

FEW_TILES = 64  # from here on, transforming the filters is little beside the products
MANY_TILES = 224  # which keep several threads busy, and whose elements stay in a third-level cache
FEW_CHANNELS = 4  # that are multiplied at once where there are few tiles
KEPT = 5 << 19  # bytes of transformed filters that bands read again sooner than make again
READY = 1 << 19  # bytes of transformed filters that a model holds instead of the filters
FILTER = 100  # measured cycles of transforming a vector of filters of F(4x4)
# the same of elements and of results, by how many results a tile has along an axis: of vectors of
# 64 bytes, of which a cycle stores one, and of shorter ones
LONG = {2: (40, 35), 4: (150, 110)}
SHORT = {2: (30, 25), 4: (125, 75)}
BAND = 4000  # cycles until work on a band has begun
SMALL_TILES = 1.1  # how much faster smaller tiles must be for one image
NEAR = 24  # bytes that come from the second-level cache in a cycle


@dataclass(frozen=True)
class Shape:
    """A 3 x 3 convolution of stride 1: its results along two axes, channels and filters.

    Tiles have `outputs` results along an axis.
    """

    height: int
    width: int
    channels: int
    filters: int
    outputs: int = OUTPUTS

    @property
    def tile_rows(self) -> int:
        """Tiles of results down an image."""
        return -(-self.height // self.outputs)

    @property
    def tile_columns(self) -> int:
        """Tiles of results across an image."""
        return -(-self.width // self.outputs)

    @property
    def tiles(self) -> int:
        """Tiles of an image."""
        return self.tile_rows * self.tile_columns

    @property
    def products(self) -> int:
        """Products that a tile needs for a channel and a filter."""
        return (self.outputs + WINDOW - 1) ** 2

    @property
    def is_ready(self) -> bool:
        """Whether filters are transformed when the model is compiled."""
        return self.products * self.channels * self.filters * 4 <= READY


@dataclass(frozen=True)
class Stripes:
    """Tiles are worked on in stripes, each from its elements to its results.

    The sums of a stripe stay in registers: so many tiles, the first of the `heights`, times so many
    `vectors`. `at_once` stripes have memory; the last one may need lower heights.
    """

    heights: tuple[int, ...]
    vectors: int
    at_once: int


@dataclass(frozen=True)
class Blocking:
    """`rows` rows of tiles are a band; so many `channels` at a time are multiplied.

    Sums of so many `vectors` of columns stay in registers, for one of the `heights`, in tiles.
    Bands of up to `few_tiles` multiply fewer channels at a time, so that all stays near. Filters
    that are `kept` are transformed once for all longer bands, whose tasks take `stripe` tiles each.
    """

    rows: int
    channels: int
    few_tiles: int
    vectors: int
    heights: tuple[int, ...]
    kept: bool
    stripe: int


def direct_cycles(shape: Shape, target: Target) -> float:
    """Estimated cycles of an image without transforms."""
    vectors = -(-shape.filters // target.lanes())
    step = product_cycles(target, shape.width, vectors, shape.channels * 4)
    return shape.height * WINDOW**2 * shape.channels * step


def transformed_cycles(shape: Shape, target: Target) -> float:
    """Estimated cycles of an image by transforms, on one thread."""
    if shape.is_ready:
        return _ready_cycles(shape, target)
    blocking = choose_blocking(shape, target)
    lanes = target.lanes()
    vectors = -(-shape.filters // lanes)
    bands = max(shape.tile_rows / blocking.rows, 1)
    times = 1 if blocking.kept else bands
    step, left = 0.0, shape.tiles
    for height in blocking.heights:
        step += left // height * Tile(height, blocking.vectors).cycles()
        left %= height
    products = PRODUCTS * shape.channels * step * vectors / blocking.vectors
    filters = times * shape.channels * vectors * FILTER
    return products + filters + _end_cycles(shape, target) + bands * BAND


def _ready_cycles(shape: Shape, target: Target) -> float:
    """The same where filters are transformed already."""
    stripes = choose_stripes(shape, target)
    vectors = -(-shape.filters // target.lanes())
    step, left = 0.0, shape.tiles
    for height in (*stripes.heights, 1):
        read = stripes.vectors * target.vector_bytes / NEAR
        step += left // height * max(Tile(height, stripes.vectors).cycles(), read)
        left %= height
    products = shape.products * shape.channels * step * vectors / stripes.vectors
    # several images share filters, which leaves larger tiles less to do
    scarce = SMALL_TILES if shape.outputs < OUTPUTS else 1.0
    return scarce * (products + _end_cycles(shape, target))


def _end_cycles(shape: Shape, target: Target) -> float:
    """Estimated cycles of transforming the elements and the sums of an image."""
    lanes = target.lanes()
    vectors, channel_vectors = -(-shape.filters // lanes), -(-shape.channels // lanes)
    elements, results = (LONG if target.vector_bytes >= 64 else SHORT)[shape.outputs]
    return shape.tiles * (channel_vectors * elements + vectors * results)


def choose_stripes(shape: Shape, target: Target) -> Stripes:
    """Stripes that take the least time on one thread and on two."""
    vectors = _vectors(shape, target)
    blocks = -(-shape.filters // (vectors * target.lanes()))

    def cycles(height: int) -> float:
        count = -(-shape.tiles // height)
        tasks = count * blocks
        together = 2 * -(-tasks // 2) / tasks
        return Tile(height, vectors).cycles() * count * (1 + together)

    heights = [height for height in range(1, shape.tiles + 1) if fits(height, vectors, target)]
    best = min(heights, key=lambda height: (cycles(height), -height))
    return Stripes(_covering(best, shape.tiles), vectors, max(1, TASKS // blocks))


def choose_blocking(shape: Shape, target: Target) -> Blocking:
    """The blocking of a shape."""
    vectors = _vectors(shape, target)
    few = _few_tiles(shape, vectors, target)
    channels = _chunk(shape.channels, vectors * target.lanes(), target)
    kept = PRODUCTS * shape.channels * shape.filters * 4 <= KEPT
    rows = _band(shape, kept)
    heights = _heights(shape, rows, vectors, target)
    tiles = rows * shape.tile_columns
    stripe = tiles
    if kept:
        stripe = max(_stripe(shape, tiles, heights[0], vectors * target.lanes()), few)
    return Blocking(rows, channels, few, vectors, heights, kept, stripe)


def _stripe(shape: Shape, tiles: int, height: int, columns: int) -> int:
    """Tiles of a task: there are about TASKS in a band, and half as many in a single image.

    Filters are transformed before, and read once a register tile anyway; so all that stripes of
    whole register tiles cost is memory for their sums.
    """
    blocks = -(-shape.filters // columns)

    def share(tiles: int, tasks: int) -> int:
        return -(-tiles // (height * -(-tasks // blocks))) * height

    return min(share(tiles, TASKS), share(min(tiles, shape.tiles), TASKS // 2))


def _few_tiles(shape: Shape, vectors: int, target: Target) -> int:
    """Tiles whose sums fit the first-level cache with the filters of a few channels."""
    column = PRODUCTS * vectors * target.lanes() * 4
    tiles = target.first_level_cache * 9 // 8 // column - FEW_CHANNELS
    return tiles if shape.channels % FEW_CHANNELS == 0 and 0 < shape.tiles <= tiles else 0


def _vectors(shape: Shape, target: Target) -> int:
    """Vectors of columns of a register tile: two hide the latency of few tiles."""
    return min(-(-shape.filters // target.lanes()), 2, max(BLOCK // target.lanes(), 1))


def _chunk(channels: int, columns: int, target: Target) -> int:
    """Channels whose transformed filters fill half of the second-level cache: whole vectors."""
    most = target.second_level_cache * 5 // 8 // (PRODUCTS * columns * 4)
    lanes = target.lanes()
    vectors = -(-channels // lanes)
    chunks = -(-vectors // max(most // lanes, 1))
    return -(-vectors // chunks) * lanes


def _band(shape: Shape, kept: bool) -> int:
    """Rows of tiles that are worked on together: some of an image, or whole images.

    Where filters are kept, longer bands cost nothing but memory, and threads share them evenly;
    several small images they share evenly anyway.
    """
    whole = MANY_TILES if kept and shape.tiles > FEW_TILES // 2 else FEW_TILES
    if shape.tiles <= whole:
        return shape.tile_rows * (whole // shape.tiles)
    most = max((MANY_TILES if kept else 2 * FEW_TILES) // shape.tile_columns, 1)
    bands = -(-shape.tile_rows // most)
    return -(-shape.tile_rows // bands)


def _heights(shape: Shape, rows: int, vectors: int, target: Target) -> tuple[int, ...]:
    """Heights of register tiles that cover a band of so many rows in the least time."""
    images = rows // shape.tile_rows if rows % shape.tile_rows == 0 else 0
    unit = shape.tiles if images else shape.tile_columns
    most = max(height for height in range(1, unit + 1) if fits(height, vectors, target))

    def cycles(heights: tuple[int, ...]) -> float:
        left, total = unit, 0.0
        for height in heights:
            total += left // height * Tile(height, vectors).cycles()
            left %= height
        return total

    candidates = [_covering(height, unit) for height in range(1, most + 1)]
    if images == 1:  # all bands are equal
        candidates += [(height, unit % height) for height in range(1, most + 1) if unit % height]
    return min(candidates, key=lambda heights: (cycles(heights), len(heights)))


def _covering(height: int, unit: int) -> tuple[int, ...]:
    """Heights from `height` on downwards that together cover every multiple of `unit`."""
    heights, left = [height], gcd(height, unit)
    while heights[-1] != left:
        heights.append(left if left >= 4 or heights[-1] <= 4 else 4)
        left = gcd(left, heights[-1])
    return tuple(heights)
