"""Every rule does to the `before` in its docstring what the `after` says, and keeps the numbers."""

import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Callable

import numpy as np
import pytest

import kerac.passes
from kerac.ir import Graph, evaluate_graph, parse_functions, verify
from kerac.ir.ops import Parameter
from kerac.passes.base import Pass
from kerac.passes.check import random_inputs
from kerac.passes.fold_constants import FoldConstants
from kerac.passes.rewrite import rewrite
from tests.compare import assert_close

MODULES = [
    importlib.import_module(f"kerac.passes.{module.name}")
    for module in pkgutil.iter_modules(kerac.passes.__path__)
]


def documented() -> list[object]:
    """Rules, which are named by the passes that have them, and passes that override `apply`."""
    found: dict[object, None] = {}
    for module in MODULES:
        for cls in vars(module).values():
            if inspect.isclass(cls) and issubclass(cls, Pass) and cls is not Pass:
                found.update(dict.fromkeys(cls.rules))
        for thing in vars(module).values():
            if getattr(thing, "__module__", "") == module.__name__ and "def before(" in (
                thing.__doc__ or ""
            ):
                found[thing] = None
    return list(found)


def name(thing: Callable) -> str:
    return f"{thing.__module__.rpartition('.')[2]}-{thing.__name__}"


def program(doc: str, arrays: dict[str, np.ndarray]) -> dict[str, Graph]:
    text = textwrap.dedent(doc[doc.index("\n") + 1 :])
    return parse_functions(text[re.search(r"^def ", text, re.MULTILINE).start() :], arrays)


def parameters(functions: dict[str, Graph]) -> dict[str, np.ndarray]:
    """Random weights: those called a variance are positive."""
    found = {}
    for graph in functions.values():
        for value in graph.values:
            if isinstance(value.op, Parameter):
                generator = np.random.default_rng(len(value.op.name))
                array = generator.uniform(0.5, 1.5, value.shape)
                sign = 1 if "variance" in value.op.name else generator.choice([-1, 1], value.shape)
                found[value.op.name] = (array * sign).astype(np.float32)
    return found


def shown(graph: Graph) -> str:
    """The text without name, origins, and numbers in arrays, which round as they were computed."""
    text = re.sub(r"  # .*", "", str(graph))
    text = re.sub(r"= constant\([\[\"].*\)$", "= constant(...)", text, flags=re.MULTILINE)
    return re.sub(r"^def \w+", "def graph", text)


@pytest.mark.parametrize("thing", documented(), ids=name)
def test_docstring_is_what_happens(thing: Callable) -> None:
    arrays = parameters(program(thing.__doc__, {}))
    functions = program(thing.__doc__, arrays)
    before, after = functions["before"], functions["after"]
    got = thing()(before) if inspect.isclass(thing) else rewrite(before, (thing,))
    verify(got)
    # weights are computed by the rule; the docstring says how
    assert shown(got) == shown(FoldConstants(limit=10**6)(after))
    inputs = random_inputs(before, seed=1)
    wanted = evaluate_graph(before, inputs)
    for graph in (got, after):
        for one, other in zip(evaluate_graph(graph, inputs), wanted, strict=True):
            assert_close(one, other)


@pytest.mark.parametrize("thing", documented(), ids=name)
def test_rules_come_to_rest(thing: Callable) -> None:
    after = program(thing.__doc__, {})["after"]
    again = thing()(after) if inspect.isclass(thing) else rewrite(after, (thing,))
    assert str(again) == str(after)
