"""Reading the text of graphs; the grammar stands in `kerac.ir.text`."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from typing import Any

import numpy as np

from kerac.ir.data import Data
from kerac.ir.dims import parse_dim
from kerac.ir.errors import CompileError, FormatError, ShapeError
from kerac.ir.graph import Graph, Origin, Value
from kerac.ir.op import REGISTRY, Op, ParseContext, signature
from kerac.ir.ops.constant import Call, Constant, Input
from kerac.ir.types import TensorType, Type, parse_type, type_text


def parse(text: str, arrays: Mapping[str, np.ndarray] | None = None) -> Graph:
    """Read the last function in `text`; `arrays`: parameters by path, large constants by digest."""
    return list(parse_functions(text, arrays).values())[-1]


def parse_functions(text: str, arrays: Mapping[str, np.ndarray] | None = None) -> dict[str, Graph]:
    """Read all functions in `text`; later ones may call earlier ones."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise FormatError(
            f"line {error.lineno}: {error.msg}", details=(error.text or "",)
        ) from None
    functions: dict[str, Graph] = {}
    comments = _comments(text)
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            raise FormatError(
                f"line {node.lineno}: expected a function, but found `{ast.unparse(node)}`"
            )
        functions[node.name] = _FunctionReader(functions, arrays or {}, comments, text).read(node)
    if not functions:
        raise FormatError("the text holds no function")
    return functions


def _comments(text: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        t.start[0]: t.string.removeprefix("#").strip() for t in tokens if t.type == tokenize.COMMENT
    }


def _parse_origin(comment: str) -> Origin:
    layers, by, passes = (
        comment.rpartition("by ") if comment.startswith("by ") else comment.partition(", by ")
    )
    return Origin(
        tuple(layers.split(" + ")) if layers else (),
        tuple(passes.split(", ")) if by else (),
    )


