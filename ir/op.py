"""What every op has: attributes as dataclass fields, `infer`, `evaluate`, `vjp` for its gradient.

`infer(self, x, kernel, bias=None)` names the operands: those with a default are optional and
written by keyword in the text. Defining a subclass registers it under its text name (`MaxPool` ->
`max_pool`); nothing else needs to be edited.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np

from kerac.ir.dims import Dim, DimLike, substitute
from kerac.ir.errors import CompileError, FormatError, InternalError, UnsupportedError
from kerac.ir.graph import Origin, Value, current_origin
from kerac.ir.types import Type, is_narrow, type_of, type_text

Array = np.ndarray
Signature = tuple[tuple[str, ...], tuple[str, ...], str | None]
REGISTRY: dict[str, type[Op]] = {}


@dataclass(frozen=True)
class ParseContext:
    """What is known around an op: its declared type, and arrays by parameter name or digest."""

    declared: Type | None
    arrays: Mapping[str, Array]


@dataclass(frozen=True)
class Op:
    """One operation with its attributes; calling it on values makes the value of its result."""

    text_name: ClassVar[str] = "op"
    abstract: ClassVar[bool] = True

    def __init_subclass__(cls, abstract: bool = False, **keywords: Any) -> None:
        """Register the class under its text name, unless it is only a base."""
        super().__init_subclass__(**keywords)
        cls.abstract = abstract
        if abstract:
            return
        cls.text_name = snake_case(cls.__name__)
        known = REGISTRY.setdefault(cls.text_name, cls)
        # a dataclass with slots is made twice; the second one replaces the first
        if known.__qualname__ != cls.__qualname__ or known.__module__ != cls.__module__:
            raise InternalError(f"two ops are called {cls.text_name}")
        REGISTRY[cls.text_name] = cls

    def infer(self, *types: Any, **_: Any) -> Type:
        """The type of the result; raises ShapeError with one short fact where operands misfit."""
        raise InternalError(f"{self.text_name} does not say how it infers types")

    def evaluate(self, *arrays: Any, **_: Any) -> Any:
        """The reference meaning on NumPy arrays; several results are a tuple of arrays."""
        raise InternalError(f"{self.text_name} does not say what it computes")

    def computed(self, *arrays: Any) -> Any:
        """`evaluate`, with f16 and bf16 widened to f32 before and results rounded once behind."""
        if not any(map(is_narrow, arrays)):
            return self.evaluate(*arrays)
        given = [None if x is None else type_of(x) for x in arrays]
        wide = [x.astype(np.float32) if is_narrow(x) else x for x in arrays]
        results, types = self.evaluate(*wide), self.infer(*given)
        if isinstance(types, tuple):
            return tuple(x.astype(t.numpy_dtype) for x, t in zip(results, types, strict=True))
        return np.asarray(results).astype(types.numpy_dtype)

    def attribute_texts(self) -> list[str]:
        """The attributes as in the text: by keyword, in field order, only where not default."""
        return [
            f"{attribute.name}={literal_text(getattr(self, attribute.name))}"
            for attribute in fields(self)
            if attribute.default is MISSING or getattr(self, attribute.name) != attribute.default
        ]

    @classmethod
    def from_text(
        cls, positional: list[Any], keywords: dict[str, Any], context: ParseContext
    ) -> Op:
        """Make the op from what `attribute_texts` wrote, already read as Python values."""
        if positional:
            raise FormatError(
                f"{cls.text_name} takes attributes by keyword, but got {positional[0]!r}"
            )
        known = [attribute.name for attribute in fields(cls)]
        for keyword in keywords:
            if keyword not in known:
                has = ", ".join(known) or "none"
                raise FormatError(f"{cls.text_name} has no attribute {keyword!r}; it has {has}")
        missing = [a.name for a in fields(cls) if a.default is MISSING and a.name not in keywords]
        if missing:
            raise FormatError(f"{cls.text_name} needs the attribute {missing[0]!r}")
        return cls(**keywords)

    def vjp(self, *inputs: Value | None, result: Value, cotangent: Any) -> tuple[Value | None, ...]:
        """Cotangents of the inputs from that of the result, as IR; None where there is none.

        The functions stand in `kerac.ir.gradients`, one file a family. Where the op has several
        results, `cotangent` is a tuple with None for those that nothing depends on.
        """
        from kerac.ir.gradients.registry import Applied, find_gradient

        gradient = find_gradient(type(self))
        if gradient is None:
            simpler = self.decompose(*inputs)
            if simpler is None:
                raise UnsupportedError(f"{self.text_name} has no gradient")
            from kerac.ir.gradients.reverse import reverse

            # a value that stands at several places gets all of its cotangent at the first of them
            operands = list(dict.fromkeys(value for value in inputs if value is not None))
            found = dict(zip(operands, reverse([simpler], [cotangent], operands), strict=True))
            return tuple(None if value is None else found.pop(value, None) for value in inputs)
        return gradient(Applied(self, inputs, result, cotangent))

    def multiply_adds(self, result: Value) -> DimLike:
        """How many multiply-adds the products in the meaning of `result` ask for, done directly."""
        return 0

    def decompose(self, *inputs: Value | None) -> Value | None:
        """The same computation by simpler ops, or None where the op is not composite."""
        return None

    def substitute(self, values: Mapping[str, DimLike]) -> Op:
        """The op with symbols in its attributes replaced."""
        changed = {}
        for attribute in fields(self):
            old = getattr(self, attribute.name)
            new = _substitute(old, values)
            if new is not old:
                changed[attribute.name] = new
        return replace(self, **changed) if changed else self

    def __call__(
        self, *inputs: Value | None, name: str = "", origin: Origin | None = None
    ) -> Value:
        """Make the value of this op on `inputs`; absent optional operands are None."""
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        origin = origin or current_origin()
        return Value(
            self,
            inputs,
            self.checked_infer(inputs, origin),
            name or default_name(self, origin),
            origin,
        )

    def checked_infer(self, inputs: tuple[Value | None, ...], origin: Origin) -> Type:
        """`infer` on the types of `inputs`; errors name the op, its operands and the layer."""
        types = [None if value is None else value.type for value in inputs]
        try:
            return self.infer(*types)
        except CompileError as error:
            names = operand_names(type(self), len(inputs))
            details = [
                f"{name + ':':<9}{type_text(type_)}"
                for name, type_ in zip(names, types, strict=True)
                if type_ is not None
            ]
            if origin.layers:
                details.append(f'in layer "{origin.layers[-1]}"')
            raise error.with_details(*details, thing=self.text_name) from None


def literal_text(value: Any) -> str:
    """An attribute as a Python literal; dimensions as expressions, ops as quoted text."""
    if isinstance(value, Op):
        return f'"{op_text(value)}"'
    if isinstance(value, tuple):
        return f"({', '.join(map(literal_text, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(value) if isinstance(value, Dim) else repr(value)


def op_text(op: Op) -> str:
    """An op without operands: `relu`, `leaky_relu(negative_slope=0.2)`."""
    attributes = op.attribute_texts()
    return f"{op.text_name}({', '.join(attributes)})" if attributes else op.text_name


@cache
def parse_op(text: str) -> Op:
    """Read what `op_text` wrote."""
    try:
        node = ast.parse(text, mode="eval").body
        keywords = {}
        if isinstance(node, ast.Call):
            keywords = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
            node = node.func
        if isinstance(node, ast.Name) and node.id in REGISTRY:
            return REGISTRY[node.id].from_text([], keywords, ParseContext(None, {}))
    except (SyntaxError, ValueError) as error:
        if isinstance(error, CompileError):
            raise
    raise FormatError(f"{text!r} is not an op")


def snake_case(name: str) -> str:
    """`MaxPool` -> `max_pool`, `LSTM` -> `lstm`, `Relu6` -> `relu6`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def default_name(op: Op, origin: Origin) -> str:
    """The last part of the layer path, as an identifier, or else the op's name."""
    if not origin.layers:
        return op.text_name
    return identifier(origin.layers[-1].rsplit("/", 1)[-1]) or op.text_name


