"""A graph in the language of Graphviz."""

from __future__ import annotations

import json

from kerac.inspector.differences import Listing
from kerac.inspector.picture import drawn_values, operand_texts
from kerac.ir import type_text
from kerac.ir.op import op_text
from kerac.ir.ops.constant import Input


def dot_text(listing: Listing) -> str:
    """Boxes with name, op and type; weights stand on the line of the op that reads them."""
    graph, names = listing.graph, listing.names
    lines = [
        f"digraph {_quoted(graph.name)} {{",
        '    node [shape=box, style=rounded, fontname="sans-serif", fontsize=11];',
        "    edge [arrowsize=0.6];",
    ]
    drawn = drawn_values(listing)
    for value in drawn:
        op = "input" if isinstance(value.op, Input) else op_text(value.op)
        weights = [f"{role} {text}" for role, text in operand_texts(listing, value)]
        rows = [names[value], op, *weights, type_text(value.type)]
        shape = ", style=filled" if value in graph.inputs or value in graph.outputs else ""
        label = _quoted("\n".join(rows))
        tooltip = _quoted(str(value.origin))
        lines.append(f"    {_quoted(names[value])} [label={label}, tooltip={tooltip}{shape}];")
    known = set(drawn)
    lines += [
        f"    {_quoted(names[operand])} -> {_quoted(names[value])};"
        for value in drawn
        for operand in value.operands
        if operand in known
    ]
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    # JSON's escapes of quotes, backslashes and line ends are Graphviz's too
    return json.dumps(text, ensure_ascii=False)
