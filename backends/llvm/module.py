"""A plan as one LLVM module: kernels, what runs them, and what the library says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from kerac.backends.llvm.information import information_text, model_information
from kerac.backends.llvm.kernel import Emitter
from kerac.backends.llvm.kernel.regions import has_region
from kerac.backends.llvm.memory import ALIGNMENT, plan_memory
from kerac.backends.llvm.plan import Buffer, Later, Plan
from kerac.backends.llvm.processor import choice_text, dispatch_text, variant_text
from kerac.backends.llvm.target import Target
from kerac.backends.llvm.threads import (
    MINIMA,
    POOL,
    choose_threads,
    has_threads,
    library_pool,
    threads_text,
)
from kerac.backends.llvm.weights_section import weights_assembly
from kerac.ir.dims import Dim, DimLike
from kerac.runtime.abi import (
    DIM_NOT_POSITIVE,
    NULL_POINTER,
    WORKSPACE_NOT_ALIGNED,
    WRONG_PROCESSOR,
    ModelInfo,
)

# result and parameters of the functions that variants have for themselves
RUN = "i32 (ptr %inputs, ptr %outputs, ptr %dims, ptr %workspace, ptr %parallel)"
WORKSPACE_SIZE = "i64 (ptr %dims)"


@dataclass(frozen=True)
class Weights:
    """The weights section: where each constant lies."""

    offsets: dict[Buffer, int]
    size: int

    def arrays(self) -> list[tuple[int, np.ndarray | Later]]:
        """(offset, array) in ascending order."""
        return [
            (offset, buffer.array)
            for buffer, offset in self.offsets.items()
            if buffer.array is not None
        ]


@dataclass(frozen=True)
class Modules:
    """LLVM IR text for each target, and what it needs beside it; the first has what all share."""

    texts: dict[Target, str]
    weights: Weights
    information: ModelInfo
    has_pool: bool  # whether something may run in parallel


def place_weights(plans: Iterable[Plan]) -> Weights:
    """One aligned place for each constant in order of first use; the same array is kept once."""
    offsets: dict[Buffer, int] = {}
    places: dict[int, int] = {}
    size = 0
    for buffer in (buffer.memory for plan in plans for buffer in plan.buffers):
        if buffer.place == "constant" and buffer.array is not None:
            if id(buffer.array) not in places:
                places[id(buffer.array)] = size
                size += -(-buffer.array.nbytes // ALIGNMENT) * ALIGNMENT
            offsets[buffer] = places[id(buffer.array)]
    return Weights(offsets, size)


def build_modules(
    plans: Mapping[Target, Plan],
    name: str,
    in_memory: bool = False,
    timed: bool = False,
    threads: bool = True,
) -> Modules:
    """Emit `plans`; nothing in the texts depends on the process or on the values of weights.

    `in_memory`, pointers to the weights and to the pool are written when the code is loaded; in a
    library the section of weights is empty and filled later. Several plans become variants, of
    which a processor runs the last one that it can. With `timed`, a run notes the cycle counter
    before its first launch and after each one, in the array of i64 that the function NAME_ticks
    returns. Without `threads` nothing runs in parallel, and no threads of the system are needed.
    """
    weights = place_weights(plans.values())
    targets = tuple(plans)
    kernels = [kernel for plan in plans.values() for kernel in plan.kernels]
    threads = threads and has_threads(targets[0]) and any(has_region(k.body) for k in kernels)
    information = model_information(plans[targets[0]], targets, name, weights.size)
    library_weights = weights_assembly(weights_symbol(name), weights.size)
    # code in memory is never for another processor than this one
    chosen = not in_memory and (len(targets) > 1 or bool(targets[0].needs))
    texts = {}
    for target, plan in plans.items():
        first = target is targets[0]
        pool, pool_text = None, ""
        if threads:
            pool, pool_text = f"@{POOL}", _pool(target, in_memory, first)
        emitter = Emitter(pool)
        own = variant_prefix(name, target) if chosen else name
        functions = _Functions(
            emitter, plan, weights, name, own, "internal" if first else "hidden", in_memory, timed
        )
        parts = [
            f'target triple = "{target.triple}"',
            _section(name, weights, in_memory),
            pool_text,
            *(emitter.function(kernel, "#0") for kernel in plan.kernels),
            functions.run(),
            functions.workspace_size(),
            *([library_weights] if first and not in_memory else []),
            *(_shared(functions, information, targets, chosen) if first else []),
            threads_text(name, defined=first),
            *dict.fromkeys([*emitter.declarations, *(MINIMA if first and pool_text else ())]),
            _attributes(target),
        ]
        texts[target] = "\n".join(parts) + "\n"
    return Modules(texts, weights, information, threads)


def variant_prefix(name: str, target: Target) -> str:
    """What a variant's functions begin with; no model's own do, see `c_identifier`."""
    return f"kerac_{name}_{target.name.replace('-', '_')}"


def _shared(
    functions: _Functions, information: ModelInfo, targets: tuple[Target, ...], chosen: bool
) -> list[str]:
    """What a library has once."""
    name = functions.name
    parts = [
        functions.ticks(),
        functions.output_shape(),
        information_text(information, name),
        variant_text(name, targets, chosen),
    ]
    if chosen:
        prefixes = [variant_prefix(name, target) for target in targets]
        parts.append(choice_text(name, targets))
        for what, head, none in (
            ("run_dims", RUN, WRONG_PROCESSOR),
            ("workspace_size_dims", WORKSPACE_SIZE, 0),
        ):
            parts.append(dispatch_text(name, prefixes, what, head, none))
    return parts


def weights_symbol(name: str) -> str:
    """What stands for the weights: in memory a pointer to them, in a library their section."""
    return f"{name}_weights"


def _section(name: str, weights: Weights, in_memory: bool) -> str:
    if in_memory:
        return f"@{weights_symbol(name)} = dso_local global ptr null"
    section = f"[{max(weights.size, 1)} x i8], align {ALIGNMENT}"
    return f"@{weights_symbol(name)} = external hidden constant {section}"


def _pool(target: Target, in_memory: bool, first: bool) -> str:
    """What the module says of the pool."""
    if in_memory:
        return f"@{POOL} = dso_local global ptr null"
    return library_pool(target) if first else f"@{POOL} = external global ptr"


def _attributes(target: Target) -> str:
    """Attributes of functions: #0 of code for a target, #1 of what comes before it is chosen."""
    return "\n".join(
        f"attributes #{number} = {{ nounwind {_code_for(each)} }}"
        for number, each in enumerate((target, target.plainest))
    )


