"""From a graph to a plan: each op's file registers how it is lowered; here is what they share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kerac.backends.llvm.grouping import ALIASES, Group, group_elementwise, storage
from kerac.backends.llvm.in_place import place_updates
from kerac.backends.llvm.kernel import Index, Kernel, KernelBuilder, Mask, Pointer, Register
from kerac.backends.llvm.kernel.mathematics import KernelMathematics
from kerac.backends.llvm.pieces import Piece, Pieces
from kerac.backends.llvm.plan import Buffer, Later, Launch, Plan
from kerac.backends.llvm.pointwise import Position, evaluate_members, offset
from kerac.backends.llvm.schedules import Schedules
from kerac.backends.llvm.target import Target
from kerac.ir.dims import known_dim
from kerac.ir.errors import UnsupportedError
from kerac.ir.graph import Graph, Value
from kerac.ir.op import Op
from kerac.ir.ops.constant import Constant, Input, Item, Parameter
from kerac.ir.ops.elementwise import Elementwise
from kerac.ir.types import TensorType, type_of

Lower = Callable[["Lowering", Group], None]
LOWERINGS: dict[type[Op], Lower] = {}
WITHOUT_EPILOGUE: set[type[Op]] = set()
READS_PIECES: dict[type[Op], Collection[int]] = {}
ALL = range(1 << 30)  # operands
LINE = 64  # bytes of a line of a cache


def lowers(
    *ops: type[Op], epilogue: bool = True, reads_pieces: Collection[int] = ()
) -> Callable[[Lower], Lower]:
    """Register the function that lowers `ops`; with `epilogue` every element ends in `finish`.

    `reads_pieces` are the numbers of the operands of which it does not expect that rows of the last
    axis follow one another.
    """

    def register(function: Lower) -> Lower:
        for op in ops:
            LOWERINGS[op] = function
            READS_PIECES[op] = reads_pieces
            if not epilogue:
                WITHOUT_EPILOGUE.add(op)
        return function

    return register


class GroupKernel(KernelBuilder):
    """The builder of a group's kernel: pointers come from values, results leave by `finish`."""

    def __init__(self, lowering: Lowering, group: Group, name: str) -> None:
        super().__init__(name, lowering.target.lanes(), lowering.target.abilities)
        self.lowering = lowering
        self.target = lowering.target
        self.group = group
        self.mathematics = KernelMathematics(self)
        self._pointers: dict[Buffer, Pointer] = {}

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """The buffers behind the pointers, in order."""
        return tuple(self._pointers)

    def read(self, source: Value | Buffer) -> Pointer:
        """A pointer to what a value, or a buffer of this group, holds."""
        return self._pointer(source, "in")

    def pitch(self, source: Value | Buffer) -> int | None:
        """Elements from row to row of the last axis of a piece; None where rows are dense."""
        return (source if isinstance(source, Buffer) else self.lowering.buffer(source)).pitch

    def row_pitch(self, source: Value) -> Index:
        """Elements from row to row of the last axis."""
        pitch = self.pitch(source)
        return self.dim(source.shape[-1]) if pitch is None else pitch

    def write(self, target: Value | Buffer) -> Pointer:
        """A pointer to where a value, or a buffer of this group, goes."""
        return self._pointer(target, "out")

    def _pointer(self, source: Value | Buffer, role: Any) -> Pointer:
        buffer = source if isinstance(source, Buffer) else self.lowering.buffer(source)
        if buffer not in self._pointers:
            name = {"in": "x", "out": "y"}[role] if isinstance(source, Value) else buffer.name
            self._pointers[buffer] = self.pointer(name, buffer.type.dtype, role)
        elif role == "out" and self._pointers[buffer].role == "in":
            pointer = replace(self._pointers[buffer], role="scratch")
            self.kernel.pointers[self.kernel.pointers.index(self._pointers[buffer])] = pointer
            self._pointers[buffer] = pointer
        return self._pointers[buffer]

    def finish(self, value: Register, position: Position, mask: Mask = None) -> None:
        """Do the group's elementwise work on the anchor's `value` at `position`; write the root."""
        self.finish_group(self.group, value, position, mask)

    def finish_group(
        self, group: Group, value: Register, position: Position, mask: Mask = None
    ) -> None:
        """The same for one of several groups that a kernel computes.

        A value that is wider than the anchor's dtype is rounded first.
        """
        if group.anchor is not None:
            value = self.convert(value, group.anchor.dtype)
        result = evaluate_members(self, group, value, position, value.kind.lanes, mask)
        self.write_root(result, position, mask, group)

    def write_root(
        self, value: Register, position: Position, mask: Mask = None, group: Group | None = None
    ) -> None:
        """Write the root's `value` at `position`."""
        root = (group or self.group).root
        place = offset(self, position, root.shape, root.shape, self.pitch(root))
        self.store(self.write(root), place, value, mask)


