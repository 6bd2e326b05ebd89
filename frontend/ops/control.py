"""Control: choices and loops of functions that a user gives.

On arrays Python goes the way that the numbers say. In a graph both sides of a choice are computed,
and loops whose number of turns is known are written out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kerac.eager import evaluate
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.gradients.custom import with_gradient
from kerac.ir.gradients.reverse import reverse, zeros
from kerac.layers.calling import has_symbols
from kerac.layers.operation import Operation
from kerac.ops.axes import axis_within
from kerac.ops.promotion import value_of
from kerac.ops.registry import FUNCTIONS, plain
from kerac.structure import leaves, map_structure, pack
from kerac.tensor import KerasTensor
from kerac.variable import Variable

Function = Callable[..., Any]
MOST_TURNS = 10000


class _GivenFunction(Operation):
    """A function of a user's, as a node of a model; files cannot hold it."""

    autocast = False
    class_name = "GivenFunction"

    def __init__(self, function: Function, name: str) -> None:
        super().__init__(name=name)
        self._function = function

    def call(self, *args: Any) -> Any:
        return self._function(*args)

    def serialize(self) -> dict[str, Any]:
        raise UnsupportedError(
            f"{self.name}: holds a Python function, but files hold names alone",
            remedy="Write it as a layer: class Mine(kerac.layers.Layer) with call().",
        )


def is_computed(x: Any) -> bool:
    """Whether x is a tensor of a graph, whose numbers are not known yet."""
    return isinstance(x, Value | KerasTensor)


def _parts(xs: Any) -> Any:
    return map_structure(lambda x: x.as_value() if isinstance(x, Variable) else x, xs)


def _where(condition: Any, x: Any, y: Any) -> Any:
    """Equal structures, leaf by leaf."""
    if x is None:
        return None
    flat = [
        FUNCTIONS["where"](condition, one, other)
        for one, other in zip(leaves(x), leaves(y), strict=True)
    ]
    return pack(x, flat)


@plain("cond")
def cond(pred: Any, true_fn: Function, false_fn: Function) -> Any:
    """What one of two functions returns; in a graph both are computed."""
    pred = _parts(pred)
    if not is_computed(pred):
        return true_fn() if bool(np.asarray(pred)) else false_fn()
    return _where(pred, true_fn(), false_fn())


@plain("switch")
def switch(index: Any, branches: Any, *operands: Any) -> Any:
    """What the function of a number returns; in a graph all are computed."""
    index, last = _parts(index), len(branches) - 1
    if not is_computed(index):
        return branches[min(max(int(np.asarray(index)), 0), last)](*operands)
    found = branches[last](*operands)
    for number in reversed(range(last)):
        # numbers below 0 mean the first one
        found = _where(FUNCTIONS["less_equal"](index, number), branches[number](*operands), found)
    return found


