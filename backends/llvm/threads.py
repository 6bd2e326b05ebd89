"""The pool of threads of `pool.ll`: inside each library, and once in a process that compiles.

Libraries find the pool by a symbol that the loader resolves to the same place for all of them; what
lies there is the address of the function that runs parallel regions. The library that the loader
takes it from stays loaded, so threads never lose their code.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from kerac.backends.llvm.target import Target

POOL = "kerac_pool_1"  # the number changes with the function's arguments
MOST_THREADS = 256
SPINS = 2000  # looks, which take some tens of microseconds, before a thread goes to sleep

MINIMA = ("declare i32 @llvm.smin.i32(i32, i32)", "declare i64 @llvm.smin.i64(i64, i64)")

# machine: (number of the system call futex, what a thread does between two looks)
MACHINES = {
    "x86_64": (202, "pause"),
    "aarch64": (98, "isb"),
}


def has_threads(target: Target) -> bool:
    """Whether there is a pool for the machine and its system."""
    machine, *system = target.triple.split("-")
    return machine in MACHINES and "linux" in system


def pool_text(target: Target) -> str:
    """The pool as LLVM IR."""
    futex, pause = MACHINES[target.triple.split("-")[0]]
    text = files("kerac.backends.llvm").joinpath("pool.ll").read_text()
    for name, value in {
        "$FUTEX": str(futex),
        "$PAUSE": f'call void asm sideeffect "{pause}", ""()',
        "$MOST": str(MOST_THREADS),
        "$SPINS": str(SPINS),
    }.items():
        text = text.replace(name, value)
    return text


def library_pool(target: Target) -> str:
    """The pool inside a library, under a symbol that exists once in a process."""
    lines = [
        f".section .data.{POOL},\\22awG\\22,@progbits,{POOL},comdat",
        f".globl {POOL}",
        f".type {POOL},@gnu_unique_object",
        ".balign 8",
        f"{POOL}:",
        ".quad kerac_run",
        f".size {POOL}, . - {POOL}",
        ".text",
    ]
    return "\n".join(
        [
            *(f'module asm "{line}"' for line in lines),
            f"@{POOL} = external global ptr",
            '@llvm.used = appending global [1 x ptr] [ptr @kerac_run], section "llvm.metadata"',
            pool_text(target),
        ]
    )


def threads_text(name: str, defined: bool) -> str:
    """How a model runs where a run does not say it itself, and the function that sets it."""
    if not defined:
        return f"@{name}_parallel = external hidden global {{ i64, ptr, ptr }}"
    fields = "{ i64, ptr, ptr } { i64 1, ptr null, ptr null }"
    return "\n".join(
        [
            f"@{name}_parallel = hidden global {fields}",
            f"define void @{name}_set_threads(i64 %threads) #1 {{",
            f"  store atomic i64 %threads, ptr @{name}_parallel monotonic, align 8",
            "  ret void\n}",
        ]
    )


def choose_threads(name: str) -> list[str]:
    """Lines that make `%.parallel` of `%parallel`: how to run in parallel, null for one thread."""
    return [
        "  %.unsaid = icmp eq ptr %parallel, null",
        f"  %.how = select i1 %.unsaid, ptr @{name}_parallel, ptr %parallel",
        "  %.threads = load atomic i64, ptr %.how monotonic, align 8",
        "  %.several = icmp sgt i64 %.threads, 1",
        "  %.parallel = select i1 %.several, ptr %.how, ptr null",
    ]


@cache
def process_pool(target: Target) -> int:
    """The address of the function in this process; made once, and never freed."""
    from kerac.backends.llvm.jit import lasting_code

    lines = [
        f"@{POOL} = constant ptr @kerac_run",
        pool_text(target),
        *MINIMA,
        "attributes #1 = { nounwind }",
    ]
    # threads run it until the process ends
    return lasting_code("\n".join(lines), POOL, target).target(POOL)
