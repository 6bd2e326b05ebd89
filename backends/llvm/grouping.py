"""Group elementwise work: which values one kernel computes in registers.

A group is an anchor (a contraction, window, reduction, movement, ... or none) and the elementwise
values after it. Only the root leaves the registers: every other member is used inside the group
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from kerac.ir.errors import InternalError
from kerac.ir.graph import Graph, Value
from kerac.ir.op import Op
from kerac.ir.ops.constant import Constant, Input, Item, Parameter
from kerac.ir.ops.elementwise import Elementwise
from kerac.ir.ops.movement import Reshape
from kerac.ir.ops.training import CustomGradient, Dropout, StopGradient

# the same elements in the same order: no kernel, the same memory
ALIASES = (Reshape, CustomGradient, Dropout, StopGradient)
LEAVES = (Input, Constant, Parameter, Item)


def storage(value: Value) -> Value:
    """The value whose memory `value` shares: reshaping moves nothing."""
    while isinstance(value.op, ALIASES):
        value = value.operands[0]
    return value


AnyOp = TypeVar("AnyOp", bound=Op)


@dataclass(frozen=True, eq=False)
class Group:
    """`members` in topological order, the root last; the anchor, where there is one, first."""

    members: tuple[Value, ...]
    anchor: Value | None

    @property
    def root(self) -> Value:
        """The value that goes to memory."""
        return self.members[-1]

    @property
    def head(self) -> Value:
        """The anchor of a group that has one."""
        if self.anchor is None:
            raise InternalError(f"the group of {self.root.name} has no anchor")
        return self.anchor

    def head_op(self, kind: type[AnyOp]) -> AnyOp:
        """The anchor's op, which is of the `kind` that the lowering is registered for."""
        op = self.head.op
        if not isinstance(op, kind):
            raise InternalError(f"{op.text_name} is lowered as if it were {kind.__name__}")
        return op

    @property
    def name(self) -> str:
        """Name of the op that says most about the group."""
        return (self.anchor or self.root).op.text_name


def group_elementwise(graph: Graph, takes_epilogue: Callable[[Value], bool]) -> list[Group]:
    """Groups of `graph` in an order in which they can run.

    `takes_epilogue` says which anchors may have more members.
    """
    outputs = set(graph.outputs)
    group_of: dict[Value, Value] = {}  # value -> root of its group
    anchors: dict[Value, Value] = {}
    for value in reversed(graph.values):
        if isinstance(value.op, (*LEAVES, *ALIASES)):
            continue
        root = _common_root(value, graph, group_of) if value not in outputs else None
        elementwise = isinstance(value.op, Elementwise)
        joins = root is not None and not isinstance(value.type, tuple) and value.shape == root.shape
        if (
            joins
            and root is not None
            and (elementwise or (root not in anchors and takes_epilogue(value)))
        ):
            group_of[value] = root
        else:
            group_of[value] = value
        if not elementwise:
            anchors[group_of[value]] = value
    members: dict[Value, list[Value]] = {}
    for value in graph.values:
        if value in group_of:
            members.setdefault(group_of[value], []).append(value)
    # a root comes after every operand of its members, so groups run in the order of their roots
    return [
        _group(tuple(members[value]), anchors.get(value))
        for value in graph.values
        if group_of.get(value) is value
    ]


def _common_root(value: Value, graph: Graph, group_of: dict[Value, Value]) -> Value | None:
    """Root of the one group that all users of `value` belong to as elementwise members."""
    roots = set()
    for user in graph.consumers[value]:
        if not isinstance(user.op, Elementwise):
            return None
        roots.add(group_of[user])
    return roots.pop() if len(roots) == 1 else None


def _group(members: tuple[Value, ...], anchor: Value | None) -> Group:
    if anchor is not None:
        members = (anchor, *(value for value in members if value is not anchor))
    return Group(members, anchor)