class Lowering:
    """A graph on its way to a plan."""

    def __init__(
        self,
        graph: Graph,
        target: Target,
        packed: dict[tuple[Any, ...], Any] | None = None,
        schedules: Schedules | None = None,
        best: Target | None = None,
    ) -> None:
        """`packed` holds what was made of the graph's constants, also for other targets.

        `schedules` says what is chosen where there is a choice; without them heuristics do. Where a
        choice changes constants that several targets share, it is what suits the `best` of them.
        """
        self.graph = graph
        self.target = target
        self.best = target if best is None else best
        self.plan = Plan(graph)
        self._buffers: dict[Value, Buffer] = {}
        self._kernels: dict[str, Kernel] = {}
        self._outputs: dict[Value, int] = {}
        self._replacing = {output: input_ for input_, output in graph.updates}
        self._in_place: Mapping[Value, Value] = {}
        self.waiting: list[Group] = []
        self._made: set[Value] = set()
        self.pieces: Mapping[Value, Piece] = {}
        self._apart: set[Value] = set()
        self.wide: dict[Value, Value] = {}
        """Copies in f32 of values of narrow dtypes."""
        self._constants: dict[tuple[int, str], Buffer] = {}
        self.packed = {} if packed is None else packed
        self.schedules = Schedules() if schedules is None else schedules

    def run(self) -> Plan:
        """Lower everything."""
        self._refuse_unsupported()
        for number, value in enumerate(self.graph.outputs):
            self._outputs.setdefault(storage(value), number)
        groups = group_elementwise(self.graph, self._takes_epilogue)
        groups, self._in_place = place_updates(self.graph, groups)
        self._find_pieces(groups)
        self.waiting = groups
        while self.waiting:
            group = self.waiting.pop(0)
            piece = self.pieces.get(group.root)
            if piece is not None and piece.whole in group.root.operands:
                self._made.update(group.members)
                continue  # read where it lies
            lower = LOWERINGS[Elementwise if group.anchor is None else type(group.anchor.op)]
            lower(self, group)
            self._made.update(group.members)
        self._copy_outputs()
        self.plan.drop_unread()
        return self.plan

    def take(self, group: Group) -> Group:
        """A waiting group, to be lowered together with another one."""
        self.waiting.remove(group)
        self._made.update(group.members)
        return group

    def reads_alone(self, value: Value, reader: Group) -> bool:
        """Whether a waiting group is all that reads `value`, and all else that it reads is there.

        Then one kernel may compute both.
        """
        made = storage(value) is value and value not in (*self._outputs, *self.pieces)
        only = list(self.graph.consumers[value]) == [reader.anchor]
        return made and only and self.can_take(reader, without=value)

    def can_take(self, group: Group, without: Value | None = None) -> bool:
        """Whether all that a waiting group reads is there, but for one value."""
        operands = {operand for member in group.members for operand in member.operands}
        for operand in operands - {*group.members, without}:
            root = storage(operand)
            made = root.operands[0] if isinstance(root.op, Item) else root
            if made not in self._made and not isinstance(made.op, (Input, Constant, Parameter)):
                return False
        return True

    def _refuse_unsupported(self) -> None:
        missing = {
            value.op.text_name: str(value.origin)
            for value in self.graph.values
            if type(value.op) not in LOWERINGS
            and not isinstance(value.op, (Elementwise, Input, Constant, Parameter, Item, *ALIASES))
        }
        if missing:
            raise UnsupportedError(
                f"native code: no lowering for {', '.join(missing)}",
                details=tuple(
                    f"{name} in {origin or 'the graph'}" for name, origin in missing.items()
                ),
            )

    def _takes_epilogue(self, value: Value) -> bool:
        return type(value.op) in LOWERINGS and type(value.op) not in WITHOUT_EPILOGUE

    def _find_pieces(self, groups: Sequence[Group]) -> None:
        written = {
            group.root
            for group in groups
            if group.anchor is None or self._takes_epilogue(group.anchor)
        }
        pieces = Pieces(
            self.graph,
            lambda value: READS_PIECES.get(type(value.op), ()),
            written,
            self.target.lanes(),
        )
        self.pieces = pieces.find(groups)
        self._apart = pieces.find_apart() - set(self._in_place)

    def _copy_outputs(self) -> None:
        """Outputs that share memory with an input, a constant or another output are copied."""
        from kerac.backends.llvm.elementwise import copy_array

        copies = []
        for number, value in enumerate(self.graph.outputs):
            source = self.buffer(value)
            if number in self._replacing:
                target = self.buffer(self.graph.inputs[self._replacing[number]])
                if source is not target:
                    copies.append((value, source, target))
            elif source.place != "output" or source.number != number:
                target = Buffer("output", value.tensor_type, "output", number)
                copy_array(self, value, source, target)
        # all old values are read before the first of them is overwritten
        written = {target for _, _, target in copies}
        for place, (value, source, target) in enumerate(copies):
            if source in written:
                kept = self.scratch(value.tensor_type, "kept")
                copy_array(self, value, source, kept)
                copies[place] = (value, kept, target)
        for value, source, target in copies:
            copy_array(self, value, source, target)

    def buffer(self, value: Value) -> Buffer:
        """Where `value` is kept."""
        root = storage(value)
        if root not in self._buffers:
            self._buffers[root] = self._place(root)
        return self._buffers[root]

    def _place(self, root: Value) -> Buffer:
        type_ = root.tensor_type
        if isinstance(root.op, Input):
            return Buffer(root.name, type_, "input", self.graph.inputs.index(root))
        if isinstance(root.op, Constant | Parameter):
            return self.constant(root.op.data.array, root.name)
        if root in self._in_place:
            return self.buffer(self._in_place[root])
        if root in self.pieces:
            piece = self.pieces[root]
            whole, width = self.buffer(piece.whole), known_dim(piece.whole.shape[-1])
            pitch = width if whole.pitch is None else whole.pitch
            return whole.piece(root.name, type_, piece.start, pitch)
        if root in self._outputs and self._outputs[root] not in self._replacing:
            return Buffer(root.name, type_, "output", self._outputs[root])
        if root in self._apart:
            pitch = known_dim(root.shape[-1]) + LINE // type_.numpy_dtype.itemsize
            whole = Buffer(root.name, type_.with_shape((*root.shape[:-1], pitch)), "arena")
            return whole.piece(root.name, type_, 0, pitch)
        return Buffer(root.name, type_, "arena")

    def write_over(self, result: Value, operand: Value, reader: Value) -> None:
        """Let `result` take the memory of an operand, where `reader` alone reads that.

        The kernel must read each element before it writes the one at the same place.
        """
        alone = all(user is reader for user in self.graph.consumers[operand])
        if alone and isinstance(operand.op, Item) and result.type == operand.type:
            buffer, own = self.buffer(operand), self.buffer(result)
            if buffer.place == own.place == "arena" and buffer.pitch is own.pitch is None:
                self._buffers[result] = buffer

    def constant(self, array: np.ndarray | Later, name: str) -> Buffer:
        """A buffer of the weights section that holds `array`, which must not change any more."""
        key = (id(array), name)
        if key not in self._constants:
            type_ = array.type if isinstance(array, Later) else type_of(array)
            self._constants[key] = Buffer(name, type_, "constant", array=array)
        return self._constants[key]

    def scratch(self, type_: TensorType, name: str) -> Buffer:
        """A buffer for what passes between the kernels of one group."""
        return Buffer(name, type_, "arena")

    def kernel(self, group: Group, name: str = "") -> GroupKernel:
        """Begin a kernel; give it to `launch` when it is built."""
        return GroupKernel(self, group, name or group.name)

    def launch(self, k: GroupKernel, *also: Group) -> None:
        """Run the kernel at this place of the plan; equal kernels are kept once.

        It computes its group, and perhaps more.
        """
        text = str(k.kernel).partition("(")[2]
        known = self._kernels.get(text)
        if known is None:
            k.kernel.name = f"{k.kernel.name}_{len(self._kernels)}"
            known = self._kernels[text] = k.kernel
        members = (*k.group.members, *(member for group in also for member in group.members))
        self.plan.launches.append(Launch(known, k.buffers, members))


def lower_graph(graph: Graph, target: Target, schedules: Schedules | None = None) -> Plan:
    """The plan of `graph` for `target`, by `schedules` that were found for it."""
    return lower_variants(graph, [target], schedules)[target]


def lower_variants(
    graph: Graph, targets: Sequence[Target], schedules: Schedules | None = None
) -> dict[Target, Plan]:
    """The plan of `graph` for each target, the best one last.

    They share all constants that do not depend on it.
    """
    from kerac.backends.llvm import lowerings

    lowerings.register_all()
    packed: dict[tuple[Any, ...], Any] = {}
    best = targets[-1]
    return {target: Lowering(graph, target, packed, schedules, best).run() for target in targets}
