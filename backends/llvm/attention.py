"""Attention: blocks of queries against blocks of keys; scores stay in the first-level cache.

For each head, a block of queries takes the keys block by block. Scores of one block are summed in
register tiles, and become powers in a small scratch; sums of powers and of weighted values go on
from block to block, rescaled where a later key fits better (Milakov and Gimelshein, 2018). Keys are
transposed before, so that vectors run along them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kerac.backends.llvm.attention_scores import AllScores, ScoresInTurn
from kerac.backends.llvm.grouping import Group
from kerac.backends.llvm.kernel import INDEX, Index, Kind, Mask, Pointer, Register
from kerac.backends.llvm.lowering import LOWERINGS, GroupKernel, Lowering, lowers
from kerac.backends.llvm.packing import Columns, ColumnTiles
from kerac.backends.llvm.plan import Buffer
from kerac.backends.llvm.pointwise import Position, load_at
from kerac.backends.llvm.register_tiles import MANY_ROWS, fused_multiply_add, registers
from kerac.backends.llvm.schedule import choose_tile, small_rows
from kerac.ir.dims import DimLike
from kerac.ir.graph import Value
from kerac.ir.ops.attention import LOWEST, Attention
from kerac.ir.ops.movement import Transpose
from kerac.ir.types import TensorType, computing_dtype

KEYS = 256  # keys whose scores are in the cache at the same time
# below all scores, even those of keys that do not count
BEFORE = {"f32": -3e38, "f64": -1.7e308}


@lowers(Attention)
def lower_attention(lowering: Lowering, group: Group) -> None:
    """y[n, t, h] = sum over s of softmax(q[n, t, h] k[n, s, h] * scale + bias)[s] * v[n, s, h]"""
    anchor = group.head
    key = anchor.operands[1]
    turned = Transpose((0, 2, 3, 1))(key, name="keys", origin=anchor.origin)
    LOWERINGS[Transpose](lowering, Group((turned,), turned))
    k = lowering.kernel(group)
    _Attention(k, group.head_op(Attention), turned).emit()
    lowering.launch(k)


@dataclass(frozen=True)
class _Rows:
    """A block of queries of one head: `count` of them from `first` on."""

    batch: Index
    head: Index
    first: Index
    count: int


class _Attention:
    """The kernel in the making."""

    def __init__(self, k: GroupKernel, op: Attention, keys: Value) -> None:
        anchor = k.group.head
        query, _, value = anchor.operands[:3]
        rest = anchor.inputs[3:]
        self.mask, self.bias = [*rest, None, None][:2]
        self.k, self.op, self.query, self.keys = k, op, query, keys
        self.value = value
        self.dtype = computing_dtype(anchor.dtype)
        self.batch, self.queries, self.heads, self.depth = anchor.operands[0].shape
        _, self.groups, _, self.count = keys.shape
        self.width = anchor.shape[3]
        self.whole = (self.batch, self.heads, self.queries, self.count)
        self.is_single = isinstance(self.count, int) and self.count <= KEYS
        height = self.queries if isinstance(self.queries, int) else MANY_ROWS
        depth = self.depth if isinstance(self.depth, int) else 1
        lanes = [-(-n // k.lanes) for n in (self.count, self.width) if isinstance(n, int)]
        vectors = min(2, max(lanes, default=2))
        self.tile = choose_tile(k.target, height, vectors, depth * self.heads * 4)
        rows = self.tile.rows
        self.scores = k.local("scores", self.dtype, rows * KEYS)
        self.tops, self.sums, self.factors = (
            k.local(name, self.dtype, rows) for name in ("tops", "sums", "factors")
        )

    def emit(self) -> None:
        """All heads, and in each all blocks of queries."""
        k = self.k

        def head(batch: Index, place: Index) -> None:
            self._blocks(lambda first, rows: self._rows(_Rows(batch, place, first, rows)))

        cost = self.queries * self.count * (self.depth + self.width)
        extents = {"n": k.dim(self.batch), "head": k.dim(self.heads)}
        k.parallel(extents, head, cost=k.dim(cost))

    def _blocks(self, body: Callable[[Index, int], None]) -> None:
        """body(first query, number of queries) for all queries."""
        k, tile = self.k, self.tile
        if isinstance(self.queries, int):
            full = self.queries // tile.rows * tile.rows
            k.loop("t", 0, full, lambda t: body(t, tile.rows), step=tile.rows)
            if self.queries > full:
                body(full, self.queries - full)
            return
        total, done = k.dim(self.queries), 0
        for small in (tile, *small_rows(k.target, tile)):
            height = small.rows
            stop = k.add(done, k.quotient(k.subtract(total, done), height) * height)
            k.loop("t", done, stop, lambda t, height=height: body(t, height), step=height)
            done = stop

    def _rows(self, rows: _Rows) -> None:
        k = self.k
        if self.is_single:
            self._block(rows, 0, self.count, True)
            self._columns(0, self.width, lambda part: self._weigh(rows, 0, self.count, part, None))
            return
        for row in range(rows.count):
            k.store(self.tops, row, BEFORE[self.dtype])
            k.store(self.sums, row, 0.0)
        self._each_result(rows, lambda place, lanes, mask, _: self._save(place, 0.0, lanes, mask))
        stop: Index = k.dim(self.count)
        if self.op.causal and self.mask is None:
            # later keys count for none of these queries
            stop = k.minimum(k.add(rows.first, rows.count), stop)

        def keys(s: Index) -> None:
            self._keys(rows, s, k.minimum(k.add(s, KEYS), stop))

        k.loop("s", 0, stop, keys, step=KEYS)
        self._each_result(rows, self._finish_saved)

    def _keys(self, rows: _Rows, first: Index, stop: Index) -> None:
        """One of several blocks of keys."""
        self._block(rows, first, stop, False)
        partial = self.partial
        self._columns(0, self.width, lambda part: self._weigh(rows, first, stop, part, partial))

    def _columns(
        self, start: Index, stop: DimLike | Index, body: Callable[[Columns], None]
    ) -> None:
        """body(columns) from `start` to `stop` in tiles, then in single vectors."""
        k, tile = self.k, self.tile
        if isinstance(start, int) and isinstance(stop, int):
            ColumnTiles.of(k, stop - start, tile.vectors).each(body)
            return
        count = k.subtract(stop if isinstance(stop, Register) else k.dim(stop), start)
        step = tile.vectors * k.lanes
        full = k.quotient(count, step) * step
        k.loop("f", 0, full, lambda f: body(Columns(f, tile.vectors)), step=step)
        k.loop(
            "f",
            full,
            count,
            lambda f: body(Columns(f, 1, k.tail_mask(k.subtract(count, f), k.lanes))),
            step=k.lanes,
        )

    def _block(self, rows: _Rows, first: Index, stop: Index, is_only: bool) -> None:
        """Powers of the scores of keys `first` to `stop`; tops, sums and factors are brought on."""
        self._columns(first, stop, lambda part: self._score(rows, first, part))
        width = self.k.subtract(stop, first)
        self.k.loop("row", 0, rows.count, lambda row: self._powers(row, width, is_only))

    def _score(self, rows: _Rows, first: Index, part: Columns) -> None:
        """scores[row, s] = sum over d of q[row, d] * keys[d, s], and what comes to it"""
        k = self.k
        group = k.quotient(rows.head, self.heads // self.groups)
        depth, count = k.dim(self.depth), k.dim(self.count)
        q, keys = k.read(self.query), k.read(self.keys)
        row_stride = depth * self.heads
        start = ((rows.batch * k.dim(self.queries) + rows.first) * self.heads + rows.head) * depth
        key_start = (rows.batch * self.groups + group) * depth * count + first + part.first

        def step(d: Index, *sums: Any) -> list[Any]:
            return fused_multiply_add(
                sums,
                range(rows.count),
                part.vectors,
                lambda row: self._load(q, start + d + row * row_stride),
                lambda vector: self._load(
                    keys, key_start + d * count + vector * k.lanes, k.lanes, part.mask_of(vector)
                ),
            )

        sums = self._loop("d", depth, rows.count * part.vectors, step)
        for row in range(rows.count):
            for vector in range(part.vectors):
                place = part.first + vector * k.lanes
                mask = part.mask_of(vector)
                score = sums[row * part.vectors + vector] * self.op.scale
                score = self._adjusted(score, rows, row, k.add(first, place), mask)
                # lanes beyond the last key are never read as scores
                k.store(self.scores, k.add(row * KEYS, place), score, mask)

    def _adjusted(self, score: Any, rows: _Rows, row: int, column: Index, mask: Mask) -> Any:
        """The score with the bias, or the lowest where a key does not count."""
        k = self.k
        query = k.add(rows.first, row)
        place = Position.of(rows.batch, rows.head, query, column)
        if self.bias is not None:
            bias = load_at(k, self.bias, place, self.whole, k.lanes, mask)
            score = score + k.convert(bias, self.dtype)
        lowest = LOWEST[self.dtype]
        if self.mask is not None:
            counts = load_at(k, self.mask, place, self.whole, k.lanes, mask)
            score = k.select(counts, score, lowest)
        distance = k.subtract(query, column)
        if not isinstance(distance, Register):
            distance = k.number(distance, INDEX)
        if self.op.causal:
            score = k.select(self._before(distance + 1), score, lowest)
        if self.op.window is not None:
            score = k.select(self._before(distance + self.op.window), score, lowest)
            score = k.select(self._before(distance + (1 - self.op.window)), lowest, score)
        return score

    def _before(self, count: Register) -> Any:
        """Truth in the first `count` lanes."""
        k = self.k
        return k.compare("greater", count, 0) if k.lanes == 1 else k.tail_mask(count, k.lanes)

    def _powers(self, row: Index, width: Index, is_only: bool) -> None:
        """scores[row, s] = exp(scores[row, s] - top), and their sum."""
        k = self.k
        scores = self._scores_of(row, width)
        top = k.reduce("maximum", scores.highest(BEFORE[self.dtype]))
        factor: Any = None
        if not is_only:
            old = k.load(self.tops, row)
            top = k.maximum(old, top)
            factor = k.mathematics.exp(old - top)
            k.store(self.factors, row, factor)
        k.store(self.tops, row, top)
        total = k.reduce("add", scores.powers(top))
        if not is_only:
            total = k.fma(k.load(self.sums, row), factor, total)
        k.store(self.sums, row, total)
        if is_only:
            k.store(self.factors, row, self._inverse(total, top, Kind(self.dtype)))

    def _scores_of(self, row: Index, width: Index) -> AllScores | ScoresInTurn:
        k = self.k
        start = k.multiply(row, KEYS)
        if isinstance(width, int) and width <= k.lanes * (k.target.vector_registers // 2):
            return AllScores(k, self.scores, start, width)
        return ScoresInTurn(k, self.scores, start, width)

    def _inverse(self, total: Any, top: Any, kind: Kind) -> Any:
        """What the sum of weighted values is multiplied by."""
        k = self.k
        inverse = k.divide(1.0, total)
        if not self.op.zero_masked:
            return inverse
        counted = k.compare("greater", top, LOWEST[self.dtype])
        return k.select(counted, inverse, 0.0, kind)

    def _weigh(
        self, rows: _Rows, first: Index, stop: Index, part: Columns, partial: Pointer | None
    ) -> None:
        """sums[row, e] += sum over s of powers[row, s] * v[s, e]"""
        k = self.k
        group = k.quotient(rows.head, self.heads // self.groups)
        width = k.dim(self.width)
        v = k.read(self.value)
        start = (rows.batch * k.dim(self.count) + first) * self.groups + group
        start = start * width + part.first
        stride = width * self.groups

        def step(s: Index, *sums: Any) -> list[Any]:
            return fused_multiply_add(
                sums,
                range(rows.count),
                part.vectors,
                lambda row: k.load(self.scores, k.add(row * KEYS, s)),
                lambda vector: self._load(
                    v, start + s * stride + vector * k.lanes, k.lanes, part.mask_of(vector)
                ),
            )

        places = [
            (row, part.first + vector * k.lanes, part.mask_of(vector))
            for row in range(rows.count)
            for vector in range(part.vectors)
        ]
        given: list[Any] | None = None
        if partial is not None:
            given = [
                k.load(partial, self._result(rows, row, column), k.lanes, mask)
                * k.load(self.factors, row)
                for row, column, mask in places
            ]
        sums = self._loop("s", k.subtract(stop, first), len(places), step, given)
        for (row, column, mask), value in zip(places, sums, strict=True):
            if partial is not None:
                k.store(partial, self._result(rows, row, column), value, mask)
            else:
                self._finish(value * k.load(self.factors, row), rows, row, column, mask)

    @cached_property
    def partial(self) -> Pointer:
        """Where sums of weighted values wait for the next block of keys."""
        k, anchor = self.k, self.k.group.head
        dense = k.pitch(anchor) is None
        if k.group.root is anchor and anchor.dtype == self.dtype and dense:
            return k.write(anchor)
        buffer: Buffer = k.lowering.scratch(TensorType(self.dtype, anchor.shape), "partial")
        k.read(buffer)
        return k.write(buffer)

    def _result(self, rows: _Rows, row: Index, column: Index) -> Index:
        """Offset of an element of the result."""
        k = self.k
        place = (rows.batch * k.dim(self.queries) + rows.first + row) * self.heads + rows.head
        offset: Index = place * k.dim(self.width) + column
        return offset

    def _each_result(self, rows: _Rows, body: Callable[..., None]) -> None:
        """body(offset, lanes, mask, (rows, row, column)) for all elements of a block."""
        k = self.k

        def columns(part: Columns) -> None:
            for row in range(rows.count):
                for vector in range(part.vectors):
                    column = part.first + vector * k.lanes
                    offset = self._result(rows, row, column)
                    body(offset, k.lanes, part.mask_of(vector), (rows, row, column))

        self._columns(0, self.width, columns)

    def _save(self, offset: Index, value: Any, lanes: int, mask: Mask) -> None:
        self.k.store(self.partial, offset, value, mask, lanes)

    def _finish_saved(self, offset: Index, lanes: int, mask: Mask, place: Any) -> None:
        k = self.k
        rows, row, column = place
        total, top = k.load(self.sums, row), k.load(self.tops, row)
        value = k.load(self.partial, offset, lanes, mask)
        self._finish(value * self._inverse(total, top, Kind(self.dtype)), rows, row, column, mask)

    def _finish(self, value: Any, rows: _Rows, row: int, column: Index, mask: Mask) -> None:
        place = Position.of(rows.batch, self.k.add(rows.first, row), rows.head, column)
        self.k.finish(self.k.convert(value, self.k.group.head.dtype), place, mask)

    def _load(self, pointer: Pointer, place: Index, lanes: int = 1, mask: Mask = None) -> Register:
        return self.k.convert(self.k.load(pointer, place, lanes, mask), self.dtype)

    def _loop(
        self, name: str, stop: Index, count: int, step: Any, given: list[Any] | None = None
    ) -> list[Register]:
        """The sums that `step` brings on."""
        kinds = [Kind(self.dtype, self.k.lanes)] * count
        carried = given or [0.0] * count
        sums = self.k.loop(name, 0, stop, step, carried=carried, kinds=kinds)
        return registers(self.k, sums, kinds)
