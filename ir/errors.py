"""What can go wrong: five classes for the user's mistakes and one for ours."""

from __future__ import annotations


class CompileError(ValueError):
    """A mistake in a model, a file or a call: the fact first, then where, then what to do."""

    def __init__(
        self, fact: str, *, details: tuple[str, ...] = (), remedy: str | None = None
    ) -> None:
        """State `fact` in one line, `details` (operands, origin) below it and a `remedy` last."""
        super().__init__(fact)
        self.fact = fact
        self.details = details
        self.remedy = remedy

    def with_details(self, *details: str, thing: str | None = None) -> CompileError:
        """Return the same error, its fact led by `thing`, with more details."""
        fact = f"{thing}: {self.fact}" if thing else self.fact
        return type(self)(fact, details=(*self.details, *details), remedy=self.remedy)

    def __str__(self) -> str:
        lines = [self.fact, *(f"    {detail}" for detail in self.details)]
        if self.remedy:
            lines.append(f"  {self.remedy}")
        return "\n".join(lines)


class ShapeError(CompileError):
    """Shapes or dtypes do not fit together."""


class UnsupportedError(CompileError):
    """An operation, layer or backend cannot do what is asked; all of a kind are listed at once."""


class FormatError(CompileError):
    """A file or a piece of IR text is not what it claims to be."""


class NumericsError(CompileError):
    """Two backends disagree, or a value is not finite where it must be."""


class InternalError(RuntimeError):
    """A bug in kerac, not in the user's model."""
