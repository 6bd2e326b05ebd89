"""The memory plan: arrays that live at the same time never share, and the arena is small."""

from __future__ import annotations

from itertools import combinations

import pytest

from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.memory import lower_bound, plan_memory
from kerac.backends.llvm.target import find_target
from kerac.ir.dims import substitute
from tests.random_graphs import random_graph


@pytest.mark.parametrize("seed", range(12))
def test_arrays_alive_together_do_not_overlap(seed: int) -> None:
    plan = lower_graph(random_graph(seed), find_target())
    memory = plan_memory(plan)
    alive: dict[object, set[int]] = {}
    for step, launch in enumerate(plan.launches):
        for buffer in launch.buffers:
            alive.setdefault(buffer.memory, set()).add(step)
    spans = {buffer: range(min(alive[buffer]), max(alive[buffer]) + 1) for buffer in memory.slots}
    for (a, one), (b, other) in combinations(memory.slots.items(), 2):
        together = set(spans[a]) & set(spans[b])
        if together and one.factor == other.factor:
            assert one.offset + one.size <= other.offset or other.offset + other.size <= one.offset
    dims = dict.fromkeys(plan.graph.symbols, 3)
    total, used = (substitute(size, dims) for size in (memory.total, memory.most_used))
    assert total >= used >= lower_bound(plan, dims)
