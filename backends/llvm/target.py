"""The target description: the only place that knows vector widths and register counts."""

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
    first_level_cache: int = 32 * 1024
    second_level_cache: int = 512 * 1024

    @property
    def abilities(self) -> frozenset[str]:
        """What the machine does in one instruction; see `KernelBuilder`."""
        found = set()
        if self.triple.startswith(("x86_64", "amd64")):
            found = {"scale"} if self.vector_bytes == 64 else set()
            found |= {"half"} if self.vector_bytes >= 32 else set()
        elif self.triple.startswith(("aarch64", "arm64")):
            found = {"half"}
        return frozenset(found)

    def lanes(self, dtype_bytes: int = 4) -> int:
        """Elements of `dtype_bytes` bytes in one vector register."""
        return max(1, self.vector_bytes // dtype_bytes)


X86 = {
    # name: (cpu, features, bytes of a vector register, number of them); LLVM prefers half vectors
    # on some CPUs for the sake of their clock, but our kernels are written for whole ones
    "avx512": ("skylake-avx512", "-prefer-256-bit", 64, 32),
    "avx2": ("haswell", "", 32, 16),
    "x86-64": ("x86-64", "", 16, 16),
}


@cache
def find_target(name: str = "host") -> Target:
    """The target called `name`: `host` is this machine, with the widest vectors it has."""
    from llvmlite import binding

    triple = binding.get_process_triple()
    machine = triple.split("-")[0]
    if name == "host":
        return _host(triple, machine)
    if machine in ("x86_64", "amd64") and name in X86:
        cpu, features, vector_bytes, registers = X86[name]
        return Target(name, triple, cpu, features, vector_bytes, registers)
    known = ", ".join(["host", *X86]) if machine == "x86_64" else "host"
    raise UnsupportedError(
        f"target {name!r} is not known on {machine}", remedy=f"Known targets are {known}."
    )


def _host(triple: str, machine: str) -> Target:
    from llvmlite import binding

    cpu = binding.get_host_cpu_name()
    features = binding.get_host_cpu_features()
    text = features.flatten()
    if machine in ("x86_64", "amd64"):
        if features.get("avx512f") and features.get("avx512vl"):
            return Target("host", triple, cpu, f"{text},-prefer-256-bit", 64, 32)
        if features.get("avx2") and features.get("fma"):
            return Target("host", triple, cpu, text, 32, 16)
        return Target("host", triple, cpu, text, 16, 16)
    if machine in ("aarch64", "arm64"):
        return Target("host", triple, cpu, text, 16, 32)
    return Target("host", triple, cpu, text, 4, 16)
