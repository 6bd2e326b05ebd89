"""Just in time: a plan as machine code in this process. Needs no compiler and no linker."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import numpy as np

from kerac.backends.llvm.memory import ALIGNMENT
from kerac.backends.llvm.module import Weights, build_modules, weights_symbol
from kerac.backends.llvm.object_code import object_code, target_machine
from kerac.backends.llvm.plan import Later, Plan
from kerac.backends.llvm.target import Target, find_target
from kerac.backends.llvm.threads import POOL, process_pool

_NUMBERS = count()


@dataclass(frozen=True)
class Loaded:
    """Machine code in this process: the address of its `kerac_info`, and what keeps it alive."""

    information: int
    keep: tuple[Any, ...]
    ticks: int = 0  # the address of the cycle counts of a timed plan


class Code:
    """Object code, linked where it lies in this process as long as this object lives."""

    def __init__(self, code: bytes, symbols: Sequence[str]) -> None:
        """Link `code`; `symbols` are those whose addresses will be asked for."""
        from llvmlite import binding

        library = binding.JITLibraryBuilder().add_object_img(code).add_current_process()
        for symbol in symbols:
            library.export_symbol(symbol)
        self._linked = library.link(_linker(), f"code{next(_NUMBERS)}")

    def address(self, symbol: str) -> int:
        """Where a symbol lies."""
        return int(self._linked[symbol])

    def point(self, symbol: str, address: int) -> None:
        """Write an address into the pointer called `symbol`."""
        ctypes.c_void_p.from_address(self.address(symbol)).value = address

    def target(self, symbol: str) -> int:
        """The address in the pointer called `symbol`."""
        return ctypes.c_void_p.from_address(self.address(symbol)).value or 0

    def keep(self) -> None:
        """Let the code stay until the process ends."""
        self._linked.detach()

    def pointer(self, function: str) -> int:
        """What a function that returns a pointer returns."""
        return int(ctypes.CFUNCTYPE(ctypes.c_void_p)(self.address(function))())


def lasting_code(text: str, symbol: str, target: Target) -> Code:
    """Code of LLVM text without a target, for this process, that stays until it ends."""
    code = Code(object_code(f'target triple = "{target.triple}"\n{text}', target), [symbol])
    code.keep()
    return code


@cache
def _linker() -> Any:
    """The linker of this process, which lives until its end."""
    from llvmlite import binding

    return binding.create_lljit_compiler(target_machine(find_target()), use_jit_link=True)


def load_plan(plan: Plan, target: Target, name: str, timed: bool = False) -> Loaded:
    """Compile `plan` and load it; see `build_modules` for `timed`."""
    modules = build_modules({target: plan}, name, in_memory=True, timed=timed)
    section = place_in_memory(modules.weights)
    weights, information, ticks = weights_symbol(name), f"{name}_info", f"{name}_ticks"
    symbols = [weights, information, *[POOL] * modules.has_pool, *[ticks] * timed]
    code = Code(object_code(modules.texts[target], target), symbols)
    code.point(weights, section.ctypes.data)
    if modules.has_pool:
        code.point(POOL, process_pool(target))
    return Loaded(code.pointer(information), (code, section), code.pointer(ticks) if timed else 0)


def place_in_memory(weights: Weights) -> np.ndarray:
    """The weights section; from now on the plan's constants are views of it."""
    section = weights_array(weights.size)
    views: dict[int, np.ndarray] = {}
    for buffer, offset in weights.offsets.items():
        array = buffer.array
        if array is None:
            continue
        if offset not in views:
            place = section[offset : offset + array.nbytes].view(array.dtype)
            if isinstance(array, Later):
                array.write(place)
            else:
                place = place.reshape(array.shape)
                place[...] = array
            views[offset] = place
        buffer.array = views[offset]
    return section


def weights_array(size: int) -> np.ndarray:
    """Zeros, aligned."""
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]
