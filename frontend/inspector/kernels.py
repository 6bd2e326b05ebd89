"""The native side of a compiled graph: its kernels in their order, their loops, the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerac.backends.llvm.memory import plan_memory
from kerac.ir import CompileError

if TYPE_CHECKING:
    from kerac.backends.llvm.plan import Launch, Plan
    from kerac.ir import Graph


def make_plan(graph: Graph) -> Plan | CompileError:
    """The kernels of `graph` for this machine, or why there are none."""
    from kerac.backends.llvm.lowering import lower_graph
    from kerac.backends.llvm.target import find_target

    try:
        return lower_graph(graph, find_target())
    except CompileError as error:
        return error


def kernels_text(plan: Plan) -> str:
    """Launches, memory and loops for people."""
    kernels = "\n\n".join(map(str, plan.kernels))
    return f"# launches, in order\n{plan}\n\n# memory\n{plan_memory(plan)}\n\n# kernels\n{kernels}"


def kernels_data(plan: Plan) -> dict[str, Any]:
    """Launches, memory and loops for programs and for the page."""
    number = {kernel: place for place, kernel in enumerate(plan.kernels)}
    return {
        "launches": [
            {
                "kernel": number[launch.kernel],
                "values": [value.name for value in launch.values],
                "layers": _layers(launch),
                "buffers": [[b.name, b.place, str(b.type)] for b in launch.buffers],
            }
            for launch in plan.launches
        ],
        "kernels": [{"name": kernel.name, "text": str(kernel)} for kernel in plan.kernels],
        "memory": str(plan_memory(plan)),
    }


def _layers(launch: Launch) -> list[str]:
    return list(dict.fromkeys(layer for v in launch.values for layer in v.origin.layers))
