"""The arguments of a layer's `call`, which may come from a file: bound to names and checked.

A parameter annotated `Value` takes one tensor, `Value | None` a tensor or nothing, `Any` tensors in
lists, tuples and dictionaries, and `object` anything: the layer looks at it itself.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_type_hints

from kerac.convert import NotConvertibleError, convert, describe
from kerac.ir import Value
from kerac.ir.errors import CompileError
from kerac.layers.input_spec import check_inputs
from kerac.structure import leaves

if TYPE_CHECKING:
    from kerac.layers.base import Layer

_signatures: dict[type[Layer], inspect.Signature] = {}
_kinds: dict[type[Layer], dict[str, Any]] = {}


def call_signature(cls: type[Layer]) -> inspect.Signature:
    """The parameters of a class's `call`, without the layer itself."""
    if cls not in _signatures:
        signature = inspect.signature(cls.call)
        parameters = list(signature.parameters.values())[1:]
        _signatures[cls] = signature.replace(parameters=parameters)
    return _signatures[cls]


def call_kinds(cls: type[Layer]) -> dict[str, Any]:
    """The annotations of a class's `call`; none for layers of others."""
    if cls not in _kinds:
        ours = cls.call.__module__.startswith("kerac.")
        hints = get_type_hints(cls.call) if ours else {}
        _kinds[cls] = {name: kind for name, kind in hints.items() if name != "return"}
    return _kinds[cls]


def bind_call(
    layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    """Arguments of `call` by name, each of the kind that its annotation says."""
    try:
        bound = call_signature(type(layer)).bind(*args, **kwargs)
    except TypeError as error:
        raise CompileError(f"{layer.name}: {error}") from None
    for name, kind in call_kinds(type(layer)).items():
        if name in bound.arguments:
            _check(layer, name, bound.arguments[name], kind)
    check_inputs(layer, next(iter(bound.arguments.values()), None))
    return bound


def _check(layer: Layer, name: str, value: Any, kind: Any) -> None:
    if kind is Any:
        wrong = [x for x in leaves(value) if x is not None and not isinstance(x, Value)]
        if wrong:
            raise CompileError(
                f"{layer.name}: {name} holds {wrong[0]!r:.40}, but tensors are expected"
            )
        return
    items = value if isinstance(value, tuple) and kind is not tuple else (value,)
    for item in items:
        try:
            convert(item, kind)
        except NotConvertibleError:
            expected = describe(kind).replace("a Value", "a tensor")
            raise CompileError(
                f"{layer.name}: {name} is {item!r:.40}, but {expected} is expected"
            ) from None
