"""Graphs as text: a typed subset of Python that prints and parses back to the same text.

    program   = function+               the last one is the graph, earlier ones may be called
    function  = "def" name "(" input ":" type, ... "):" line* update? return
    line      = name ":" type "=" call      # origin
    call      = op "(" operand, ..., operand_name=operand, ..., attribute=literal, ... ")"
    operand   = name | number | call    a number takes the dtype of the first operand but bool
    update    = "update(" input "=" output number, ... ")"     before the return
    return    = "return" operand, ... | "return {" "output name": operand, ... "}"

The reader is liberal (types and temporaries are optional), the writer canonical.
"""

from __future__ import annotations

import json

from kerac.ir.graph import Graph, Value, unique_name
from kerac.ir.op import REGISTRY, identifier, signature
from kerac.ir.ops.constant import Call, Constant
from kerac.ir.parse import parse, parse_functions
from kerac.ir.types import type_text

__all__ = ["parse", "parse_functions", "print_graph", "printed_names", "value_text"]


def print_graph(graph: Graph) -> str:
    """The canonical text of a graph and of the graphs it calls."""
    functions: dict[Graph, str] = {}
    _collect(graph, functions)
    return (
        "\n\n".join(_FunctionPrinter(function, functions).text() for function in functions) + "\n"
    )


def printed_names(graph: Graph) -> dict[Value, str]:
    """What each value is called in the text of `graph`; a scalar by the number in its place."""
    printer = _FunctionPrinter(graph, {graph: graph.name})
    return {**printer.names, **printer.inline}


def value_text(value: Value) -> str:
    """One line for one value, operands by their own names."""
    operands = {operand: operand.name for operand in value.operands}
    return f"{value.name}: {type_text(value.type)} = {_call_text(value, operands, {})}"


def _collect(graph: Graph, functions: dict[Graph, str]) -> None:
    """Give each called graph a free name, callees first."""
    for value in graph.values:
        if isinstance(value.op, Call) and value.op.graph not in functions:
            _collect(value.op.graph, functions)
    if graph not in functions:
        taken = {**REGISTRY, **dict.fromkeys(functions.values())}
        functions[graph] = unique_name(identifier(graph.name) or "graph", taken)


class _FunctionPrinter:
    def __init__(self, graph: Graph, functions: dict[Graph, str]) -> None:
        self.graph = graph
        self.functions = functions
        self.names: dict[Value, str] = {}
        self.inline: dict[Value, str] = {}
        self._find_inline()
        self._find_names()

    def text(self) -> str:
        inputs = ", ".join(f"{self.names[v]}: {type_text(v.type)}" for v in self.graph.inputs)
        lines = [f"def {self.functions[self.graph]}({inputs}):"]
        given = set(self.graph.inputs)
        lines += [
            self._line(v) for v in self.graph.values if v not in given and v not in self.inline
        ]
        if self.graph.updates:
            pairs = (f"{self.names[self.graph.inputs[i]]}={o}" for i, o in self.graph.updates)
            lines.append(f"    update({', '.join(pairs)})")
        lines.append(self._return())
        return "\n".join(lines)

    def _find_names(self) -> None:
        taken: dict[str, None] = {}
        for value in self.graph.values:
            if value not in self.inline:
                name = unique_name(identifier(value.name) or value.op.text_name, taken)
                taken[name] = None
                self.names[value] = name

    def _find_inline(self) -> None:
        """A scalar stands in place where reading it back gives the same dtype at every use."""
        outputs = set(self.graph.outputs)
        for value in self.graph.values:
            if not isinstance(value.op, Constant) or value in outputs or value.shape:
                continue
            literal = value.op.data.scalar_text()
            users = self.graph.consumers[value]
            if literal and all(literal_dtype(user.operands) == value.dtype for user in users):
                self.inline[value] = literal

    def _line(self, value: Value) -> str:
        call = _call_text(value, {**self.names, **self.inline}, self.functions)
        line = f"    {self.names[value]}: {type_text(value.type)} = {call}"
        origin = str(value.origin)
        return f"{line}  # {origin}" if origin else line

    def _return(self) -> str:
        names = [self.names[value] for value in self.graph.outputs]
        if list(self.graph.output_names) == names:
            return f"    return {', '.join(names)}"
        pairs = zip(self.graph.output_names, names, strict=True)
        return f"    return {{{', '.join(f'{json.dumps(key)}: {name}' for key, name in pairs)}}}"


def literal_dtype(operands: tuple[Value, ...]) -> str | None:
    """The dtype that numbers among `operands` take.

    It is that of the first operand that is neither a scalar constant nor bool.
    """
    for operand in operands:
        if (
            isinstance(operand.op, Constant)
            and not isinstance(operand.type, tuple)
            and not operand.shape
        ):
            continue
        if isinstance(operand.type, tuple) or operand.dtype == "bool":
            continue
        return operand.dtype
    return None


def _call_text(value: Value, names: dict[Value, str], functions: dict[Graph, str]) -> str:
    op = value.op
    required, optional, variadic = signature(type(op))
    texts = []
    for position, operand in enumerate(value.inputs):
        if operand is None:
            continue
        if position < len(required) or variadic:
            texts.append(names[operand])
        else:
            texts.append(f"{optional[position - len(required)]}={names[operand]}")
    if isinstance(op, Call):
        return f"{functions.get(op.graph, op.graph.name)}({', '.join(texts)})"
    return f"{op.text_name}({', '.join([*texts, *op.attribute_texts()])})"
