"""Stretches of rows: every tile once, in an order that keeps rows near."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kerac.backends.llvm.stretches import EvenTiles, parallel_stretches
from tests.llvm.kernels import builder, run

SIZES = [(1, 1), (1, 7), (9, 1), (6, 5), (7, 4), (13, 3)]


@pytest.mark.parametrize("stretch", [1, 2, 3, 4, 20])
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_stretches_meet_all_columns(rows: int, columns: int, stretch: int) -> None:
    k = builder()
    found, count = k.pointer("found", "i64", "out"), k.pointer("count", "i64", "out")

    def task(n: Any, row: Any, column: Any) -> None:
        place = k.load(count, 0)
        k.store(found, place, n * 100 + row * 10 + column)
        k.store(count, 0, place + 1)

    parallel_stretches(k, {"n": 2}, (rows, columns), stretch, task, cost=1)
    numbers, total = np.full(2 * rows * columns, -1), np.zeros(1, np.int64)
    run(k.kernel, *({"found": numbers, "count": total}[p.name] for p in k.kernel.pointers))
    assert list(numbers) == [
        n * 100 + row * 10 + column
        for n in range(2)
        for first in range(0, rows, stretch)
        for column in range(columns)
        for row in range(first, min(first + stretch, rows))
    ]


@pytest.mark.parametrize(("rows", "most"), [(1, 1), (1, 8), (7, 7), (15, 14), (29, 14), (361, 14)])
def test_tiles_of_even_heights(rows: int, most: int) -> None:
    k, tiles = builder(), EvenTiles(rows, most)
    marked = k.pointer("marked", "i64", "out")

    def tile(number: Any) -> None:
        def mark(first: Any, height: int) -> None:
            assert most // 2 <= height <= most or rows == height
            for row in range(height):
                k.store(marked, first + row, k.load(marked, first + row) + 1)

        tiles.at(k, number, mark)

    k.loop("t", 0, tiles.count, tile)
    marks = np.zeros(rows, np.int64)
    run(k.kernel, marks)
    assert (marks == 1).all()
