"""The machine's peak in float32, measured: fused multiply-adds on registers alone, on one core."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass

import llvmlite.binding as llvm

ITERATIONS = 1_000_000


@dataclass(frozen=True)
class Vectors:
    """What the peak loop needs to know of a processor."""

    lanes: int
    accumulators: int  # enough to hide the latency of two units, few enough for the registers


def host_vectors() -> Vectors:
    """The widest vectors of this machine, by the features that LLVM finds."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return Vectors(lanes=16, accumulators=24)
    if features.get("fma"):
        return Vectors(lanes=8, accumulators=12)
    return Vectors(lanes=4, accumulators=12)


def peak_loop(vectors: Vectors) -> str:
    """LLVM text of `float peak(int64_t iterations, float factor, float term)`.

    Each iteration does `accumulators` independent fused multiply-adds; the sum that is returned
    keeps all of them alive.
    """
    lanes, count = vectors.lanes, vectors.accumulators
    vector = f"<{lanes} x float>"
    zeros = f"<{lanes} x i32> zeroinitializer"
    fma, reduce = f"@llvm.fmuladd.v{lanes}f32", f"@llvm.vector.reduce.fadd.v{lanes}f32"
    phis = "\n".join(
        f"  %a{i} = phi {vector} [ %term.v, %entry ], [ %next{i}, %loop ]" for i in range(count)
    )
    steps = "\n".join(
        f"  %next{i} = call {vector} {fma}({vector} %a{i}, {vector} %factor.v, {vector} %term.v)"
        for i in range(count)
    )
    sums = "\n".join(f"  %sum{i + 1} = fadd {vector} %sum{i}, %next{i}" for i in range(count))
    return f"""
declare {vector} {fma}({vector}, {vector}, {vector})
declare float {reduce}(float, {vector})

define float @peak(i64 %iterations, float %factor, float %term) {{
entry:
  %factor.1 = insertelement {vector} poison, float %factor, i64 0
  %factor.v = shufflevector {vector} %factor.1, {vector} poison, {zeros}
  %term.1 = insertelement {vector} poison, float %term, i64 0
  %term.v = shufflevector {vector} %term.1, {vector} poison, {zeros}
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
{phis}
{steps}
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %iterations
  br i1 %more, label %loop, label %done
done:
  %sum0 = insertelement {vector} zeroinitializer, float 0.0, i64 0
{sums}
  %total = call reassoc float {reduce}(float 0.0, {vector} %sum{count})
  ret float %total
}}
"""


class PeakLoop:
    """The loop, compiled for this machine; a call runs it for some milliseconds: GFLOP/s."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.vectors = host_vectors()
        module = llvm.parse_assembly(peak_loop(self.vectors))
        module.verify()
        target = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
        )
        self.assembly = target.emit_assembly(module)
        self._engine = llvm.create_mcjit_compiler(module, target)  # owns the code
        self._engine.finalize_object()
        address = self._engine.get_function_address("peak")
        signature = ctypes.CFUNCTYPE(
            ctypes.c_float, ctypes.c_int64, ctypes.c_float, ctypes.c_float
        )
        self._function = signature(address)

    @property
    def operations(self) -> int:
        """Floating-point operations of one call."""
        return 2 * ITERATIONS * self.vectors.accumulators * self.vectors.lanes

    def gflops(self) -> float:
        """What one call reaches, in billions of operations a second."""
        start = time.perf_counter()
        self()
        return 1e-9 * self.operations / (time.perf_counter() - start)

    def __call__(self) -> None:
        self._function(ITERATIONS, 0.5, 1.0)  # converges to 2: no denormals, no infinities
