"""Exact arithmetic on dimensions: integers and polynomials in named symbols.

    dim     = int | Dim                      an axis length
    Dim     = sum of coefficient * monomial  as `2*N*T + 1`
    atom    = symbol | (Dim)//int            as `N`, `(H - 1)//2`

A `Dim` never holds a plain constant: arithmetic that ends in one returns `int`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd

from kerac.ir.errors import FormatError, InternalError


@dataclass(frozen=True)
class FloorDivision:
    """The atom `(numerator)//denominator`, rounded towards minus infinity; denominator > 0."""

    numerator: Dim
    denominator: int

    def __str__(self) -> str:
        return f"({self.numerator})//{self.denominator}"


Atom = str | FloorDivision
Monomial = tuple[Atom, ...]


@dataclass(frozen=True)
class Dim:
    """A polynomial over the integers in the atoms of a shape.

    Written in one way only, so that polynomials that are equal for all values compare equal.
    """

    terms: tuple[tuple[Monomial, int], ...]

    @cached_property
    def symbols(self) -> frozenset[str]:
        """Names of all symbols that occur anywhere in this dimension."""
        names: set[str] = set()
        for monomial, _ in self.terms:
            for atom in monomial:
                names |= {atom} if isinstance(atom, str) else atom.numerator.symbols
        return frozenset(names)

    def __add__(self, other: DimLike) -> DimLike:
        if not isinstance(other, int | Dim):
            return NotImplemented  # a value of a graph knows how to add a length
        return _combine(_terms(self), _terms(other))

    __radd__ = __add__

    def __neg__(self) -> DimLike:
        return self * -1

    def __sub__(self, other: DimLike) -> DimLike:
        if not isinstance(other, int | Dim):
            return NotImplemented
        return self + other * -1

    def __rsub__(self, other: DimLike) -> DimLike:
        return self * -1 + other

    def __mul__(self, other: DimLike) -> DimLike:
        if not isinstance(other, int | Dim):
            return NotImplemented
        product = [
            (tuple(sorted((*left, *right), key=str)), a * b)
            for left, a in _terms(self)
            for right, b in _terms(other)
        ]
        return _combine(product)

    __rmul__ = __mul__

    def __floordiv__(self, other: DimLike) -> DimLike:
        if isinstance(other, Dim):
            return _divide_exactly(self, other)
        # every coefficient is a multiple of other, which goes out, and a rest from 0 to other - 1
        whole = _combine([(m, c // other) for m, c in self.terms])
        rest = _combine([(m, c % other) for m, c in self.terms])
        return whole + (_floor(rest, other) if isinstance(rest, Dim) else 0)

    def __mod__(self, other: int) -> DimLike:
        return self - self // other * other

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        text = ""
        for monomial, coefficient in self.terms:
            factors = [str(atom) for atom in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            if len(factors) > 1 or coefficient < 0:  # 2*(N)//3 would read as (2*N)//3
                factors = [f"({factor})" if "//" in factor else factor for factor in factors]
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} " + "*".join(factors)
        return text[3:] if text.startswith(" + ") else "-" + text[3:]

    __repr__ = __str__


DimLike = int | Dim


def symbol(name: str) -> Dim:
    """The dimension called `name`."""
    return Dim((((name,), 1),))


def symbols_of(dim: DimLike) -> frozenset[str]:
    """Names of the symbols in `dim`; none for an integer."""
    return dim.symbols if isinstance(dim, Dim) else frozenset()


def known_dim(dim: DimLike) -> int:
    """`dim`, which must be a number at this place."""
    if isinstance(dim, Dim):
        raise InternalError(f"dimension {dim} must be a number here, but is symbolic")
    return dim


def substitute(dim: DimLike, values: Mapping[str, DimLike]) -> DimLike:
    """Replace symbols by the dimensions in `values`; symbols that are not there stay."""
    if not isinstance(dim, Dim) or not dim.symbols & values.keys():
        return dim
    total: DimLike = 0
    for monomial, coefficient in dim.terms:
        product: DimLike = coefficient
        for atom in monomial:
            if isinstance(atom, str):
                product = product * values.get(atom, symbol(atom))
            else:
                product = product * (substitute(atom.numerator, values) // atom.denominator)
        total = total + product
    return total


def parse_dim(node: ast.expr) -> DimLike:
    """Read a dimension from a Python expression of integers, names, + - * and //."""
    match node:
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            return value
        case ast.Name(id=name):
            return symbol(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return parse_dim(operand) * -1
        case ast.BinOp(left=left, op=operator, right=right):
            a, b = parse_dim(left), parse_dim(right)
            match operator:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.FloorDiv() if isinstance(b, int) and b > 0:
                    return a // b
    raise FormatError(f"`{ast.unparse(node)}` is not a dimension")


def _terms(dim: DimLike) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(dim, Dim):
        return dim.terms
    return (((), int(dim)),) if dim else ()


def _combine(*groups: list[tuple[Monomial, int]] | tuple[tuple[Monomial, int], ...]) -> DimLike:
    total: dict[Monomial, int] = {}
    for group in groups:
        for monomial, coefficient in group:
            total[monomial] = total.get(monomial, 0) + coefficient
    terms = [(m, c) for m, c in total.items() if c]
    if not terms:
        return 0
    if len(terms) == 1 and not terms[0][0]:
        return terms[0][1]
    # longest monomials first, the constant last: `N*T + N + 1`
    terms.sort(key=lambda term: (-len(term[0]), str(term[0])))
    return Dim(tuple(terms))


def _floor(numerator: Dim, denominator: int) -> DimLike:
    """`numerator//denominator` where all coefficients lie from 0 to denominator - 1."""
    nested = [
        (m[0], c) for m, c in numerator.terms if len(m) == 1 and isinstance(m[0], FloorDivision)
    ]
    match nested:
        case [(FloorDivision(inner, factor) as atom, 1)]:
            # (x//a + y)//b = (x + a*y)//(a*b)
            rest = numerator - Dim((((atom,), 1),))
            return (inner + rest * factor) // (factor * denominator)
    common = gcd(denominator, *(c for m, c in numerator.terms if m))
    if common > 1:
        # (g*x + c)//(g*b) = (x + c//g)//b
        return _combine([(m, c // common) for m, c in numerator.terms]) // (denominator // common)
    return Dim((((FloorDivision(numerator, denominator),), 1),))


def _divide_exactly(dividend: Dim, divisor: Dim) -> DimLike:
    """Divide by a monomial that is in every term; a reshape from [N, T, 8] to [N, -1] needs it."""
    (monomial, coefficient), *others = divisor.terms
    quotient = []
    for term, c in dividend.terms:
        rest = list(term)
        for atom in monomial:
            if atom not in rest:
                raise FormatError(f"{dividend} is not a multiple of {divisor}")
            rest.remove(atom)
        if others or c % coefficient:
            raise FormatError(f"{dividend} is not a multiple of {divisor}")
        quotient.append((tuple(rest), c // coefficient))
    return _combine(quotient)
