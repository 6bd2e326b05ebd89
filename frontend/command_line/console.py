"""Talk on stderr, data on stdout; colours and progress only where somebody looks at a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerac.timing.table import bytes_text

if TYPE_CHECKING:
    from rich.console import Console


def examples(lines: tuple[str, ...]) -> str:
    """The end of a command's help."""
    # click keeps the lines of a block that begins with this character
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def say(text: str) -> None:
    """Tell the user something that is no data."""
    click.echo(text, err=True)


def write(text: str) -> None:
    """Write data."""
    click.echo(text, nl=not text.endswith("\n"))


@contextlib.contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal that something is going on; what is yielded takes the next text."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(f"{text} ...")) as status:
        yield lambda step: status.update(Text(f"{text}: {step} ..."))


def terminal() -> Console | None:
    """A console for stdout where that is a terminal, else None."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console

    return Console()


def size_text(path: Path) -> str:
    """`1.2 MB`."""
    return bytes_text(path.stat().st_size)