def _code_for(target: Target) -> str:
    """Code for this CPU, with its vectors whole."""
    vector_bits = target.vector_bytes * 8
    values = {
        "target-cpu": target.cpu,
        **({"tune-cpu": target.tune} if target.tune else {}),
        "target-features": target.features,
        "prefer-vector-width": vector_bits,
        "min-legal-vector-width": vector_bits,
        "frame-pointer": "none",
    }
    texts = " ".join(f'"{key}"="{value}"' for key, value in values.items())
    return f'{texts} "no-builtins"'


class _Functions:
    """The functions of a module that are not kernels; each takes `ptr %dims`.

    Those of a variant begin with `own`, those of the whole library with `name`.
    """

    def __init__(
        self,
        emitter: Emitter,
        plan: Plan,
        weights: Weights,
        name: str,
        own: str,
        linkage: str,
        in_memory: bool = False,
        timed: bool = False,
    ) -> None:
        self.emitter = emitter
        self.plan = plan
        self.memory = plan_memory(plan)
        self.weights = weights
        self.name = name
        self.own = own
        self.linkage = linkage
        self.in_memory = in_memory
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

    def _end(self, function: str, head: str, linkage: str, attributes: str = "#0") -> str:
        """What was emitted as the function; `head` is its result and its parameters."""
        result, _, parameters = head.partition(" ")
        first = f"define {linkage} {result} @{function}{parameters} {attributes} {{"
        return "\n".join([first, "entry:", *self.emitter.lines, "}"])

    def run(self) -> str:
        """int OWN_run_dims(inputs, outputs, dims, workspace, parallel)"""
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
        emit.lines += choose_threads(self.name)
        self._tick(0)
        for number, launch in enumerate(self.plan.launches, start=1):
            arguments = [f"ptr {addresses[buffer]}" for buffer in launch.buffers]
            arguments += [f"i64 {self.symbols[symbol]}" for symbol in launch.kernel.dims]
            arguments += ["ptr %.parallel"] * emit.is_parallel(launch.kernel)
            emit.line(f"call void @{launch.kernel.name}({', '.join(arguments)})")
            self._tick(number)
        emit.line("ret i32 0")
        for code in (NULL_POINTER, DIM_NOT_POSITIVE, WORKSPACE_NOT_ALIGNED):
            emit.lines.append(f"fail{code}:")
            emit.line(f"ret i32 {code}")
        return self._end(f"{self.own}_run_dims", RUN, self.linkage)

    def _tick(self, number: int) -> None:
        if self.timed:
            now = self.emitter.assign(self.emitter.call("llvm.readcyclecounter", "i64", []))
            place = self.emitter.assign(f"getelementptr i64, ptr @{self.name}_times, i64 {number}")
            self.emitter.line(f"store volatile i64 {now}, ptr {place}, align 8")

    def ticks(self) -> str:
        """long long *NAME_ticks(void), in a timed module."""
        if not self.timed:
            return ""
        array = f"[{len(self.plan.launches) + 1} x i64]"
        return (
            f"@{self.name}_times = internal global {array} zeroinitializer, align 8\n"
            f"define ptr @{self.name}_ticks() #1 {{\n  ret ptr @{self.name}_times\n}}"
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
        base = f"@{weights_symbol(self.name)}"
        if self.in_memory:
            base = emit.assign(f"load ptr, ptr {base}, align 8")
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
                    f"getelementptr i8, ptr {base}, i64 {self.weights.offsets[buffer]}"
                )
            else:
                addresses[buffer] = arrays[buffer.place, buffer.number]
        for buffer in self.plan.buffers:
            if buffer.whole is not None:
                start = f"i64 {buffer.first * buffer.bytes}"
                whole = addresses[buffer.memory]
                addresses[buffer] = emit.assign(f"getelementptr i8, ptr {whole}, {start}")
        return addresses

    def workspace_size(self) -> str:
        """size_t OWN_workspace_size_dims(dims): 0 where a dim is not positive."""
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
        return self._end(f"{self.own}_workspace_size_dims", WORKSPACE_SIZE, self.linkage)

    def output_shape(self) -> str:
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
        head = "i32 (i64 %output, ptr %dims, ptr %shape)"
        return self._end(f"{self.name}_output_shape_dims", head, "internal", "#1")
