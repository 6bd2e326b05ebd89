"""The one emitter from kernels to LLVM IR text."""

from __future__ import annotations

from collections.abc import Iterator

from kerac.backends.llvm.kernel.instructions import INSTRUCTIONS, Instruction
from kerac.backends.llvm.kernel.llvm_types import BYTES, constant, llvm_type, memory_type
from kerac.backends.llvm.kernel.nodes import (
    INDEX,
    Compute,
    If,
    Kernel,
    Kind,
    Load,
    Loop,
    Mask,
    Operand,
    Parallel,
    Prefetch,
    Register,
    Statement,
    Store,
)
from kerac.backends.llvm.kernel.regions import Outlined, has_region

LOCAL_ALIGNMENT = 64  # of buffers on the stack: the longest vectors


class Emitter:
    """Emits kernels as LLVM functions; collects the intrinsics that the module must declare."""

    def __init__(self, pool: str | None = None) -> None:
        """`pool` is where a pointer to the function lies that runs parallel regions, if any."""
        self.pool = pool
        self.declarations: dict[str, None] = {}
        self.lines: list[str] = []
        self._label = "entry"
        self._number = 0
        self._allocations: list[str] = []
        self._regions: list[Outlined] = []

    def function(self, kernel: Kernel, attributes: str) -> str:
        """The text of `void @name(ptr..., i64...)`, last `ptr` where it may run in parallel."""
        self.lines, self._label, self._number = [], "entry", 0
        self._allocations, self._regions, self._kernel = [], [], kernel
        buffers = self._locals(kernel)
        self._body(kernel.body)
        parameters = [f"ptr noalias nocapture %{p.name}" for p in kernel.pointers]
        parameters += [f"i64 %{register.name}" for register in kernel.dims.values()]
        parameters += ["ptr %.parallel"] * self.is_parallel(kernel)
        head = f"define internal void @{kernel.name}({', '.join(parameters)}) {attributes} {{"
        main = [head, "entry:", *buffers, *self._allocations, *self.lines, "  ret void", "}", ""]
        return "\n".join([*self._outlined(attributes), *main])

    def _locals(self, kernel: Kernel) -> list[str]:
        """Buffers on the stack; LLVM drops those that a function does not use."""
        return [
            f"  %{pointer.name} = alloca [{count} x {memory_type(pointer.dtype)}], "
            f"align {LOCAL_ALIGNMENT}"
            for pointer, count in kernel.locals.items()
        ]

    def is_parallel(self, kernel: Kernel) -> bool:
        """Whether the function of `kernel` takes a pointer that says how to run in parallel."""
        return self.pool is not None and has_region(kernel.body)

    def _outlined(self, attributes: str) -> Iterator[str]:
        for outlined in self._regions:
            self.lines, self._label, outer = [], "entry", self.lines
            self._body(outlined.region.body)
            yield from (
                outlined.part_head(attributes),
                "entry:",
                *self._locals(self._kernel),  # each thread has its own
                *self.lines,
                "  ret void",
                "}",
                "",
            )
            yield outlined.task_function(attributes)
            self.lines = outer

    def fresh(self, name: str = "x") -> str:
        """A name no kernel register has."""
        self._number += 1
        return f"%.{name}{self._number}"

    def line(self, text: str) -> None:
        """Append one instruction."""
        self.lines.append(f"  {text}")

    def assign(self, text: str) -> str:
        """Append `fresh = text` and return the name."""
        name = self.fresh()
        self.line(f"{name} = {text}")
        return name

    def call(self, intrinsic: str, result: str, arguments: list[tuple[str, str]]) -> str:
        """The call of an intrinsic, which is declared once."""
        types = ", ".join(type_ for type_, _ in arguments)
        self.declarations[f"declare {result} @{intrinsic}({types})"] = None
        return f"call {result} @{intrinsic}({', '.join(f'{t} {v}' for t, v in arguments)})"

    def operand(self, operand: Operand, kind: Kind) -> str:
        """A register's name or a number as a constant of `kind`."""
        if isinstance(operand, Register):
            return f"%{operand.name}"
        return constant(operand, kind)

    def _body(self, body: list[Statement]) -> None:
        for statement in body:
            match statement:
                case Compute():
                    self._compute(statement)
                case Load():
                    self._load(statement)
                case Store():
                    self._store(statement)
                case Prefetch():
                    self._prefetch(statement)
                case Loop():
                    self._loop(statement)
                case If():
                    self._if(statement)
                case Parallel():
                    self._parallel(statement)

    def _compute(self, compute: Compute) -> None:
        instruction: Instruction = INSTRUCTIONS[compute.operation]
        self.line(f"%{compute.result.name} = {instruction(self, compute)}")

    def _address(self, access: Load | Store) -> str:
        element = memory_type(access.pointer.dtype)
        place = self.operand(access.index, INDEX)
        # an address at which no lane is read or written may lie outside the array
        inside = " inbounds" if access.mask is None else ""
        return self.assign(
            f"getelementptr{inside} {element}, ptr %{access.pointer.name}, i64 {place}"
        )

    def _load(self, load: Load) -> None:
        kind, dtype = load.result.kind, load.pointer.dtype
        address = self._address(load)
        stored = Kind("u8", kind.lanes) if dtype == "bool" else kind
        type_ = llvm_type(stored)
        if load.mask is None:
            value = f"load {type_}, ptr {address}, align {BYTES[dtype]}"
        else:
            value = self._masked("load", stored, address, load.mask)
        if dtype == "bool":
            byte = self.assign(value)
            value = f"icmp ne {type_} {byte}, {constant(0, stored)}"
        self.line(f"%{load.result.name} = {value}")

    def _store(self, store: Store) -> None:
        dtype = store.pointer.dtype
        value = self.operand(store.value, store.kind)
        stored = store.kind
        if dtype == "bool":
            stored = Kind("u8", store.kind.lanes)
            value = self.assign(f"zext {llvm_type(store.kind)} {value} to {llvm_type(stored)}")
        address = self._address(store)
        if store.mask is None:
            self.line(f"store {llvm_type(stored)} {value}, ptr {address}, align {BYTES[dtype]}")
        else:
            self.line(self._masked("store", stored, address, store.mask, value))

    def _prefetch(self, prefetch: Prefetch) -> None:
        element = memory_type(prefetch.pointer.dtype)
        place = self.operand(prefetch.index, INDEX)
        address = self.assign(f"getelementptr {element}, ptr %{prefetch.pointer.name}, i64 {place}")
        # for reading, to be kept in the second level, data
        arguments = [("ptr", address), ("i32", "0"), ("i32", "2"), ("i32", "1")]
        self.line(self.call("llvm.prefetch.p0", "void", arguments))

    def _masked(self, what: str, kind: Kind, address: str, mask: Mask, value: str = "") -> str:
        type_, mask_type = llvm_type(kind), f"<{kind.lanes} x i1>"
        mask_text = (
            self.operand(mask, Kind("bool", kind.lanes))
            if isinstance(mask, Register)
            else _mask_text(mask)
        )
        alignment = ("i32", str(BYTES[kind.dtype]))
        suffix = f"v{kind.lanes}{_mangled(kind.dtype)}.p0"
        if what == "load":
            arguments = [
                ("ptr", address),
                alignment,
                (mask_type, mask_text),
                (type_, "zeroinitializer"),
            ]
            return self.call(f"llvm.masked.load.{suffix}", type_, arguments)
        arguments = [(type_, value), ("ptr", address), alignment, (mask_type, mask_text)]
        return self.call(f"llvm.masked.store.{suffix}", "void", arguments)

    def _loop(self, loop: Loop) -> None:
        """Guard, body, latch: the results are the initial values where the loop does not run."""
        self._number += 1
        name = f"{loop.index.name}.{self._number}"
        start, stop = self.operand(loop.start, INDEX), self.operand(loop.stop, INDEX)
        before = self._label
        runs = isinstance(loop.start, int) and isinstance(loop.stop, int) and loop.stop > loop.start
        if runs:
            self.line(f"br label %{name}.body")
        else:
            guard = self.assign(f"icmp slt i64 {start}, {stop}")
            self.line(f"br i1 {guard}, label %{name}.body, label %{name}.end")
        self._start(f"{name}.body")
        index = f"%{loop.index.name}"
        following_index = f"%{name}.next"
        phis = len(self.lines)
        self._body(loop.body)
        latch = self._label
        self.line(f"{following_index} = add nuw nsw i64 {index}, {loop.step}")
        again = self.assign(f"icmp slt i64 {following_index}, {stop}")
        self.line(f"br i1 {again}, label %{name}.body, label %{name}.end")
        heads = [f"  {index} = phi i64 [ {start}, %{before} ], [ {following_index}, %{latch} ]"]
        for register, initial, following in zip(
            loop.carried, loop.initial, loop.following, strict=True
        ):
            first, later = (
                self.operand(initial, register.kind),
                self.operand(following, register.kind),
            )
            phi = f"phi {llvm_type(register.kind)} [ {first}, %{before} ], [ {later}, %{latch} ]"
            heads.append(f"  %{register.name} = {phi}")
        self.lines[phis:phis] = heads
        self._start(f"{name}.end")
        for result, initial, following in zip(
            loop.results, loop.initial, loop.following, strict=True
        ):
            later = self.operand(following, result.kind)
            skipped = "" if runs else f", [ {self.operand(initial, result.kind)}, %{before} ]"
            self.line(
                f"%{result.name} = phi {llvm_type(result.kind)} [ {later}, %{latch} ]{skipped}"
            )

    def _if(self, statement: If) -> None:
        self._number += 1
        name = f"if.{self._number}"
        self.line(f"br i1 %{statement.condition.name}, label %{name}.then, label %{name}.end")
        self._start(f"{name}.then")
        self._body(statement.body)
        self.line(f"br label %{name}.end")
        self._start(f"{name}.end")

    def _parallel(self, region: Parallel) -> None:
        if self.pool is None:
            self.line(f"%{region.first.name} = add i64 0, 0")
            self.line(f"%{region.last.name} = add i64 {self.operand(region.total, INDEX)}, 0")
            self._body(region.body)
            return
        outlined = Outlined(self._kernel, region, len(self._regions))
        self._regions.append(outlined)
        data = self.fresh("data")
        self._allocations.append(f"  {data} = alloca {outlined.memory}")
        label = data[1:]
        self.lines += outlined.launch(self, self.pool, data, label)
        self._start(f"{label}.end")

    def _start(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self._label = label


def _mask_text(mask: tuple[bool, ...] | None) -> str:
    return f"<{', '.join('i1 true' if lane else 'i1 false' for lane in mask or ())}>"


def _mangled(dtype: str) -> str:
    return dtype if dtype in ("f32", "f64") else memory_type(dtype)
