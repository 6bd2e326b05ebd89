"""Which variant of a library's code a processor runs: asked of it once, by CPUID and XGETBV.

The answer is kept in the library. Threads that ask at the same time find the same one, so that
storing it needs no lock, and no constructor has to run when the library is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence

from kerac.backends.llvm.target import Target

EAX, EBX, ECX, EDX = range(4)
SAVED = 0xD  # stands for XCR0, which says what registers the system saves between threads

# name: (leaf of CPUID, register, bits that must be set)
BITS = {
    "sse3": (1, ECX, 1 << 0),
    "ssse3": (1, ECX, 1 << 9),
    "fma": (1, ECX, 1 << 12),
    "cx16": (1, ECX, 1 << 13),
    "sse4.1": (1, ECX, 1 << 19),
    "sse4.2": (1, ECX, 1 << 20),
    "movbe": (1, ECX, 1 << 22),
    "popcnt": (1, ECX, 1 << 23),
    "xsave": (1, ECX, 1 << 27),  # in use by the system
    "avx": (1, ECX, 1 << 28),
    "f16c": (1, ECX, 1 << 29),
    "bmi": (7, EBX, 1 << 3),
    "avx2": (7, EBX, 1 << 5),
    "bmi2": (7, EBX, 1 << 8),
    "avx512f": (7, EBX, 1 << 16),
    "avx512dq": (7, EBX, 1 << 17),
    "avx512cd": (7, EBX, 1 << 28),
    "avx512bw": (7, EBX, 1 << 30),
    "avx512vl": (7, EBX, 1 << 31),
    "lahf": (0x80000001, ECX, 1 << 0),
    "lzcnt": (0x80000001, ECX, 1 << 5),
    "ymm": (SAVED, EAX, 0x06),
    "zmm": (SAVED, EAX, 0xE6),
}


def choice_text(name: str, targets: Sequence[Target]) -> str:
    """`NAME_choose`: the number of the last of `targets` whose code this processor runs.

    It is the number of them where there is none.
    """
    return f"""\
@{name}_chosen = internal global i32 -1, align 4
define internal i32 @{name}_choose() #1 {{
entry:
  %known = load atomic i32, ptr @{name}_chosen monotonic, align 4
  %is_known = icmp sge i32 %known, 0
  br i1 %is_known, label %done, label %ask
done:
  ret i32 %known
ask:
  %found = call i32 @{name}_ask()
  store atomic i32 %found, ptr @{name}_chosen monotonic, align 4
  ret i32 %found
}}
define internal i32 @{name}_ask() noinline cold #1 {{
entry:
{_cpuid("basic", 0)}
{_cpuid("extended", 0x80000000)}
{_leaf(1, "basic")}
{_leaf(7, "basic")}
{_leaf(0x80000001, "extended")}
  %system = and i32 %leaf1_{ECX}, {BITS["xsave"][2]}
  %saves = icmp ne i32 %system, 0
  br i1 %saves, label %saved, label %choose
saved:
  %xcr0 = call {{ i32, i32 }} asm "xgetbv", "={{ax}},={{dx}},{{cx}}"(i32 0)
  %low = extractvalue {{ i32, i32 }} %xcr0, 0
  br label %choose
