"""How a function of `kerac.ops` is made: it is written once, on values of a graph.

    @operation()
    def outer(x1: Value, x2: Value) -> Value:
        '''All products of an element of one and of the other.'''

Parameters annotated `Value`, `Values` (a list of them), `Operand` (a value or a number of Python)
`Places` (a value or a list of numbers) or `Key` (what stands in brackets) are its tensors, all
others belong to the operation, as they do in files. From that follow

* on symbolic tensors: a node of the model, which files name as Keras does;
* on values, where a layer or a loss states what it computes: the values that the function makes;
* on arrays: arrays, by the reference interpreter.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, TypeVar, cast, get_type_hints

import numpy as np

from kerac.eager import evaluate
from kerac.ir import Value
from kerac.ir.dims import Dim
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.layers.calling import has_symbols
from kerac.layers.operation import Operation
from kerac.ops.promotion import is_weak, value_of
from kerac.structure import leaves, map_structure
from kerac.variable import Variable

Values = list[Value]
Places = Any
Key = Any
Function = Callable[..., Any]
AnyFunction = TypeVar("AnyFunction", bound=Function)
FUNCTIONS: dict[str, Function] = {}
MODULES: dict[str, str] = {}
ON_ARRAYS: dict[str, str] = {}
"""Functions of arrays alone, and why."""


class _Computed(Operation):
    """Base: an operation whose meaning is a function with the same parameters."""

    autocast = False
    compute: ClassVar[Function]
    tensors: ClassVar[dict[str, str]]

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        own = _own_names(type(self))
        given = {**dict(zip(own, args, strict=False)), **kwargs}
        hidden = {name: given.pop(name) for name in list(given) if name in RESERVED}
        reserved = [name for name in own if name in RESERVED]
        return super()._by_name((), given) | {name: hidden.get(name) for name in reserved}

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _own_names(type(self)) if name in RESERVED}
        return super().get_config() | own

    def call(self, *args: Any, **kwargs: Any) -> Any:
        cls = type(self)
        arguments = cls.call.__signature__.bind(None, *args, **kwargs).arguments  # type: ignore[attr-defined]
        arguments.pop("self")
        given = {name: getattr(self, name) for name in _own_names(cls)}
        return on_values(cls.compute, cls.tensors, {**given, **arguments})


RESERVED = ("dtype", "weights")  # attributes of layers that some functions call arguments


def _own_names(cls: type[_Computed]) -> list[str]:
    return [name for name in inspect.signature(cls.compute).parameters if name not in cls.tensors]


def operation(
    module: str = "numpy",
    class_name: str | None = None,
    of_complex: Function | None = None,
    prepare: Function | None = None,
    otherwise: Function | None = None,
) -> Callable[[AnyFunction], AnyFunction]:
    """Register a function on values as an operation that Keras has in that module.

    `of_complex` is the same on arrays of complex numbers, which graphs do not hold; `prepare` sees
    all arguments by name before, and returns those to go on with; `otherwise` may give the result
    itself, or None.
    """

    def register(compute: AnyFunction) -> AnyFunction:
        name = compute.__name__.rstrip("_")
        tensors = tensor_parameters(compute)
        cls = _operation_class(compute, class_name or _camel(name), module, tensors)
        signature = inspect.signature(compute)

        @wraps(compute)
        def function(*args: Any, **kwargs: Any) -> Any:
            try:
                arguments = dict(signature.bind(*args, **kwargs).arguments)
            except TypeError as error:
                raise CompileError(f"{name}: {error}") from None
            if of_complex is not None and any(map(_is_complex, args)):
                return narrowed(of_complex(*args, **kwargs))
            special = None if otherwise is None else otherwise(arguments)
            if special is not None:
                return special
            return dispatch(cls, arguments if prepare is None else prepare(arguments))

        function.__name__ = function.__qualname__ = name
        FUNCTIONS[name] = function
        MODULES[name] = module
        return cast(AnyFunction, function)

    return register


def tensor_parameters(compute: Function) -> dict[str, str]:
    """The parameters that hold tensors, with their annotations."""
    hints = inspect.signature(compute).parameters
    return {
        name: ("*" if p.kind is p.VAR_POSITIONAL else "") + str(p.annotation)
        for name, p in hints.items()
        if any(word in str(p.annotation) for word in ("Value", "Operand", "Places", "Key"))
    }


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _operation_class(
    compute: Function, class_name: str, module: str, tensors: dict[str, str]
) -> type[_Computed]:
    parameters = inspect.signature(compute).parameters
    hints = get_type_hints(compute)
    own = [p for name, p in parameters.items() if name not in tensors]
    self_ = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    given = [p.replace(annotation=object) for name, p in parameters.items() if name in tensors]

    def call(self: _Computed, *args: Any, **kwargs: Any) -> Any:
        return _Computed.call(self, *args, **kwargs)

    call.__signature__ = inspect.Signature([self_, *given])  # type: ignore[attr-defined]
    call.__annotations__ = dict.fromkeys(tensors, object)
    attributes: dict[str, Any] = {
        "__annotations__": {p.name: hints.get(p.name, Any) for p in own},
        "__doc__": compute.__doc__,
        "__module__": __name__,
        "module": f"keras.src.ops.{module}",
        "compute": staticmethod(compute),
        "tensors": tensors,
        "call": call,
    }
    attributes |= {p.name: p.default for p in own if p.default is not p.empty}
    for parameter in own:
        if parameter.kind is parameter.VAR_KEYWORD:
            attributes[parameter.name], attributes["__annotations__"][parameter.name] = {}, Any
    return type(f"{class_name}Operation", (_Computed,), attributes)


def dispatch(cls: type[_Computed], arguments: dict[str, Any]) -> Any:
    """The result for tensors of any kind."""
    given = {name: arguments[name] for name in cls.tensors if name in arguments}
    flat = leaves(given)
    if has_symbols(flat):
        return _on_symbols(cls, arguments)
    if any(isinstance(x, Variable) for x in flat):
        given = map_structure(lambda x: x.as_value() if isinstance(x, Variable) else x, given)
        flat = leaves(given)
    if any(isinstance(x, Value | Dim) for x in flat):
        return on_values(cls.compute, cls.tensors, {**arguments, **given})
    return _on_arrays(cls, {**arguments, **given}, given)


def _on_symbols(cls: type[_Computed], arguments: dict[str, Any]) -> Any:
    own = {name: value for name, value in arguments.items() if name not in cls.tensors}
    positional: list[Any] = []
    by_name: dict[str, Any] = {}
    for name, parameter in inspect.signature(cls.compute).parameters.items():
        if name not in cls.tensors or name not in arguments:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += arguments[name]
        elif parameter.default is parameter.empty:
            positional.append(arguments[name])
        else:
            by_name[name] = arguments[name]
    return cls(**own)(*positional, **by_name)


def on_values(compute: Function, tensors: dict[str, str], arguments: dict[str, Any]) -> Any:
    """What the function makes of its arguments, arrays among them as constants."""
    made = {
        name: _as_values(value, tensors[name]) if name in tensors else value
        for name, value in arguments.items()
    }
    return _called(compute, made)


def _called(compute: Function, arguments: dict[str, Any]) -> Any:
    """The function of arguments by name, of which one may be variadic."""
    positional: list[Any] = []
    parameters = inspect.signature(compute).parameters
    is_open = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += arguments.pop(name, ())
        elif is_open and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            positional.append(arguments.pop(name))
        elif parameter.kind is parameter.VAR_KEYWORD:
            arguments |= arguments.pop(name, {})
    return compute(*positional, **arguments)


def _stays(x: Any, annotation: str) -> bool:
    """Whether an argument that may be a tensor is none."""
    if annotation.endswith("Key"):
        return True
    if annotation.endswith("Places"):
        return isinstance(x, list | tuple) and not any(isinstance(n, Value) for n in x)
    return x is None or ("Operand" in annotation and is_weak(x))


def _as_values(x: Any, annotation: str) -> Any:
    if _stays(x, annotation):
        return x
    if "Values" in annotation or annotation.startswith("*"):
        if not isinstance(x, list | tuple):
            x = list(value_of(x)) if isinstance(x, np.ndarray) else [x]
        return [_as_values(item, "Operand" if "Operand" in annotation else "") for item in x]
    return value_of(x)


def _on_arrays(cls: type[_Computed], arguments: dict[str, Any], given: Any) -> Any:
    """The same on arrays: the graph of the function is made and evaluated."""
    arrays: list[Any] = []

    def take(x: Any, annotation: str) -> Any:
        if _stays(x, annotation):
            return x
        if "Values" in annotation or annotation.startswith("*"):
            inner = "Operand" if "Operand" in annotation else ""
            return [take(item, inner) for item in x]
        arrays.append(_plain(x))
        return _Place(len(arrays) - 1)

    places = {name: take(x, cls.tensors[name]) for name, x in given.items()}

    def function(*values: Value) -> Any:
        fill = lambda x: values[x.number] if isinstance(x, _Place) else x  # noqa: E731
        return _called(cls.compute, {**arguments, **map_structure(fill, places)})

    return evaluate(function, arrays)


def _plain(x: Any) -> Any:
    array = np.asarray(x)
    if array.dtype.kind not in "biufV":
        raise UnsupportedError(f"{x!r:.60} is no tensor of real numbers")
    return array


class _Place:
    """Where an array goes in the arguments."""

    def __init__(self, number: int) -> None:
        self.number = number


def on_arrays(reason: str, module: str = "numpy") -> Callable[[Function], Function]:
    """Register a function of arrays alone; on tensors of a graph it says why, and what to do."""

    def register(compute: Function) -> Function:
        name = compute.__name__.rstrip("_")

        @wraps(compute)
        def function(*args: Any, **kwargs: Any) -> Any:
            refuse_tensors(name, reason, [args, kwargs])
            found = compute(*args, **kwargs)
            return map_structure(narrowed, found)

        function.__name__ = function.__qualname__ = name
        FUNCTIONS[name] = function
        MODULES[name] = module
        ON_ARRAYS[name] = reason
        return function

    return register


def refuse_tensors(name: str, reason: str, structure: Any) -> None:
    """Say that a function works on arrays alone, where there is a tensor of a graph."""
    flat = leaves(structure)
    if has_symbols(flat) or any(isinstance(x, Value | Dim) for x in flat):
        raise UnsupportedError(
            f"{name}: is called on a tensor of a graph, but {reason}",
            remedy="Call it on arrays before, and give what it returns to the model.",
        )


def plain(name: str, module: str = "core") -> Callable[[Function], Function]:
    """Register a function that looks at the kinds of its arguments itself."""

    def register(function: Function) -> Function:
        FUNCTIONS[name] = function
        MODULES[name] = module
        return function

    return register


def _is_complex(x: Any) -> bool:
    return isinstance(x, np.ndarray | np.generic | complex) and np.iscomplexobj(x)


def narrowed(x: Any) -> Any:
    """An array, or several, with 64 bits narrowed to 32 as Keras does."""
    if isinstance(x, list | tuple):
        return type(x)(map(narrowed, x))
    wide = {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(x, wide.get(x.dtype.name, x.dtype))
    return x