def identifier(name: str) -> str:
    """`name` as a Python identifier that is not a keyword."""
    import keyword

    text = re.sub(r"\W", "_", name)
    if not text.isascii():
        text = text.encode("ascii", "replace").decode().replace("?", "_")
    if text[:1].isdigit():
        text = f"_{text}"
    return f"{text}_" if keyword.iskeyword(text) else text


def signature(op: type[Op]) -> Signature:
    """Names of the required and the optional operands, and of the variadic one."""
    return _signature_by(op.infer)


@cache
def _signature_by(infer: Callable[..., Type]) -> Signature:
    required, optional, variadic = [], [], None
    for parameter in list(inspect.signature(infer).parameters.values())[1:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            variadic = parameter.name
        elif parameter.default is parameter.empty:
            required.append(parameter.name)
        else:
            optional.append(parameter.name)
    return tuple(required), tuple(optional), variadic


def operand_names(op: type[Op], count: int) -> list[str]:
    """A name for each of `count` operands."""
    required, optional, variadic = signature(op)
    names = [*required, *optional]
    return [
        names[i] if i < len(names) else f"{variadic or 'operand'}[{i - len(names)}]"
        for i in range(count)
    ]


def _substitute(attribute: Any, values: Mapping[str, DimLike]) -> Any:
    if isinstance(attribute, Dim):
        return substitute(attribute, values)
    if isinstance(attribute, tuple):
        new = tuple(_substitute(item, values) for item in attribute)
        return new if any(a is not b for a, b in zip(new, attribute, strict=True)) else attribute
    return attribute
