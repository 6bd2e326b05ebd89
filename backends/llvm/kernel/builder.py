"""Building kernels: each method appends a statement and returns its register; numbers fold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from kerac.backends.llvm.kernel.control import ControlFlow
from kerac.backends.llvm.kernel.narrow import narrowed, widened
from kerac.backends.llvm.kernel.nodes import (
    INDEX,
    Compute,
    Index,
    Kind,
    Load,
    Mask,
    Operand,
    Pointer,
    Prefetch,
    Register,
    Role,
    Store,
)
from kerac.ir.dims import Dim, DimLike
from kerac.ir.errors import InternalError
from kerac.ir.types import NARROW, computing_dtype


class KernelBuilder(ControlFlow):
    """A kernel under construction. `lanes` is the number of f32 lanes of the target's vectors.

    `abilities` names what the target does in one instruction: "scale" multiplies by a power of
    two, "half" converts between f16 and f32, "round" rounds to an integer.
    """

    def __init__(self, name: str, lanes: int, abilities: Collection[str] = ()) -> None:
        super().__init__(name, lanes)
        self.abilities = abilities

    def pointer(self, name: str, dtype: str, role: Role) -> Pointer:
        """A new parameter."""
        pointer = Pointer(self._fresh(name), dtype, role)
        self.kernel.pointers.append(pointer)
        return pointer

    def local(self, name: str, dtype: str, count: int) -> Pointer:
        """A buffer of `count` elements, not more than a few kilobytes, for each thread alone."""
        pointer = Pointer(self._fresh(name), dtype, "local")
        self.kernel.locals[pointer] = count
        return pointer

    def dim(self, dim: DimLike) -> Index:
        """A dimension as an index: a number, or computed from the symbols the kernel is given."""
        if not isinstance(dim, Dim):
            return dim
        total: Index = 0
        for monomial, coefficient in dim.terms:
            product: Index = coefficient
            for atom in monomial:
                if isinstance(atom, str):
                    factor: Index = self._symbol(atom)
                else:
                    factor = self.quotient(self.dim(atom.numerator), atom.denominator)
                product = self.multiply(product, factor)
            total = self.add(total, product)
        return total

    def _symbol(self, name: str) -> Register:
        if name not in self.kernel.dims:
            self.kernel.dims[name] = self._register(name, INDEX)
        return self.kernel.dims[name]

    def load(self, pointer: Pointer, index: Index, lanes: int = 1, mask: Mask = None) -> Register:
        """`lanes` elements from `pointer[index]` on."""
        result = self._register("v" if lanes > 1 else "s", Kind(pointer.dtype, lanes))
        self._block.append(Load(result, pointer, index, mask))
        return result

    def store(
        self, pointer: Pointer, index: Index, value: Operand, mask: Mask = None, lanes: int = 1
    ) -> None:
        """Write `value`, which has the pointer's dtype; `lanes` matters only for a number."""
        kind = value.kind if isinstance(value, Register) else Kind(pointer.dtype, lanes)
        if kind.dtype != pointer.dtype:
            raise InternalError(f"{kind} is stored to {pointer.name}, which holds {pointer.dtype}")
        self._block.append(Store(pointer, index, value, kind, mask))

    def prefetch(self, pointer: Pointer, index: Index) -> None:
        """Bring the cache line of `pointer[index]`, which may lie outside, to the second level."""
        self._block.append(Prefetch(pointer, index))

    def compute(self, operation: str, *operands: Operand, result: Kind | None = None) -> Register:
        """Append an operation; scalar operands are spread over the lanes of the widest one."""
        kind = self._common(operands)
        if kind.dtype in NARROW and operation not in ("convert", "bitcast"):
            # in f32, and rounded
            return self._computed_wide(operation, operands, result or kind)
        spread = tuple(self._spread(operand, kind.lanes) for operand in operands)
        register = self._register("t", result or kind)
        self._block.append(Compute(register, operation, spread, kind))
        return register

    def _computed_wide(self, operation: str, operands: Sequence[Operand], result: Kind) -> Register:
        wide = [self.convert(x, "f32") if isinstance(x, Register) else x for x in operands]
        if result.dtype not in NARROW:
            return self.compute(operation, *wide, result=result)
        return self.convert(
            self.compute(operation, *wide, result=Kind("f32", result.lanes)), result.dtype
        )

    def _common(self, operands: Sequence[Operand]) -> Kind:
        kinds = [operand.kind for operand in operands if isinstance(operand, Register)]
        if not kinds:
            return INDEX if all(isinstance(operand, int) for operand in operands) else Kind("f32")
        dtypes = {kind.dtype for kind in kinds}
        if len(dtypes) > 1:
            raise InternalError(f"operands of different dtypes: {', '.join(map(str, kinds))}")
        return Kind(kinds[0].dtype, max(kind.lanes for kind in kinds))

    def _spread(self, operand: Operand, lanes: int) -> Operand:
        if not isinstance(operand, Register) or operand.kind.lanes == lanes:
            return operand
        return self.broadcast(operand, lanes)

    def broadcast(self, scalar: Register, lanes: int) -> Register:
        """The scalar in every lane."""
        if lanes == 1:
            return scalar
        register = self._register("b", scalar.kind.with_lanes(lanes))
        self._block.append(Compute(register, "broadcast", (scalar,), scalar.kind))
        return register

    def number(self, value: float, kind: Kind) -> Register:
        """A register that holds a number in every lane."""
        register = self._register("n", kind)
        self._block.append(Compute(register, "number", (value,), kind))
        return register

    def add(self, x: Operand, y: Operand) -> Any:
        """x + y."""
        if not isinstance(x, Register) and not isinstance(y, Register):
            return x + y
        if _is_index(x, y):
            if isinstance(x, int):
                x, y = y, x
            if isinstance(y, int) and y == 0:
                return x
        return self.compute("add", x, y)

    def subtract(self, x: Operand, y: Operand) -> Any:
        """x - y."""
        if not isinstance(x, Register) and not isinstance(y, Register):
            return x - y
        if _is_index(x, y) and isinstance(y, int):
            return self.add(x, -y)
        return self.compute("subtract", x, y)

    def multiply(self, x: Operand, y: Operand) -> Any:
        """x * y."""
        if not isinstance(x, Register) and not isinstance(y, Register):
            return x * y
        if _is_index(x, y):
            if isinstance(x, int):
                x, y = y, x
            if isinstance(y, int) and y in (0, 1):
                return x if y else 0
        return self.compute("multiply", x, y)

    def divide(self, x: Operand, y: Operand) -> Any:
        """x / y in floating point."""
        return self.compute("divide", x, y)

    def quotient(self, x: Operand, y: Operand) -> Any:
        """x // y of indices that are not negative."""
        if isinstance(x, int) and isinstance(y, int):
            return x // y
        return x if isinstance(y, int) and y == 1 else self.compute("quotient", x, y)

    def remainder(self, x: Operand, y: Operand) -> Any:
        """x % y of indices that are not negative."""
        if isinstance(x, int) and isinstance(y, int):
            return x % y
        return 0 if isinstance(y, int) and y == 1 else self.compute("remainder", x, y)

    def negate(self, x: Register) -> Register:
        """-x."""
        return self.compute("negate", x) if x.kind.is_float else self.compute("subtract", 0, x)

    def fma(self, x: Operand, y: Operand, z: Operand) -> Register:
        """x * y + z, rounded once where the target can."""
        return self.compute("fma", x, y, z)

    def scale(self, x: Register, n: Register) -> Any:
        """x * 2^n for f32 x and i32 n from -254 to 254."""
        if "scale" in self.abilities:
            register = self._register("t", x.kind)
            self._block.append(Compute(register, "scale", (x, n), x.kind))
            return register
        # in two steps, so that neither factor leaves the range of exponents
        half = self.compute("shift_right", n, 1)
        for part in (half, n - half):
            x = x * self.bitcast(self.compute("shift_left", part, 23) + 0x3F800000, "f32")
        return x

    def compare(self, predicate: str, x: Operand, y: Operand) -> Any:
        """`predicate` is (not_)equal, less(_equal) or greater(_equal), which NaN makes false."""
        if not isinstance(x, Register) and not isinstance(y, Register):
            return _COMPARE[predicate](x, y)
        kind = self._common((x, y))
        return self.compute(predicate, x, y, result=Kind("bool", kind.lanes))

    def select(self, condition: Operand, x: Operand, y: Operand, kind: Kind | None = None) -> Any:
        """x in lanes where the condition holds, else y; `kind` is needed where both are numbers."""
        if not isinstance(condition, Register):
            return x if condition else y
        values = (
            self._common((x, y)) if isinstance(x, Register) or isinstance(y, Register) else kind
        )
        if values is None:
            raise InternalError("a select between two numbers needs a kind")
        lanes = max(condition.kind.lanes, values.lanes)
        spread = tuple(self._spread(operand, lanes) for operand in (condition, x, y))
        register = self._register("t", values.with_lanes(lanes))
        self._block.append(Compute(register, "select", spread, values.with_lanes(lanes)))
        return register

    def convert(self, x: Register, dtype: str) -> Register:
        """x in another dtype: floats truncated towards zero and clamped, bool as 0 or 1."""
        source = x.kind.dtype
        if source == dtype:
            return x
        if (source in NARROW and dtype != "f32") or (dtype in NARROW and source != "f32"):
            return self.convert(self.convert(x, "f32"), dtype)
        if source in NARROW and not self._converts(source):
            return widened(self, x)
        if dtype in NARROW and not self._converts(dtype):
            return narrowed(self, x, dtype)
        return self.compute("convert", x, result=Kind(dtype, x.kind.lanes))

    def widened(self, x: Register) -> Register:
        """x in the dtype to compute with."""
        return self.convert(x, computing_dtype(x.kind.dtype))

    def _converts(self, dtype: str) -> bool:
        """Whether the target converts between `dtype` and f32."""
        return dtype == "f16" and "half" in self.abilities

    def bitcast(self, x: Register, dtype: str) -> Register:
        """The same bits as another dtype of the same size."""
        return self.compute("bitcast", x, result=Kind(dtype, x.kind.lanes))

    def minimum(self, x: Operand, y: Operand) -> Any:
        """The smaller one; NaN where either is."""
        return self._extreme("minimum", "less", x, y)

    def maximum(self, x: Operand, y: Operand) -> Any:
        """The larger one; NaN where either is."""
        return self._extreme("maximum", "greater", x, y)

    def _extreme(self, operation: str, predicate: str, x: Operand, y: Operand) -> Any:
        if isinstance(x, Register):
            if isinstance(y, Register) or not x.kind.is_float:
                return self.compute(operation, x, y)
            # y cannot be NaN, and a select that keeps x is one instruction
            return self.select(self.compare(predicate, y, x), y, x)
        if isinstance(y, Register):
            return self._extreme(operation, predicate, y, x)
        return (min if operation == "minimum" else max)(x, y)

    def reduce(self, operation: str, x: Register) -> Register:
        """One scalar from all lanes: `operation` is add, multiply, maximum or minimum."""
        if x.kind.lanes == 1:
            return x
        return self.compute(f"reduce_{operation}", x, result=x.kind.with_lanes(1))

    def extract(self, x: Register, lane: int) -> Register:
        """The scalar in one lane."""
        if x.kind.lanes == 1:
            return x
        register = self._register("s", x.kind.with_lanes(1))
        self._block.append(Compute(register, "extract", (x, lane), x.kind))
        return register

    def insert(self, x: Register, scalar: Register, lane: int) -> Register:
        """x with another scalar in one lane."""
        register = self._register("v", x.kind)
        self._block.append(Compute(register, "insert", (x, scalar, lane), x.kind))
        return register

    def shuffle(self, x: Register, y: Register | None, picks: Sequence[int]) -> Register:
        """One lane for each of `picks`, which count through x's lanes, then y's; -1 is anything."""
        register = self._register("v", x.kind.with_lanes(len(picks)))
        self._block.append(Compute(register, "shuffle", (x, x if y is None else y, *picks), x.kind))
        return register

    def keep(self, mask: Mask, x: Register, other: float) -> Register:
        """x in the lanes where the mask holds, else a number."""
        if mask is None:
            return x
        if isinstance(mask, tuple):
            register = self._register("m", Kind("bool", len(mask)))
            self._block.append(Compute(register, "mask", mask, register.kind))
            mask = register
        kept: Register = self.select(mask, x, other)
        return kept

    def tail_mask(self, remaining: Index, lanes: int) -> Mask:
        """A mask of the first `remaining` lanes; None where all are."""
        if isinstance(remaining, int):
            return None if remaining >= lanes else tuple(lane < remaining for lane in range(lanes))
        if lanes == 1:
            return None
        register = self._register("m", Kind("bool", lanes))
        self._block.append(Compute(register, "tail_mask", (remaining,), INDEX))
        return register


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "equal": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
}


def _is_index(x: Operand, y: Operand) -> bool:
    return all(
        isinstance(o, int) if not isinstance(o, Register) else o.kind == INDEX for o in (x, y)
    )
