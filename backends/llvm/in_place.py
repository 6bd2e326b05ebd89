"""State: which new values are written over the old ones, and when nothing needs these any more."""

from __future__ import annotations

from collections.abc import Sequence

from kerac.backends.llvm.grouping import Group, storage
from kerac.ir.graph import Graph, Value


def place_updates(graph: Graph, groups: Sequence[Group]) -> tuple[list[Group], dict[Value, Value]]:
    """The groups in an order in which they can run, and new values with the inputs they replace.

    A group that computes a new value elementwise reads each old element just before it writes the
    new one, so both share one buffer, if all other readers of the old value run before. To that
    end such groups run last, where nothing reads their results. Other new values are copied.
    """
    old_values: dict[Value, Value] = {}
    for number, output in graph.updates:
        old_values.setdefault(storage(graph.outputs[output]), graph.inputs[number])
    reads = {group: _reads(group) for group in groups}
    read_by_groups = {value for found in reads.values() for value in found}

    def is_last(group: Group) -> bool:
        return group.root in old_values and group.root not in read_by_groups

    order = [
        *(group for group in groups if not is_last(group)),
        *(group for group in groups if is_last(group)),
    ]
    last_read = {value: place for place, group in enumerate(order) for value in reads[group]}
    kept = {storage(value) for value in graph.outputs}
    in_place = {}
    for place, group in enumerate(order):
        old = old_values.get(group.root)
        if (
            old is not None
            and old not in kept
            and group.anchor is None
            and last_read.get(old, -1) <= place
            and _reads_alike(group, old)
        ):
            in_place[group.root] = old
    return order, in_place


def _reads(group: Group) -> set[Value]:
    """What holds the operands that a group reads from memory."""
    members = set(group.members)
    return {
        storage(operand)
        for member in group.members
        for operand in member.operands
        if operand not in members
    }


def _reads_alike(group: Group, old: Value) -> bool:
    """Whether every member reads of `old` the element at the place that it computes."""
    return all(
        operand.shape == group.root.shape
        for member in group.members
        for operand in member.operands
        if storage(operand) is old
    )
