"""Pieces: values that lie inside larger ones, so that nothing is copied to join or to split them.

What is joined along the last axis is written into its columns of the whole by the kernels that make
it, and read there; a slice of the last axis is read where its operand lies. Rows of a piece are as
far apart as those of the whole.

Rows that products read are kept a line of the cache further apart where they would else begin in
the same places of the cache and displace each other: such a value has the first columns of a whole
that holds nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from kerac.backends.llvm.grouping import ALIASES, Group, storage
from kerac.backends.llvm.schedule import collide
from kerac.ir.dims import known_dim
from kerac.ir.graph import Graph, Value
from kerac.ir.ops.contraction import Dense
from kerac.ir.ops.convolution import Convolution
from kerac.ir.ops.elementwise import Elementwise
from kerac.ir.ops.movement import Concatenate, Slice

Readable = Callable[[Value], Collection[int]]  # numbers of the operands that may be pieces


@dataclass(frozen=True)
class Piece:
    """Columns of `whole` from column `start` on."""

    whole: Value
    start: int


@dataclass
class Pieces:
    """The pieces of a graph.

    `readable` says which operands of an anchor its kernel can read with a distance between rows;
    `written` holds the roots of the groups that can write so. Rows shorter than `shortest` are
    copied, for vectors may run over several of them.
    """

    graph: Graph
    readable: Readable
    written: Collection[Value]
    shortest: int

    def __post_init__(self) -> None:
        graph = self.graph
        self.found: dict[Value, Piece] = {}
        self._kept = {storage(value) for value in graph.outputs}
        self._reshaped = {storage(v) for v in graph.values if isinstance(v.op, ALIASES)}
        self._replaced = {graph.inputs[number] for number, _ in graph.updates}

    def find(self, groups: Sequence[Group]) -> dict[Value, Piece]:
        """The pieces, what is joined before what is split."""
        alone = [group.root for group in groups if group.root is group.anchor]
        for value in alone:
            if isinstance(value.op, Concatenate) and value.op.axis == value.ndim - 1:
                self._join(value)
        for value in alone:
            if isinstance(value.op, Slice):
                self._split(value, value.op)
        return self.found

    def find_apart(self) -> set[Value]:
        """Values whose rows are kept further apart than they are long; no pieces are among them."""
        wholes = {piece.whole for piece in self.found.values()}
        return {
            x
            for x in self.written
            if x not in wholes
            and x not in self._kept
            and self._may_be_piece(x)
            and collide(known_dim(x.shape[-1]) * x.tensor_type.numpy_dtype.itemsize)
            and self._is_multiplied(x)
        }

    def _is_multiplied(self, x: Value) -> bool:
        """Whether products read its rows, and no windows, which read neighbouring rows at once."""
        products = [user for user in self.graph.consumers[x] if _is_product(user)]
        windows = [user for user in self.graph.consumers[x] if isinstance(user.op, Convolution)]
        return any(user.inputs[0] is x for user in products) and all(map(_is_product, windows))

    def _join(self, whole: Value) -> None:
        start = 0
        widths = [x.shape[-1] for x in whole.operands if isinstance(x.shape[-1], int)]
        if len(widths) < len(whole.operands):
            return
        for x, width in zip(whole.operands, widths, strict=True):
            if x in self.written and x not in self._kept and self._may_be_piece(x):
                self.found[x] = Piece(whole, start)
            start += width

    def _split(self, part: Value, op: Slice) -> None:
        x = part.operands[0]
        start = op.start[-1]
        if (
            isinstance(start, int)
            and isinstance(x.shape[-1], int)
            and part.shape[:-1] == x.shape[:-1]
            and op.steps[-1] == 1
            and storage(x) not in self._replaced
            and part not in self._kept
            and self._may_be_piece(part)
        ):
            self.found[part] = Piece(x, start)

    def _may_be_piece(self, x: Value) -> bool:
        width = x.shape[-1] if x.ndim > 1 else None
        return (
            x not in self.found
            and x not in self._reshaped
            and isinstance(width, int)
            and width >= self.shortest
            and all(self._can_read(user, x) for user in self.graph.consumers[x])
        )

    def _can_read(self, user: Value, x: Value) -> bool:
        if isinstance(user.op, Elementwise):
            return True
        places = {place for place, operand in enumerate(user.inputs) if operand is x}
        readable = self.readable(user)
        return all(place in readable for place in places)


def _is_product(value: Value) -> bool:
    """Whether each row of the result is a row of the first operand times a matrix."""
    match value.op:
        case Dense():
            return True
        case Convolution(groups=1):
            return all(length == 1 for length in value.operands[1].shape[:-2])
    return False
