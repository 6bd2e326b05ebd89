"""What can go wrong when a compiled model is loaded or run.

`runtime` stands alone, so these are no CompileErrors.
"""

from __future__ import annotations


class ExecutionError(ValueError):
    """A mistake in a call or a file; the first line states the fact, the rest what to do."""

    def __init__(
        self, fact: str, *, details: tuple[str, ...] = (), remedy: str | None = None
    ) -> None:
        """State `fact` in one line, `details` below it and a `remedy` last."""
        super().__init__(fact)
        self.fact = fact
        self.details = details
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.fact, *(f"    {detail}" for detail in self.details)]
        if self.remedy:
            lines.append(f"  {self.remedy}")
        return "\n".join(lines)


class InputError(ExecutionError):
    """Arrays given to a compiled model do not fit it."""


class LibraryError(ExecutionError):
    """A file is not a library that can be loaded here."""
