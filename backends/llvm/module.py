"""A plan as one LLVM module: kernels, what runs them, and what the library says of itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerac.backends.llvm.information import information_text, model_information
from kerac.backends.llvm.kernel import Emitter
from kerac.backends.llvm.kernel.regions import has_region
from kerac.backends.llvm.memory import ALIGNMENT, MemoryPlan, plan_memory
from kerac.backends.llvm.plan import Buffer, Plan
from kerac.backends.llvm.target import Target
from kerac.backends.llvm.threads import (
    MINIMA,
    POOL,
    choose_threads,
    has_threads,
    library_pool,
    process_pool,
    threads_text,
)
from kerac.ir.dims import Dim, DimLike
from kerac.runtime.abi import DIM_NOT_POSITIVE, NULL_POINTER, WORKSPACE_NOT_ALIGNED, ModelInfo


@dataclass(frozen=True)
class Weights:
    """The weights section: where each constant lies."""

    offsets: dict[Buffer, int]
    size: int

    def arrays(self) -> list[tuple[int, np.ndarray]]:
        """(offset, array) in ascending order."""
        return [
            (offset, buffer.array)
            for buffer, offset in self.offsets.items()
            if buffer.array is not None
        ]


@dataclass(frozen=True)
class Module:
    """LLVM IR text and what it needs beside it."""

    text: str
    weights: Weights
    memory: MemoryPlan
    information: ModelInfo


def place_weights(plan: Plan) -> Weights:
    """One aligned place for each constant in order of first use; the same array is kept once."""
    offsets: dict[Buffer, int] = {}
    places: dict[int, int] = {}
    size = 0
    for buffer in (buffer.memory for buffer in plan.buffers):
        if buffer.place == "constant" and buffer.array is not None:
            if id(buffer.array) not in places:
                places[id(buffer.array)] = size
                size += -(-buffer.array.nbytes // ALIGNMENT) * ALIGNMENT
            offsets[buffer] = places[id(buffer.array)]
    return Weights(offsets, size)


def build_module(
    plan: Plan,
    target: Target,
    name: str,
    weights_address: int | None = None,
    assembly: str = "",
    timed: bool = False,
    threads: bool = True,
) -> Module:
    """Emit `plan`; weights lie at an address of this process, or where `assembly` defines them.

    With `timed`, a run notes the cycle counter before its first launch and after each one, in the
    array of i64 that the function NAME_ticks returns. Without `threads` nothing in it runs in
    parallel, and it needs no threads of the system.
    """
    threads = threads and has_threads(target) and any(has_region(k.body) for k in plan.kernels)
    pool, pool_declared = _pool(target, weights_address is None) if threads else (None, "")
    emitter = Emitter(pool)
    weights, memory = place_weights(plan), plan_memory(plan)
    kernels = [emitter.function(kernel, "#0") for kernel in plan.kernels]
    if weights_address is None:
        base = f"@{name}_weights"
        section = f"[{max(weights.size, 1)} x i8], align {ALIGNMENT}"
        declared = f"{base} = external hidden constant {section}"
    else:
        base, declared = f"inttoptr (i64 {weights_address} to ptr)", ""
    information = model_information(plan, target, name, weights.size)
    functions = _Functions(emitter, plan, memory, weights, base, timed)
    parts = [
        f'target triple = "{target.triple}"',
        assembly,
        declared,
        pool_declared,
        *kernels,
        functions.run(name),
        functions.ticks(name),
        functions.workspace_size(name),
        functions.output_shape(name),
        information_text(information, name),
        threads_text(name),
        *dict.fromkeys([*emitter.declarations, *(MINIMA if pool_declared else ())]),
        _attributes(target),
    ]
    return Module("\n".join(parts) + "\n", weights, memory, information)


def _pool(target: Target, is_library: bool) -> tuple[str, str]:
    """Where the pool is found, and what the module holds of it."""
    if is_library:
        return f"@{POOL}", library_pool(target)
    return f"inttoptr (i64 {process_pool(target)} to ptr)", ""


def _attributes(target: Target) -> str:
    """Attributes of every function: code for this CPU, with its vectors whole."""
    vector_bits = target.vector_bytes * 8
    values = {
        "target-cpu": target.cpu,
        "target-features": target.features,
        "prefer-vector-width": vector_bits,
        "min-legal-vector-width": vector_bits,
        "frame-pointer": "none",
    }
    texts = " ".join(f'"{key}"="{value}"' for key, value in values.items())
    return f'attributes #0 = {{ nounwind {texts} "no-builtins" }}'


class _Functions:
    """The functions of a module that are not kernels; each takes `ptr %dims`."""

    def __init__(
        self,
        emitter: Emitter,
        plan: Plan,
        memory: MemoryPlan,
        weights: Weights,
        base: str,
        timed: bool = False,
    ) -> None:
        self.emitter = emitter
        self.plan = plan
        self.memory = memory
        self.weights = weights
        self.base = base
        self.timed = timed
        self.symbols: dict[str, str] = {}

    def _begin(self) -> None:
        self.emitter.lines = []
        self.symbols = {}

    def _load_dims(self) -> None:
        for place, name in enumerate(self.plan.graph.symbols):
            address = self.emitter.assign(f"getelementptr i64, ptr %dims, i64 {place}")
            self.symbols[name] = self.emitter.assign(f"load i64, ptr {address}, align 8")

    def _dim(self, dim: DimLike) -> str:
        """Emit the arithmetic of a dimension."""
        if not isinstance(dim, Dim):
            return str(dim)
        total = "0"
        for monomial, coefficient in dim.terms:
            product = str(coefficient)
            for atom in monomial:
                if isinstance(atom, str):
                    factor = self.symbols[atom]
                else:
                    factor = self.emitter.assign(
                        f"sdiv i64 {self._dim(atom.numerator)}, {atom.denominator}"
                    )
                product = self.emitter.assign(f"mul i64 {product}, {factor}")
            total = self.emitter.assign(f"add i64 {total}, {product}")
        return total

    def _fail_if(self, condition: str, code: int) -> None:
        label = self.emitter.fresh("ok")[1:]
        self.emitter.line(f"br i1 {condition}, label %fail{code}, label %{label}")
        self.emitter.lines.append(f"{label}:")

    def run(self, name: str) -> str:
        """int NAME_run_dims(inputs, outputs, dims, workspace, parallel)"""
        emit, graph = self.emitter, self.plan.graph
        self._begin()
        pointers = ["inputs"] * bool(graph.inputs) + ["outputs"] + ["dims"] * bool(graph.symbols)
        for pointer in pointers:
            self._fail_if(emit.assign(f"icmp eq ptr %{pointer}, null"), NULL_POINTER)
        self._load_dims()
        for register in self.symbols.values():
            self._fail_if(emit.assign(f"icmp slt i64 {register}, 1"), DIM_NOT_POSITIVE)
        if self.memory.slots:
            self._fail_if(emit.assign("icmp eq ptr %workspace, null"), NULL_POINTER)
            address = emit.assign("ptrtoint ptr %workspace to i64")
            rest = emit.assign(f"and i64 {address}, {ALIGNMENT - 1}")
            self._fail_if(emit.assign(f"icmp ne i64 {rest}, 0"), WORKSPACE_NOT_ALIGNED)
        arrays = {
            **{("input", i): self._array("inputs", i) for i in range(len(graph.inputs))},
            **{("output", i): self._array("outputs", i) for i in range(len(graph.outputs))},
        }
        addresses = self._addresses(arrays)
        emit.lines += choose_threads(name)
        self._tick(name, 0)
        for number, launch in enumerate(self.plan.launches, start=1):
            arguments = [f"ptr {addresses[buffer]}" for buffer in launch.buffers]
            arguments += [f"i64 {self.symbols[symbol]}" for symbol in launch.kernel.dims]
            arguments += ["ptr %.parallel"] * emit.is_parallel(launch.kernel)
            emit.line(f"call void @{launch.kernel.name}({', '.join(arguments)})")
            self._tick(name, number)
        emit.line("ret i32 0")
        for code in (NULL_POINTER, DIM_NOT_POSITIVE, WORKSPACE_NOT_ALIGNED):
            emit.lines.append(f"fail{code}:")
            emit.line(f"ret i32 {code}")
        parameters = "ptr %inputs, ptr %outputs, ptr %dims, ptr %workspace, ptr %parallel"
        head = f"define internal i32 @{name}_run_dims({parameters}) #0 {{"
        return "\n".join([head, "entry:", *emit.lines, "}"])

    def _tick(self, name: str, number: int) -> None:
        if self.timed:
            now = self.emitter.assign(self.emitter.call("llvm.readcyclecounter", "i64", []))
            place = self.emitter.assign(f"getelementptr i64, ptr @{name}_times, i64 {number}")
            self.emitter.line(f"store volatile i64 {now}, ptr {place}, align 8")

    def ticks(self, name: str) -> str:
        """long long *NAME_ticks(void), in a timed module."""
        if not self.timed:
            return ""
        array = f"[{len(self.plan.launches) + 1} x i64]"
        return (
            f"@{name}_times = internal global {array} zeroinitializer, align 8\n"
            f"define ptr @{name}_ticks() #0 {{\n  ret ptr @{name}_times\n}}"
        )

    def _array(self, table: str, number: int) -> str:
        """The pointer to an input or output, which must not be null."""
        address = self.emitter.assign(f"getelementptr ptr, ptr %{table}, i64 {number}")
        array = self.emitter.assign(f"load ptr, ptr {address}, align 8")
        self._fail_if(self.emitter.assign(f"icmp eq ptr {array}, null"), NULL_POINTER)
        return array

    def _addresses(self, arrays: dict[tuple[str, int], str]) -> dict[Buffer, str]:
        emit = self.emitter
        starts: dict[DimLike, str] = {}
        for factor in self.memory.regions:
            start = self._dim(self.memory.region_start(factor))
            starts[factor] = emit.assign(f"getelementptr i8, ptr %workspace, i64 {start}")
        factors = {factor: self._dim(factor) for factor in self.memory.regions}
        addresses: dict[Buffer, str] = {}
        for buffer in dict.fromkeys(buffer.memory for buffer in self.plan.buffers):
            if buffer.place == "arena":
                slot = self.memory.slots[buffer]
                offset = emit.assign(f"mul i64 {factors[slot.factor]}, {slot.offset}")
                addresses[buffer] = emit.assign(
                    f"getelementptr i8, ptr {starts[slot.factor]}, i64 {offset}"
                )
            elif buffer.place == "constant":
                addresses[buffer] = emit.assign(
                    f"getelementptr i8, ptr {self.base}, i64 {self.weights.offsets[buffer]}"
                )
            else:
                addresses[buffer] = arrays[buffer.place, buffer.number]
        for buffer in self.plan.buffers:
            if buffer.whole is not None:
                start = f"i64 {buffer.first * buffer.bytes}"
                whole = addresses[buffer.memory]
                addresses[buffer] = emit.assign(f"getelementptr i8, ptr {whole}, {start}")
        return addresses

    def workspace_size(self, name: str) -> str:
        """size_t NAME_workspace_size_dims(dims): 0 where a dim is not positive."""
        emit = self.emitter
        self._begin()
        if self.plan.graph.symbols:
            self._fail_if(emit.assign("icmp eq ptr %dims, null"), 0)
        self._load_dims()
        for register in self.symbols.values():
            self._fail_if(emit.assign(f"icmp slt i64 {register}, 1"), 0)
        emit.line(f"ret i64 {self._dim(self.memory.total)}")
        emit.lines.append("fail0:")
        emit.line("ret i64 0")
        return "\n".join(
            [
                f"define internal i64 @{name}_workspace_size_dims(ptr %dims) #0 {{",
                "entry:",
                *emit.lines,
                "}",
            ]
        )

    def output_shape(self, name: str) -> str:
        """int NAME_output_shape_dims(output, dims, shape)"""
        emit, outputs = self.emitter, self.plan.graph.outputs
        self._begin()
        pointers = ["shape"] + ["dims"] * bool(self.plan.graph.symbols)
        for pointer in pointers:
            self._fail_if(emit.assign(f"icmp eq ptr %{pointer}, null"), NULL_POINTER)
        self._load_dims()
        cases = " ".join(f"i64 {number}, label %output{number}" for number in range(len(outputs)))
        emit.line(f"switch i64 %output, label %fail{DIM_NOT_POSITIVE} [ {cases} ]")
        for number, value in enumerate(outputs):
            emit.lines.append(f"output{number}:")
            for axis, dim in enumerate(value.shape):
                address = emit.assign(f"getelementptr i64, ptr %shape, i64 {axis}")
                emit.line(f"store i64 {self._dim(dim)}, ptr {address}, align 8")
            emit.line("ret i32 0")
        for code in (NULL_POINTER, DIM_NOT_POSITIVE):
            emit.lines.append(f"fail{code}:")
            emit.line(f"ret i32 {code}")
        parameters = "i64 %output, ptr %dims, ptr %shape"
        head = f"define internal i32 @{name}_output_shape_dims({parameters}) #0 {{"
        return "\n".join([head, "entry:", *emit.lines, "}"])
