"""What each kernel operation is in LLVM IR: one row an operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kerac.backends.llvm.kernel.llvm_types import BYTES, SCALARS, constant, llvm_type
from kerac.backends.llvm.kernel.nodes import INDEX, Compute, Kind
from kerac.ir.errors import InternalError

if TYPE_CHECKING:
    from kerac.backends.llvm.kernel.emit import Emitter

Instruction = Callable[["Emitter", Compute], str]

ARITHMETIC = {
    # operation: (float instruction, signed, unsigned)
    "add": ("fadd", "add nsw", "add"),
    "subtract": ("fsub", "sub nsw", "sub"),
    "multiply": ("fmul", "mul nsw", "mul"),
    "divide": ("fdiv", "sdiv", "udiv"),
    "quotient": (None, "udiv", "udiv"),
    "remainder": ("frem", "urem", "urem"),
    "signed_quotient": (None, "sdiv", "udiv"),
    "signed_remainder": (None, "srem", "urem"),
    "and": (None, "and", "and"),
    "or": (None, "or", "or"),
    "xor": (None, "xor", "xor"),
    "shift_left": (None, "shl", "shl"),
    "shift_right": (None, "ashr", "lshr"),
}
INTRINSICS = {
    # operation: (float intrinsic, signed, unsigned)
    "minimum": ("minimum", "smin", "umin"),
    "maximum": ("maximum", "smax", "umax"),
    "absolute": ("fabs", None, None),
    "sqrt": ("sqrt", None, None),
    "floor": ("floor", None, None),
    "ceil": ("ceil", None, None),
    "round": ("roundeven", None, None),
    "copysign": ("copysign", None, None),
    "fma": ("fmuladd", None, None),
    # scalar calls of libm, for dtypes that have no vector polynomial
    "exp": ("exp", None, None),
    "log": ("log", None, None),
    "sin": ("sin", None, None),
    "cos": ("cos", None, None),
    "power": ("pow", None, None),
}
COMPARISONS = {
    # operation: (float predicate, signed, unsigned)
    "equal": ("oeq", "eq", "eq"),
    "not_equal": ("une", "ne", "ne"),
    "less": ("olt", "slt", "ult"),
    "less_equal": ("ole", "sle", "ule"),
    "greater": ("ogt", "sgt", "ugt"),
    "greater_equal": ("oge", "sge", "uge"),
}
REDUCTIONS = {
    # operation: (float reduction, signed, unsigned)
    "reduce_add": ("fadd", "add", "add"),
    "reduce_multiply": ("fmul", "mul", "mul"),
    "reduce_minimum": ("fminimum", "smin", "umin"),
    "reduce_maximum": ("fmaximum", "smax", "umax"),
    "reduce_or": (None, "or", "or"),
    "reduce_and": (None, "and", "and"),
}


def _choose(row: tuple[str | None, str | None, str | None], kind: Kind, operation: str) -> str:
    name = row[0] if kind.is_float else row[2] if kind.is_unsigned else row[1]
    if name is None:
        raise InternalError(f"the kernel operation {operation} does not exist for {kind}")
    return name


def _arithmetic(emit: Emitter, compute: Compute) -> str:
    name = _choose(ARITHMETIC[compute.operation], compute.kind, compute.operation)
    left, right = (emit.operand(operand, compute.kind) for operand in compute.operands)
    if compute.kind != INDEX:
        name = name.removesuffix(" nsw")
    return f"{name} {llvm_type(compute.kind)} {left}, {right}"


def _suffix(kind: Kind) -> str:
    scalar = kind.dtype if kind.is_float else SCALARS[kind.dtype]
    return scalar if kind.lanes == 1 else f"v{kind.lanes}{scalar}"


def _intrinsic(emit: Emitter, compute: Compute) -> str:
    name = _choose(INTRINSICS[compute.operation], compute.kind, compute.operation)
    type_ = llvm_type(compute.kind)
    arguments = [(type_, emit.operand(operand, compute.kind)) for operand in compute.operands]
    call = emit.call(f"llvm.{name}.{_suffix(compute.kind)}", type_, arguments)
    # which zero is the larger one does not matter, and asking for it costs several instructions
    return call.replace("call ", "call nsz ", 1) if name in ("minimum", "maximum") else call


def _comparison(emit: Emitter, compute: Compute) -> str:
    predicate = _choose(COMPARISONS[compute.operation], compute.kind, compute.operation)
    left, right = (emit.operand(operand, compute.kind) for operand in compute.operands)
    instruction = "fcmp" if compute.kind.is_float else "icmp"
    return f"{instruction} {predicate} {llvm_type(compute.kind)} {left}, {right}"


def _reduction(emit: Emitter, compute: Compute) -> str:
    """A fixed tree: halves are combined until one lane is left, whatever the compiler does."""
    kind = compute.kind
    name = _choose(REDUCTIONS[compute.operation], kind, compute.operation)
    value = emit.operand(compute.operands[0], kind)
    flags = {"fadd": "reassoc ", "fmul": "reassoc ", "fminimum": "nsz ", "fmaximum": "nsz "}.get(
        name, ""
    )
    arguments = [(llvm_type(kind), value)]
    if name in ("fadd", "fmul"):
        start = "0x8000000000000000" if name == "fadd" else "1.0"
        arguments.insert(0, (llvm_type(kind.with_lanes(1)), start))
    call = emit.call(
        f"llvm.vector.reduce.{name}.{_suffix(kind)}", llvm_type(kind.with_lanes(1)), arguments
    )
    return call.replace("call ", f"call {flags}", 1)


def _select(emit: Emitter, compute: Compute) -> str:
    condition, x, y = compute.operands
    kind = compute.kind
    boolean = Kind("bool", kind.lanes)
    return (
        f"select {llvm_type(boolean)} {emit.operand(condition, boolean)}, "
        f"{llvm_type(kind)} {emit.operand(x, kind)}, {llvm_type(kind)} {emit.operand(y, kind)}"
    )


def _convert(emit: Emitter, compute: Compute) -> str:
    source, target = compute.kind, compute.result.kind
    value = emit.operand(compute.operands[0], source)
    types = f"{llvm_type(source)} {value} to {llvm_type(target)}"
    if target.dtype == "bool":
        comparison = "fcmp une" if source.is_float else "icmp ne"
        return f"{comparison} {llvm_type(source)} {value}, {constant(0, source)}"
    if "f16" in (source.dtype, target.dtype):
        return _convert_half(emit, value, source, target)
    if source.is_float and target.is_float:
        return f"{'fpext' if source.dtype == 'f32' else 'fptrunc'} {types}"
    if source.is_float:
        return _to_integer(emit, value, source, target)
    if target.is_float:
        return f"{'uitofp' if source.is_unsigned else 'sitofp'} {types}"
    if source.dtype != "bool" and BYTES[source.dtype] >= BYTES[target.dtype]:
        same = BYTES[source.dtype] == BYTES[target.dtype]
        return f"{'bitcast' if same else 'trunc'} {types}"
    return f"{'zext' if source.is_unsigned else 'sext'} {types}"


def _convert_half(emit: Emitter, value: str, source: Kind, target: Kind) -> str:
    """Between f32 and the bits of f16."""
    lanes = "half" if source.lanes == 1 else f"<{source.lanes} x half>"
    if source.dtype == "f16":
        half = emit.assign(f"bitcast {llvm_type(source)} {value} to {lanes}")
        return f"fpext {lanes} {half} to {llvm_type(target)}"
    half = emit.assign(f"fptrunc {llvm_type(source)} {value} to {lanes}")
    return f"bitcast {lanes} {half} to {llvm_type(target)}"


def _to_integer(emit: Emitter, value: str, source: Kind, target: Kind) -> str:
    """Truncated towards zero and clamped; NaN becomes the lowest integer.

    LLVM's own saturation would go lane by lane.
    """
    bits = 8 * BYTES[target.dtype]
    low = 0 if target.is_unsigned else -(2 ** (bits - 1))
    high = low + 2**bits - 1
    digits = 24 if source.dtype == "f32" else 53
    # the largest float that is not above `high`
    top = high if bits <= digits else (high + 1) - (high + 1 >> digits)
    type_, boolean = llvm_type(source), llvm_type(Kind("bool", source.lanes))
    least, most = constant(low, source), constant(top, source)
    above = emit.assign(f"fcmp ogt {type_} {value}, {least}")
    clamped = emit.assign(f"select {boolean} {above}, {type_} {value}, {type_} {least}")
    below = emit.assign(f"fcmp olt {type_} {clamped}, {most}")
    clamped = emit.assign(f"select {boolean} {below}, {type_} {clamped}, {type_} {most}")
    name, through = "fptoui" if target.is_unsigned else "fptosi", target
    if bits < 32:
        name, through = "fptosi", Kind("i32", target.lanes)
    number = f"{name} {type_} {clamped} to {llvm_type(through)}"
    if through != target:
        return f"trunc {llvm_type(through)} {emit.assign(number)} to {llvm_type(target)}"
    if top == high:
        return number
    number = emit.assign(number)
    huge = emit.assign(f"fcmp ogt {type_} {value}, {most}")
    highest = f"{llvm_type(target)} {constant(high, target)}"
    return f"select {boolean} {huge}, {highest}, {llvm_type(target)} {number}"


def _bitcast(emit: Emitter, compute: Compute) -> str:
    value = emit.operand(compute.operands[0], compute.kind)
    return f"bitcast {llvm_type(compute.kind)} {value} to {llvm_type(compute.result.kind)}"


def _negate(emit: Emitter, compute: Compute) -> str:
    return f"fneg {llvm_type(compute.kind)} {emit.operand(compute.operands[0], compute.kind)}"


def _broadcast(emit: Emitter, compute: Compute) -> str:
    scalar, kind = compute.kind, compute.result.kind
    value = emit.operand(compute.operands[0], scalar)
    first = emit.assign(
        f"insertelement {llvm_type(kind)} poison, {llvm_type(scalar)} {value}, i64 0"
    )
    vectors = f"{llvm_type(kind)} {first}, {llvm_type(kind)} poison"
    return f"shufflevector {vectors}, <{kind.lanes} x i32> zeroinitializer"


def _number(emit: Emitter, compute: Compute) -> str:
    kind = compute.kind
    value = emit.operand(compute.operands[0], kind)
    return f"bitcast {llvm_type(kind)} {value} to {llvm_type(kind)}"


def _extract(emit: Emitter, compute: Compute) -> str:
    vector, lane = compute.operands
    return (
        f"extractelement {llvm_type(compute.kind)} {emit.operand(vector, compute.kind)}, i64 {lane}"
    )


def _insert(emit: Emitter, compute: Compute) -> str:
    vector, scalar, lane = compute.operands
    item = compute.kind.with_lanes(1)
    return (
        f"insertelement {llvm_type(compute.kind)} {emit.operand(vector, compute.kind)}, "
        f"{llvm_type(item)} {emit.operand(scalar, item)}, i64 {lane}"
    )


def _scale(emit: Emitter, compute: Compute) -> str:
    x, n = compute.operands
    type_, integers = llvm_type(compute.kind), Kind("i32", compute.kind.lanes)
    arguments = [
        (type_, emit.operand(x, compute.kind)),
        (llvm_type(integers), emit.operand(n, integers)),
    ]
    return emit.call(f"llvm.ldexp.{_suffix(compute.kind)}.{_suffix(integers)}", type_, arguments)


def _library_call(emit: Emitter, compute: Compute) -> str:
    """A function of libm that has no intrinsic, lane by lane."""
    kind = compute.kind
    item, result = llvm_type(kind.with_lanes(1)), "poison"
    value = emit.operand(compute.operands[0], kind)
    for lane in range(kind.lanes):
        element = value
        if kind.lanes > 1:
            element = emit.assign(f"extractelement {llvm_type(kind)} {value}, i64 {lane}")
        call = emit.call(compute.operation, item, [(item, element)])
        if kind.lanes == 1:
            return call
        insert = f"insertelement {llvm_type(kind)} {result}, {item} {emit.assign(call)}, i64 {lane}"
        if lane == kind.lanes - 1:
            return insert
        result = emit.assign(insert)
    raise InternalError(f"{compute.operation} of no lanes")


def _shuffle(emit: Emitter, compute: Compute) -> str:
    x, y, *picks = compute.operands
    type_ = llvm_type(compute.kind)
    vectors = ", ".join(f"{type_} {emit.operand(vector, compute.kind)}" for vector in (x, y))
    lanes = ", ".join("i32 poison" if pick == -1 else f"i32 {pick}" for pick in picks)
    return f"shufflevector {vectors}, <{len(picks)} x i32> <{lanes}>"


def _mask(emit: Emitter, compute: Compute) -> str:
    type_ = llvm_type(compute.kind)
    lanes = ", ".join("i1 true" if lane else "i1 false" for lane in compute.operands)
    return f"bitcast {type_} <{lanes}> to {type_}"


def _tail_mask(emit: Emitter, compute: Compute) -> str:
    """lane < remaining."""
    lanes = compute.result.kind.lanes
    type_ = llvm_type(Kind("i64", lanes))
    remaining = emit.operand(compute.operands[0], INDEX)
    first = emit.assign(f"insertelement {type_} poison, i64 {remaining}, i64 0")
    spread = emit.assign(
        f"shufflevector {type_} {first}, {type_} poison, <{lanes} x i32> zeroinitializer"
    )
    steps = ", ".join(f"i64 {lane}" for lane in range(lanes))
    return f"icmp slt {type_} <{steps}>, {spread}"


INSTRUCTIONS: dict[str, Instruction] = {
    **dict.fromkeys(ARITHMETIC, _arithmetic),
    **dict.fromkeys(INTRINSICS, _intrinsic),
    **dict.fromkeys(COMPARISONS, _comparison),
    **dict.fromkeys(REDUCTIONS, _reduction),
    "select": _select,
    "convert": _convert,
    "bitcast": _bitcast,
    "negate": _negate,
    "broadcast": _broadcast,
    "number": _number,
    "extract": _extract,
    "insert": _insert,
    "scale": _scale,
    "erf": _library_call,
    "shuffle": _shuffle,
    "mask": _mask,
    "tail_mask": _tail_mask,
}
