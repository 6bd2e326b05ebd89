"""Rows and columns of tiles in an order that keeps what is read near: stretches of rows.

A stretch meets all columns before the next one, so that its rows are near for all but the first of
them. Tasks are some tiles of one column: threads share all of them evenly, however long the last
stretch is, and each has rows of its own where there are several stretches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kerac.backends.llvm.kernel import Index, KernelBuilder

MANY_TASKS = 64  # so many that it does not matter who does one more
UNEVEN = 64  # the part of all tiles by which a last task may be shorter


def even_turns(tiles: int, most: int, tasks: int) -> int:
    """How many of `tiles` follow one another in a task, at most `most`.

    As many as leave `tasks` tasks and hardly a shorter one, but at least one.
    """
    found = [
        turns
        for turns in range(1, min(most, max(1, tiles // tasks)) + 1)
        if (-tiles % turns) * UNEVEN <= tiles
    ]
    return found[-1]


def parallel_stretches(
    k: KernelBuilder,
    outer: Mapping[str, Index],
    sizes: tuple[int, int],
    stretch: int,
    body: Callable[..., None],
    *,
    cost: Index,
) -> None:
    """body(*outer indices, row, column) in parallel, for all of `sizes` (rows, columns).

    Rows go in stretches of `stretch`; `cost` is that of one row and column.
    """
    rows, columns = sizes
    places = len(outer)
    if stretch >= rows or stretch == 1:
        one = {"m": rows, "f": columns} if stretch == 1 else {"f": columns, "m": rows}

        def by_name(*indices: Index) -> None:
            found = dict(zip(one, indices[places:], strict=True))
            body(*indices[:places], found["m"], found["f"])

        k.parallel({**outer, **one}, by_name, cost=cost)
        return
    if rows % stretch == 0:

        def whole(*indices: Index) -> None:
            number, column, row = indices[places:]
            body(*indices[:places], k.add(k.multiply(number, stretch), row), column)

        extents = {**outer, "s": rows // stretch, "f": columns, "m": stretch}
        k.parallel(extents, whole, cost=cost)
        return

    def uneven(*indices: Index) -> None:
        number = indices[places]
        first = k.multiply(k.quotient(number, stretch * columns), stretch)
        inside = k.subtract(number, k.multiply(first, columns))
        length = k.minimum(k.subtract(rows, first), stretch)
        column = k.quotient(inside, length)
        row = k.add(first, k.subtract(inside, k.multiply(column, length)))
        body(*indices[:places], row, column)

    k.parallel({**outer, "u": rows * columns}, uneven, cost=cost)


@dataclass(frozen=True)
class EvenTiles:
    """`rows` in as few tiles as heights up to `most` allow, whose heights differ by one at most."""

    rows: int
    most: int

    @property
    def count(self) -> int:
        """The number of tiles."""
        return -(-self.rows // self.most)

    def at(self, k: KernelBuilder, number: Index, body: Callable[[Index, int], None]) -> None:
        """body(first row, height) for the tile of that number; the higher ones come first."""
        low, higher = divmod(self.rows, self.count)
        if not higher:
            body(k.multiply(number, low), low)
            return
        first = k.multiply(number, low + 1)
        k.when(k.compare("less", number, higher), lambda: body(first, low + 1))
        rest = k.add(k.multiply(number, low), higher)
        k.when(k.compare("greater_equal", number, higher), lambda: body(rest, low))
