"""How rules are applied: order, names, origins, uses, and what happens when a rule is wrong."""

from collections import Counter

import numpy as np
import pytest

from kerac.ir import Graph, InternalError, Origin, TensorType, Value, parse, symbol
from kerac.ir import ops as o
from kerac.passes.rewrite import Uses, rewrite


def relu_of_exp(value: Value, uses: Uses) -> Value | None:
    """Exp is never negative."""
    match value:
        case Value(o.Relu(), (Value(o.Exp()) as x,)):
            return x
    return None


def exp_to_expm1(value: Value, uses: Uses) -> Value | None:
    """`exp(x)` as `expm1(x) + 1`."""
    match value:
        case Value(o.Exp(), (x,)):
            return o.add(o.Expm1()(x), o.constant(1.0, "f32", name="one"))
    return None


def fuse_once(value: Value, uses: Uses) -> Value | None:
    """A dense takes the relu that alone reads it."""
    match value:
        case Value(o.Relu(), (Value(o.Dense()) as x,)) if uses[x] == 1:
            return o.Dense(o.Relu())(*x.inputs)
    return None


def test_nothing_to_do_gives_the_same_graph() -> None:
    graph = parse("def f(x: f32[N, 4]):\n  y = relu(x)\n  return y")
    assert rewrite(graph, (relu_of_exp,)) is graph


def test_a_graph_does_not_change() -> None:
    graph = parse("def f(x: f32[N, 4]):\n  y = relu(exp(x))\n  return y")
    text = str(graph)
    assert rewrite(graph, (relu_of_exp,)) is not graph
    assert str(graph) == text


def test_rules_meet_what_other_rules_made() -> None:
    def add_to_silu(value: Value, uses: Uses) -> Value | None:
        return o.Silu()(value.operands[0]) if isinstance(value.op, o.Add) else None

    graph = parse("def f(x: f32[N, 4]):\n  y = relu(relu(exp(x)))\n  return y")
    changes = Counter()
    after = rewrite(graph, (relu_of_exp, exp_to_expm1, add_to_silu), changes=changes)
    # a value settles before those that use it, so the exp is gone when the relus are looked at
    assert [value.op.text_name for value in after.values] == [
        "input", "expm1", "silu", "relu", "relu",
    ]  # fmt: skip
    assert changes == {"exp_to_expm1": 1, "add_to_silu": 1}
    assert rewrite(graph, (relu_of_exp,)).values[-1].op == o.Exp()


def test_outputs_keep_their_names() -> None:
    graph = parse('def f(x: f32[N, 4]):\n  y = exp(x)\n  z = relu(y)\n  return {"a/b": z, "c": y}')
    after = rewrite(graph, (relu_of_exp,))
    assert after.output_names == ("a/b", "c")
    assert after.outputs[0] is after.outputs[1]


def test_new_values_take_name_and_origins() -> None:
    x = o.graph_input("x", TensorType("f32", (symbol("N"), 4)))
    kernel = o.Parameter("fc/kernel", o.parameter("p", np.ones((4, 2), np.float32)).op.data)(
        name="kernel", origin=Origin(("fc",))
    )
    y = o.Dense()(x, kernel, origin=Origin(("fc",)))
    z = o.Relu()(y, name="act", origin=Origin(("act",), ("earlier",)))
    after = rewrite(Graph("f", (x,), (z,)), (fuse_once,), name="fuse")
    (result,) = after.outputs
    assert (result.name, result.origin) == ("act", Origin(("fc", "act"), ("earlier", "fuse")))
    assert result.inputs == (x, kernel)


def test_values_inside_of_a_replacement_are_named_too() -> None:
    graph = parse("def f(x: f32[N, 4]):\n  y = exp(x)  # layer\n  return y")
    after = rewrite(graph, (exp_to_expm1,), name="split")
    assert [value.name for value in after.values] == ["x", "y", "one", "y"]
    assert {value.origin for value in after.values[1:]} == {Origin(("layer",), ("split",))}


def test_uses_are_counted_while_the_graph_changes() -> None:
    # relu(exp(..)) = exp(..) leaves the dense with one use less, and then the relu may be fused
    text = (
        "def f(x: f32[N, 4], k: f32[4, 4]):\n"
        "  y = dense(x, k)\n"
        "  a = relu(y)\n"
        "  b = dense(y, k)\n"
        "  return a\n"
    )
    after = rewrite(parse(text), (fuse_once,))
    assert after.outputs[0].op == o.Dense(o.Relu())
    kept = rewrite(parse(text.replace("return a", "return a, b")), (fuse_once,))
    assert kept.outputs[0].op == o.Relu()


def test_a_rule_that_changes_a_type_is_blamed() -> None:
    def wrong(value: Value, uses: Uses) -> Value | None:
        return value.operands[0] if isinstance(value.op, o.Reshape) else None

    graph = parse("def f(x: f32[N, 4]):\n  y = reshape(x, shape=(N, 2, 2))\n  return y")
    with pytest.raises(
        InternalError, match=r"a_pass: wrong replaces y: f32\[N, 2, 2\] by f32\[N, 4\]"
    ):
        rewrite(graph, (wrong,), name="a_pass")


def test_rules_that_undo_each_other_are_stopped() -> None:
    def there(value: Value, uses: Uses) -> Value | None:
        return o.Silu()(*value.inputs) if isinstance(value.op, o.Relu) else None

    def back(value: Value, uses: Uses) -> Value | None:
        return o.Relu()(*value.inputs) if isinstance(value.op, o.Silu) else None

    graph = parse("def f(x: f32[N, 4]):\n  y = relu(x)\n  return y")
    with pytest.raises(InternalError, match="rules do not come to rest"):
        rewrite(graph, (there, back))


def test_deep_graphs_are_rewritten() -> None:
    x = value = o.graph_input("x", TensorType("f32", (2,)))
    for _ in range(3000):
        value = o.Relu()(o.Exp()(value))
    changes = Counter()
    after = rewrite(Graph("deep", (x,), (value,)), (relu_of_exp,), changes=changes)
    assert changes == {"relu_of_exp": 3000}
    assert len(after.values) == 3001
