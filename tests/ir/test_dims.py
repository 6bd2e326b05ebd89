"""Arithmetic on dimensions against Python's integers."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerac.ir import FormatError, symbol
from kerac.ir.dims import Dim, DimLike, parse_dim, substitute, symbols_of

NAMES = ("N", "T", "H")
sizes = st.fixed_dictionaries({name: st.integers(1, 50) for name in NAMES})
leaves = st.one_of(st.integers(-5, 9), st.sampled_from([symbol(name) for name in NAMES]))


def combine(children: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(
        st.tuples(st.sampled_from("+-*"), children, children),
        st.tuples(st.just("//"), children, st.integers(1, 7)),
        st.tuples(st.just("%"), children, st.integers(1, 7)),
    )


expressions = st.recursive(leaves, combine, max_leaves=8)


def compute(expression: object, values: dict[str, int] | None) -> DimLike:
    """The dimension of an expression, or with `values` its number by Python's own arithmetic."""
    if not isinstance(expression, tuple):
        return substitute(expression, values) if values else expression
    operator, left, right = expression
    a, b = compute(left, values), compute(right, values)
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "//":
            return a // b
    return a % b


@given(expressions, sizes)
def test_substitution_agrees_with_integers(expression: object, values: dict[str, int]) -> None:
    assert substitute(compute(expression, None), values) == compute(expression, values)


@given(expressions)
def test_text_reads_back(expression: object) -> None:
    dim = compute(expression, None)
    assert parse_dim(ast.parse(str(dim), mode="eval").body) == dim


@given(expressions, expressions)
def test_sums_and_products_are_canonical(first: object, second: object) -> None:
    a, b = compute(first, None), compute(second, None)
    assert a + b == b + a
    assert a * b == b * a
    assert (a + b) - b == a
    assert a - a == 0
    assert hash(a + b) == hash(b + a)


@given(expressions, sizes)
def test_partial_substitution_loses_nothing(expression: object, values: dict[str, int]) -> None:
    dim = compute(expression, None)
    first = {"N": values["N"]}
    assert substitute(substitute(dim, first), values) == substitute(dim, values)
    assert "N" not in symbols_of(substitute(dim, first))


@given(st.integers(-20, 20), st.integers(1, 9))
def test_dimensions_without_symbols_are_integers(number: int, divisor: int) -> None:
    n = symbol("N")
    assert isinstance((n + number) - n, int)
    assert isinstance(n * 0, int)
    assert (n * divisor) // divisor == n
    assert (n * divisor + number) // divisor == n + number // divisor


def test_products_divide_by_their_factors() -> None:
    n, t = symbol("N"), symbol("T")
    assert (n * t * 8) // t == n * 8
    assert (n * t * 8) // (t * 4) == n * 2
    assert (n * t + t) // t == n + 1
    with pytest.raises(FormatError, match=r"N\*T is not a multiple of H"):
        (n * t) // symbol("H")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("N*2 + 1", "2*N + 1"),
        ("1 + N*N", "N*N + 1"),
        ("(N + 1)//2", "(N + 1)//2"),
        ("(N - 1)//2 + 1", "(N + 1)//2"),
        ("(2*N + 4)//2", "N + 2"),
        ("((N - 3)//2)//2", "(N + 1)//4 - 1"),
        ("((N + 1)//2 + 1)//2", "(N + 3)//4"),
        ("3*N//2", "N + (N)//2"),
        ("(2*N + 1)//4", "(N)//2"),
        ("T*(N//2)*3", "3*((N)//2)*T"),
        ("-N + 5", "-N + 5"),
        ("T*N", "N*T"),
    ],
)
def test_dimensions_are_shown_in_one_way(text: str, shown: str) -> None:
    assert str(parse_dim(ast.parse(text, mode="eval").body)) == shown


@pytest.mark.parametrize("text", ["N/2", "N//0", "N//T", "f(N)", "N**2", "'N'", "True"])
def test_other_expressions_are_no_dimensions(text: str) -> None:
    with pytest.raises(FormatError, match="is not a dimension"):
        parse_dim(ast.parse(text, mode="eval").body)


def test_dimensions_are_true_and_have_symbols() -> None:
    dim = (symbol("N") + symbol("T") - 1) // 2
    assert isinstance(dim, Dim)
    assert bool(dim)
    assert symbols_of(dim) == {"N", "T"}
    assert symbols_of(3) == frozenset()
