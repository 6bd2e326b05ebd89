"""The target description: the only place that knows vector widths and register counts.

`native` is this machine, with the widest vectors it has. `portable` is every machine with its
instruction set: one library then holds variants of its code, which share its weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from kerac.ir.errors import UnsupportedError


@dataclass(frozen=True)
class Target:
    """What code generation needs to know of a machine."""

    name: str
    triple: str
    cpu: str
    features: str
    vector_bytes: int
    vector_registers: int
    tune: str = ""  # the processor in whose order of instructions code comes
    first_level_cache: int = 32 * 1024
    second_level_cache: int = 512 * 1024
    needs: tuple[str, ...] = ()  # what a processor must have, see `processor.py`
    winograd: bool = True  # whether convolutions may be computed by transforms, which round more

    @property
    def plainest(self) -> Target:
        """Any machine of the same kind."""
        is_x86 = self.triple.startswith(("x86_64", "amd64"))
        return X86["x86-64"].target("x86-64", self.triple) if is_x86 else self

    @property
    def abilities(self) -> frozenset[str]:
        """What the machine does in one instruction; see `KernelBuilder`."""
        found = set()
        if self.triple.startswith(("x86_64", "amd64")):
            found = {"scale"} if self.vector_bytes == 64 else set()
            found |= {"half", "round"} if self.vector_bytes >= 32 else set()
        elif self.triple.startswith(("aarch64", "arm64")):
            found = {"half", "round"}
        return frozenset(found)

    def lanes(self, dtype_bytes: int = 4) -> int:
        """Elements of `dtype_bytes` bytes in one vector register."""
        return max(1, self.vector_bytes // dtype_bytes)


PORTABLE = "portable"
NATIVE = "native"

# what the levels of x86-64 add to each other, by the names of `processor.py`
_LEVEL_2 = ("cx16", "lahf", "popcnt", "sse3", "ssse3", "sse4.1", "sse4.2")
_LEVEL_3 = ("xsave", "avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "ymm")
_LEVEL_4 = ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "zmm")


@dataclass(frozen=True)
class Level:
    """A level of x86-64 that code can be made for; vector registers are counted whole."""

    cpu: str
    vector_bytes: int
    vector_registers: int
    features: str = ""
    needs: tuple[str, ...] = ()

    def target(self, name: str, triple: str) -> Target:
        """Any processor of this level."""
        return Target(
            name,
            triple,
            self.cpu,
            self.features,
            self.vector_bytes,
            self.vector_registers,
            needs=self.needs,
        )


# from the plainest to the one that is best where a processor has it
X86 = {
    "x86-64": Level("x86-64", 16, 16),
    "avx2": Level("x86-64-v3", 32, 16, needs=(*_LEVEL_2, *_LEVEL_3)),
    # LLVM prefers half vectors on some CPUs for the sake of their clock, but our kernels are
    # written for whole ones
    "avx512": Level("x86-64-v4", 64, 32, "-prefer-256-bit", (*_LEVEL_2, *_LEVEL_3, *_LEVEL_4)),
}


def find_targets(name: str = PORTABLE) -> tuple[Target, ...]:
    """The variants that a library for `name` holds, the best one last."""
    from llvmlite import binding

    if name != PORTABLE:
        return (find_target(name),)
    triple = binding.get_process_triple()
    machine = triple.split("-")[0]
    if machine in ("x86_64", "amd64"):
        return tuple(level.target(name, triple) for name, level in X86.items())
    if machine in ("aarch64", "arm64"):
        return (Target(machine, triple, "generic", "+neon", 16, 32),)
    return (Target(machine, triple, "", "", 4, 16),)


@cache
def find_target(name: str = NATIVE) -> Target:
    """The one target called `name`."""
    from llvmlite import binding

    triple = binding.get_process_triple()
    machine = triple.split("-")[0]
    if name == NATIVE:
        return _native(triple, machine)
    levels = X86 if machine in ("x86_64", "amd64") else {}
    if name in levels:
        return levels[name].target(name, triple)
    known = ", ".join([NATIVE, *levels])
    raise UnsupportedError(
        f"target {name!r} is not known on {machine}",
        remedy=f"Known targets are {known}, and {PORTABLE} for libraries.",
    )


def _native(triple: str, machine: str) -> Target:
    from llvmlite import binding

    cpu = binding.get_host_cpu_name()
    features = binding.get_host_cpu_features()
    text = features.flatten()
    if machine in ("x86_64", "amd64"):
        level = X86["x86-64"]
        if features.get("avx512f") and features.get("avx512vl"):
            level = X86["avx512"]
        elif features.get("avx2") and features.get("fma"):
            level = X86["avx2"]
        if level.features:
            text = f"{text},{level.features}"
        # LLVM's models of single processors move loads of our kernels about; those of levels leave
        # them where they are
        return Target(
            NATIVE,
            triple,
            cpu,
            text,
            level.vector_bytes,
            level.vector_registers,
            tune=level.cpu,
            needs=tuple(need for need in level.needs if features.get(need, True)),
        )
    if machine in ("aarch64", "arm64"):
        return Target(NATIVE, triple, cpu, text, 16, 32)
    return Target(NATIVE, triple, cpu, text, 4, 16)
