"""Keras's ops as functions: for layers and losses, on symbolic tensors, values and arrays.

`ops.mean(x, axis=-1)` is the operation `Mean` of files; what is not there has no operation yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerac.configured import suggestion
from kerac.eager import evaluate
from kerac.ir import Value
from kerac.layers.arguments import call_signature
from kerac.layers.calling import has_symbols
from kerac.layers.operation import OPERATIONS, Operation
from kerac.layers.tensor_operations import ZerosLikeOperation
from kerac.names import snake_case
from kerac.structure import leaves, map_structure, pack
from kerac.variable import Variable

CLASSES: dict[str, type[Operation]] = {
    snake_case(cls.class_name): cls for cls in OPERATIONS.values()
} | {"getitem": OPERATIONS["ops.GetItem"], "logsumexp": OPERATIONS["ops.Logsumexp"]}


def __getattr__(name: str) -> Callable[..., Any]:
    """The function of that name."""
    if name.startswith("__"):
        raise AttributeError(name)
    if name not in CLASSES:
        raise AttributeError(f"kerac.ops has no {name!r}. {suggestion(name, CLASSES)}")
    return function_of(name, CLASSES[name])


def __dir__() -> list[str]:
    return sorted(CLASSES)


def function_of(name: str, cls: type[Operation]) -> Callable[..., Any]:
    """The function that makes an operation of its arguments and applies it to its tensors."""
    parameters = list(call_signature(cls).parameters.values())
    is_open = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]

    def function(*args: Any, **kwargs: Any) -> Any:
        count = len(args) if is_open else len(names)
        tensors, others = list(args[:count]), args[count:]
        for tensor in names[len(tensors) :]:
            if tensor in kwargs:
                tensors.append(kwargs.pop(tensor))
        if others and issubclass(cls, ZerosLikeOperation):
            kwargs["dtype"], others = others[0], others[1:]
        return applied(cls, tensors, others, kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = cls.__doc__
    return function


def applied(cls: type[Operation], tensors: list[Any], args: Any, kwargs: Any) -> Any:
    """The result of an operation on tensors of any kind."""
    flat = leaves(tensors)
    if has_symbols(flat):
        return cls(*args, **kwargs)(*tensors)
    operation = cls(*args, name=cls.class_name, **kwargs)
    tensors = map_structure(lambda x: x.as_value() if isinstance(x, Variable) else x, tensors)
    if any(isinstance(x, Value) for x in leaves(tensors)):
        return operation.call(*tensors)
    return evaluate(lambda *values: operation.call(*pack(tensors, list(values))), leaves(tensors))