class _FunctionReader:
    def __init__(
        self,
        functions: dict[str, Graph],
        arrays: Mapping[str, np.ndarray],
        comments: dict[int, str],
        text: str,
    ) -> None:
        self.functions = functions
        self.arrays = arrays
        self.comments = comments
        self.lines = text.splitlines()
        self.values: dict[str, Value] = {}
        self.updates: tuple[tuple[int, int], ...] = ()

    def read(self, node: ast.FunctionDef) -> Graph:
        inputs = []
        for argument in node.args.args:
            type_ = parse_type(argument.annotation) if argument.annotation else None
            if not isinstance(type_, TensorType):
                raise FormatError(
                    f"line {node.lineno}: input {argument.arg} needs a type, as `x: f32[N, 3]`"
                )
            self.values[argument.arg] = Input(type_)(name=argument.arg)
            inputs.append(self.values[argument.arg])
        for statement in node.body:
            try:
                if isinstance(statement, ast.Return):
                    outputs, names = self._outputs(statement)
                    return Graph(node.name, tuple(inputs), outputs, names, self.updates)
                self._statement(statement, inputs)
            except CompileError as error:
                raise self._located(error, statement) from None
        raise FormatError(f"{node.name} has no return")

    def _located(self, error: CompileError, statement: ast.stmt) -> CompileError:
        if error.fact.startswith("line "):
            return error
        line = self.lines[statement.lineno - 1]
        caret = " " * statement.col_offset + "^"
        return error.with_details(line, caret, thing=f"line {statement.lineno}")

    def _statement(self, statement: ast.stmt, inputs: list[Value]) -> None:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id="update"), args=[], keywords=pairs)):
                numbers = {value.name: number for number, value in enumerate(inputs)}
                for pair in pairs:
                    output = _literal(pair.value)
                    if pair.arg not in numbers or not isinstance(output, int):
                        raise FormatError("update needs pairs of an input and an output number")
                    self.updates += ((numbers[pair.arg], output),)
            case _:
                self._assign(statement)

    def _assign(self, statement: ast.stmt) -> None:
        match statement:
            case ast.AnnAssign(
                target=ast.Name(id=name), annotation=annotation, value=ast.expr() as expression
            ):
                declared: Type | None = parse_type(annotation)
            case ast.Assign(targets=[ast.Name(id=name)], value=expression):
                declared = None
            case _:
                raise FormatError(
                    f"expected `name: type = op(...)`, but found `{ast.unparse(statement)}`"
                )
        comment = self.comments.get(statement.end_lineno or statement.lineno, "")
        value = self._expression(expression, _parse_origin(comment), name, declared)
        if declared is not None and value.type != declared:
            raise ShapeError(
                f"{name} is declared {type_text(declared)}, but computes {type_text(value.type)}"
            )
        self.values[name] = value

    def _outputs(self, statement: ast.Return) -> tuple[tuple[Value, ...], tuple[str, ...]]:
        match statement.value:
            case ast.Dict(keys=keys, values=items):
                values = [self._expression(item) for item in items]
                return tuple(values), tuple(
                    ast.literal_eval(key) for key in keys if key is not None
                )
            case ast.Tuple(elts=items):
                values = [self._expression(item) for item in items]
            case ast.expr() as only:
                values = [self._expression(only)]
            case None:
                values = []
        return tuple(values), ()

    def _expression(
        self,
        node: ast.expr,
        origin: Origin | None = None,
        name: str = "",
        declared: Type | None = None,
    ) -> Value:
        match node:
            case ast.Name(id=used):
                if used not in self.values:
                    raise FormatError(f"{used} is used, but not defined above")
                return self.values[used]
            case ast.Call(func=ast.Name(id=called)) if called in self.functions:
                operands = self._operands([self._operand(a) for a in node.args])
                return Call(self.functions[called])(*operands, name=name or called, origin=origin)
            case ast.Call(func=ast.Name(id=called)) if called in REGISTRY:
                return self._call(REGISTRY[called], node, origin, name, declared)
            case ast.Call(func=ast.Name(id=called)):
                raise FormatError(f"{called} is neither an op nor a function defined above")
        raise FormatError(f"expected a call of an op, but found `{ast.unparse(node)}`")

    def _call(
        self, cls: type[Op], node: ast.Call, origin: Origin | None, name: str, declared: Type | None
    ) -> Value:
        required, optional, variadic = signature(cls)
        takes = len(node.args) if variadic else len(required)
        operands: list[Value | float | bool | None] = [self._operand(a) for a in node.args[:takes]]
        if len(operands) < len(required):
            raise FormatError(
                f"{cls.text_name} needs {', '.join(required)}, but got {len(operands)} operands"
            )
        positional = [_literal(a) for a in node.args[takes:]]
        keywords = {k.arg: k.value for k in node.keywords if k.arg}
        operands += [self._operand(keywords.pop(o)) if o in keywords else None for o in optional]
        attributes = {key: _literal(value) for key, value in keywords.items()}
        op = cls.from_text(positional, attributes, ParseContext(declared, self.arrays))
        return op(*self._operands(operands), name=name, origin=origin)

    def _operand(self, node: ast.expr) -> Value | float | bool:
        literal = _number(node)
        return self._expression(node) if literal is None else literal

    def _operands(self, operands: list[Value | float | bool | None]) -> list[Value | None]:
        """Turn numbers into constants."""
        from kerac.ir.text import literal_dtype

        dtype = literal_dtype(tuple(o for o in operands if isinstance(o, Value))) or "f32"
        return [
            o
            if o is None or isinstance(o, Value)
            else Constant(Data.from_literal(o, TensorType(dtype)))(origin=Origin())
            for o in operands
        ]


def _number(node: ast.expr) -> float | bool | None:
    match node:
        case ast.Constant(value=bool() | int() | float() as number):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            positive = _number(operand)
            return None if positive is None else -positive
        case ast.Name(id="inf" | "nan" as special):
            return float(special)
    return None


def _literal(node: ast.expr) -> Any:
    """An attribute: number, string, None, a tuple of these, or a dimension."""
    number = _number(node)
    if number is not None:
        return number
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(_literal(item) for item in items)
    return parse_dim(node)