@plain("while_loop")
def while_loop(
    cond: Function, body: Function, loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Turns as long as a condition holds; in a graph at most `maximum_iterations`, all computed."""
    single = not isinstance(loop_vars, list | tuple)
    state = (loop_vars,) if single else tuple(loop_vars)
    turn = 0
    while maximum_iterations is None or turn < maximum_iterations:
        goes_on = _parts(cond(*state))
        if is_computed(goes_on) and (maximum_iterations is None or turn > MOST_TURNS):
            raise UnsupportedError(
                "while_loop: its condition is computed in the graph, "
                "but the number of turns must be known",
                remedy="Give maximum_iterations; turns after the last one change nothing.",
            )
        if not is_computed(goes_on) and not bool(np.asarray(goes_on)):
            break
        found = body(*state)
        following = tuple(found) if isinstance(found, list | tuple) else (found,)
        state = tuple(_where(goes_on, following, state)) if is_computed(goes_on) else following
        turn += 1
    return state[0] if single else state


@plain("fori_loop")
def fori_loop(lower: Any, upper: Any, body_fun: Function, init_val: Any) -> Any:
    """body_fun(i, value) for all i from lower on below upper, which must be known."""
    if is_computed(lower) or is_computed(upper):
        raise UnsupportedError(
            "fori_loop: its bounds are computed in the graph, but must be known",
            remedy="Use while_loop with maximum_iterations.",
        )
    value = init_val
    for number in range(int(lower), int(upper)):
        value = body_fun(number, value)
    return value


def length_of(xs: Any, what: str) -> int:
    """The common length of the first axes."""
    lengths = {x.shape[0] for x in leaves(xs) if x is not None}
    if len(lengths) != 1 or not isinstance(next(iter(lengths)), int):
        raise UnsupportedError(
            f"{what}: the lengths of the first axes are {', '.join(map(str, lengths))}, "
            "but must be one known number",
            remedy="Write the function for all rows at once, or loop over another axis.",
        )
    return int(next(iter(lengths)))


def rows_of(xs: Any, number: int) -> Any:
    """One row of every tensor."""
    return map_structure(lambda x: None if x is None else x[number], xs)


def _as_tensors(xs: Any) -> Any:
    return map_structure(lambda x: x if x is None or is_computed(x) else np.asarray(x), _parts(xs))


def stacked(rows: list[Any]) -> Any:
    """Equal structures as one, with a new first axis."""
    flat = [
        None if parts[0] is None else FUNCTIONS["stack"](list(parts))
        for parts in zip(*map(leaves, rows), strict=True)
    ]
    return pack(rows[0], flat)


@plain("scan")
def scan(
    f: Function,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: Any = 1,
) -> tuple[Any, Any]:
    """carry, y = f(carry, row) for all rows; the last carry, and all y."""
    xs = _as_tensors(xs)
    if length is None and xs is None:
        raise CompileError("scan: neither xs nor length is given, but one of them must be")
    count = length_of(xs, "scan") if length is None else int(length)
    carry, found = init, []
    for number in reversed_if(range(count), reverse):
        carry, y = f(carry, None if xs is None else rows_of(xs, number))
        found.append(y)
    ordered = list(reversed_if(found, reverse))
    return carry, stacked(ordered) if ordered and ordered[0] is not None else None


def reversed_if(items: Any, backwards: bool) -> Any:
    """Items, from the last one on where that is asked for."""
    return reversed(items) if backwards else items


@plain("map")
def map_(f: Function, xs: Any) -> Any:
    """f of every row."""
    xs = _as_tensors(xs)
    return stacked([f(rows_of(xs, number)) for number in range(length_of(xs, "map"))])


@plain("vectorized_map")
def vectorized_map(function: Function, elements: Any) -> Any:
    """The function of every row."""
    return FUNCTIONS["map"](function, elements)


@plain("associative_scan")
def associative_scan(f: Function, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Every row combined with all before it, over twice as many in every step."""
    elems = _as_tensors(elems)
    flat = leaves(elems)
    place = axis_within(axis, len(flat[0].shape))
    length = flat[0].shape[place]
    if not isinstance(length, int):
        raise UnsupportedError(
            f"associative_scan: the length of axis {axis} is not known, but must be"
        )

    def part(x: Any, start: int, stop: int) -> Any:
        return x[(*(slice(None),) * place, slice(start, stop))]

    if reverse:
        flat = [FUNCTIONS["flip"](x, axis=place) for x in flat]
    shift = 1
    while shift < length:
        before = pack(elems, [part(x, 0, length - shift) for x in flat])
        here = pack(elems, [part(x, shift, length) for x in flat])
        found = leaves(f(before, here))
        flat = [
            FUNCTIONS["concatenate"]([part(x, 0, shift), new], axis=place)
            for x, new in zip(flat, found, strict=True)
        ]
        shift *= 2
    if reverse:
        flat = [FUNCTIONS["flip"](x, axis=place) for x in flat]
    return pack(elems, flat)


@plain("vectorize", "numpy")
def vectorize(pyfunc: Function, *, excluded: Any = None, signature: str | None = None) -> Function:
    """A function of single elements, or of what a signature says, over whole arrays."""
    over_arrays = np.vectorize(pyfunc, excluded=excluded, signature=signature)

    def function(*args: Any, **kwargs: Any) -> Any:
        if any(map(is_computed, leaves([args, kwargs]))):
            if signature is not None:
                raise UnsupportedError(
                    f"vectorize: the signature {signature!r} is for arrays, "
                    "but a tensor of a graph is given",
                    remedy="Write the function for all rows at once.",
                )
            return pyfunc(*args, **kwargs)
        return map_structure(_plain_array, over_arrays(*args, **kwargs))

    return function


def _plain_array(x: Any) -> Any:
    from kerac.eager import as_array

    return as_array(x)


# Gradients


@plain("custom_gradient")
def custom_gradient(f: Function) -> Function:
    """f, which returns a result and the function of its cotangent that is its gradient."""

    def on_values(*args: Any) -> Any:
        results, gradient = f(*args)
        flat = [value_of(x) for x in leaves(args)]
        if len(leaves(results)) != 1:
            raise UnsupportedError(
                f"custom_gradient: the function returns {len(leaves(results))} results, "
                "but one is expected",
                remedy="Return one tensor, and take its parts outside.",
            )
        (y,) = leaves(results)

        def cotangents(upstream: Value) -> list[Any]:
            found = leaves(gradient(upstream))
            return [
                None if g is None else ops.broadcast_to(ops.cast(value_of(g), x.dtype), x.shape)
                for g, x in zip(found, flat, strict=False)
            ]

        return pack(results, [with_gradient(y, flat, cotangents)])

    def function(*args: Any, **kwargs: Any) -> Any:
        args = _parts(args)
        flat = leaves(args)
        if has_symbols(flat):
            return _GivenFunction(lambda *values: on_values(*values, **kwargs), "custom_gradient")(
                *args
            )
        if any(isinstance(x, Value) for x in flat):
            return on_values(*args, **kwargs)
        return f(*args, **kwargs)[0]

    return function


@plain("jvp", "linalg")
def jvp(fun: Function, primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """fun(*primals), and how it changes where they change by the tangents."""
    primals, tangents = list(_parts(primals)), list(_parts(tangents))
    flat = leaves([primals, tangents])

    def on_values(*values: Any) -> Any:
        count = len(leaves(primals))
        given = pack([primals, tangents], list(map(value_of, values)))
        returned = fun(*given[0])
        results, extra = returned if has_aux else (returned, None)
        moved = _pushed(leaves(results), leaves(given[0]), list(map(value_of, values))[count:])
        found = (results, pack(results, moved))
        return (*found, extra) if has_aux else found

    if has_symbols(flat):
        return _GivenFunction(on_values, "jvp")(*flat)
    if any(isinstance(x, Value) for x in flat):
        return on_values(*flat)
    return evaluate(on_values, [np.asarray(x) for x in flat])


def _pushed(results: list[Value], primals: list[Value], tangents: list[Value]) -> list[Value]:
    """How results change: the gradient is linear in cotangents, and its own gradient is this."""
    cotangents = [ops.graph_input(f"cotangent_{i}", y.tensor_type) for i, y in enumerate(results)]
    back = reverse(results, list(cotangents), primals)
    pairs = [(g, t) for g, t in zip(back, tangents, strict=True) if g is not None]
    found = reverse([g for g, _ in pairs], [t for _, t in pairs], list(cotangents))
    return [zeros(y.tensor_type) if d is None else d for d, y in zip(found, results, strict=True)]