choose:
  %leaf{SAVED}_{EAX} = phi i32 [ 0, %entry ], [ %low, %saved ]
{_best(targets)}
}}"""


def _cpuid(result: str, leaf: int) -> str:
    """Lines that make %RESULT_0 ... %RESULT_3 of the four registers."""
    registers = "{ i32, i32, i32, i32 }"
    constraints = "={ax},={bx},={cx},={dx},{ax},{cx}"
    lines = [f'  %{result} = call {registers} asm "cpuid", "{constraints}"(i32 {leaf}, i32 0)']
    for register in (EAX, EBX, ECX, EDX):
        lines.append(f"  %{result}_{register} = extractvalue {registers} %{result}, {register}")
    return "\n".join(lines)


def _leaf(leaf: int, highest: str) -> str:
    """The registers of a leaf, zeros where the processor does not have it."""
    lines = [_cpuid(f"raw{leaf}", leaf), f"  %has{leaf} = icmp uge i32 %{highest}_{EAX}, {leaf}"]
    for register in (EAX, EBX, ECX, EDX):
        value = f"select i1 %has{leaf}, i32 %raw{leaf}_{register}, i32 0"
        lines.append(f"  %leaf{leaf}_{register} = {value}")
    return "\n".join(lines)


def _best(targets: Sequence[Target]) -> str:
    lines, best = [], str(len(targets))
    for number, target in enumerate(targets):
        wanted: dict[tuple[int, int], int] = {}
        for need in target.needs:
            leaf, register, bits = BITS[need]
            wanted[leaf, register] = wanted.get((leaf, register), 0) | bits
        runs = "true"
        for (leaf, register), bits in wanted.items():
            stem = f"v{number}_{leaf}_{register}"
            lines.append(f"  %{stem}_set = and i32 %leaf{leaf}_{register}, {bits}")
            lines.append(f"  %{stem}_all = icmp eq i32 %{stem}_set, {bits}")
            lines.append(f"  %{stem} = and i1 {runs}, %{stem}_all")
            runs = f"%{stem}"
        lines.append(f"  %best{number} = select i1 {runs}, i32 {number}, i32 {best}")
        best = f"%best{number}"
    return "\n".join([*lines, f"  ret i32 {best}"])


def dispatch_text(name: str, prefixes: Sequence[str], what: str, head: str, none: int) -> str:
    """`NAME_WHAT`, which ends in the function PREFIX_WHAT of the variant that is chosen.

    `head` is its result and its parameters: `i64 (ptr %dims)`. It gives `none` where no variant
    runs.
    """
    result, _, parameters = head.partition(" ")
    types = ", ".join(part.split()[0] for part in parameters.strip("()").split(", "))
    cases = " ".join(f"i32 {n}, label %variant{n}" for n in range(len(prefixes)))
    lines = [
        *(f"declare hidden {result} @{prefix}_{what}({types})" for prefix in prefixes[1:]),
        f"define internal {result} @{name}_{what}{parameters} #1 {{",
        f"  %number = call i32 @{name}_choose()",
        f"  switch i32 %number, label %none [ {cases} ]",
        f"none:\n  ret {result} {none}",
    ]
    for number, prefix in enumerate(prefixes):
        lines.append(f"variant{number}:")
        lines.append(f"  %result{number} = musttail call {result} @{prefix}_{what}{parameters}")
        lines.append(f"  ret {result} %result{number}")
    return "\n".join([*lines, "}"])


def variant_text(name: str, targets: Sequence[Target], chosen: bool) -> str:
    """`const char *NAME_variant(void)`: what the code that runs is made for, or NULL.

    Where nothing is `chosen` there is one target, and it runs.
    """
    lines = []
    for number, target in enumerate(targets):
        array = f'[{len(target.name) + 1} x i8] c"{target.name}\\00"'
        lines.append(f"@{name}_variant_{number} = internal unnamed_addr constant {array}")
    names = [f"ptr @{name}_variant_{number}" for number in range(len(targets))] + ["ptr null"]
    table = f"[{len(names)} x ptr] [{', '.join(names)}]"
    lines.append(f"@{name}_variants = internal constant {table}")
    lines.append(f"define ptr @{name}_variant() #1 {{")
    lines.append(f"  %number = call i32 @{name}_choose()" if chosen else "")
    place = "i32 %number" if chosen else "i32 0"
    lines.append(f"  %place = getelementptr ptr, ptr @{name}_variants, {place}")
    return "\n".join([*lines, "  %variant = load ptr, ptr %place", "  ret ptr %variant", "}"])
