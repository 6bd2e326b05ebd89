"""Just in time: a plan as machine code in this process. Needs no compiler and no linker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerac.backends.llvm.memory import ALIGNMENT
from kerac.backends.llvm.module import build_modules, place_weights
from kerac.backends.llvm.plan import Plan
from kerac.backends.llvm.target import Target
from kerac.ir.errors import InternalError


@dataclass(frozen=True)
class Loaded:
    """Machine code in this process: the address of its `kerac_info`, and what keeps it alive."""

    information: int
    keep: tuple[Any, ...]
    ticks: int = 0  # the address of the cycle counts of a timed plan


def load_plan(plan: Plan, target: Target, name: str, timed: bool = False) -> Loaded:
    """Compile `plan` and load it; see `build_modules` for `timed`."""
    from llvmlite import binding

    weights = place_weights([plan])
    section = weights_array(weights.size)
    for offset, array in weights.arrays():
        section[offset : offset + array.nbytes] = (
            np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        )
    modules = build_modules({target: plan}, name, section.ctypes.data, timed=timed)
    machine = target_machine(target)
    parsed = optimized(modules.texts[target], machine)
    engine = binding.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    import ctypes

    def address(function: str) -> int:
        return int(ctypes.CFUNCTYPE(ctypes.c_void_p)(engine.get_function_address(function))())

    ticks = address(f"{name}_ticks") if timed else 0
    return Loaded(address(f"{name}_info"), (engine, section), ticks)


def weights_array(size: int) -> np.ndarray:
    """Zeros, aligned."""
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def target_machine(
    target: Target, relocation: str = "default", code_model: str = "jitdefault"
) -> Any:
    """LLVM's target machine."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.initialize_native_asmparser()
    description = binding.Target.from_triple(target.triple)
    return description.create_target_machine(
        cpu=target.cpu,
        features=target.features,
        opt=3,
        reloc=relocation,
        codemodel=code_model,
        jit=code_model == "jitdefault",
    )


def optimized(text: str, machine: Any) -> Any:
    """Parse, verify and optimize a module."""
    from llvmlite import binding

    try:
        module = binding.parse_assembly(text)
        module.verify()
    except RuntimeError as error:
        raise InternalError(f"LLVM refuses the code that kerac emitted: {error}") from None
    # kernels arrive in static single assignment, with loops whose invariants stand before them:
    # no pass but this one makes them faster
    options = binding.create_pipeline_tuning_options(speed_level=2)
    builder = binding.create_pass_builder(machine, options)
    passes = binding.create_new_function_pass_manager()
    passes.add_instruction_combine_pass()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    return module
