"""Names that nobody gave: `dense`, `dense_1`, ... in the order of creation, as Keras counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_counts: dict[str, int] = {}
_scope: ContextVar[tuple[str, ...]] = ContextVar("name scope", default=())


def snake_case(name: str) -> str:
    """Return a class name as it is in paths: `Conv2D` -> `conv2d`, `LSTMCell` -> `lstm_cell`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def automatic_name(class_name: str) -> str:
    """The next free name for an object of a class."""
    prefix = snake_case(class_name)
    count = _counts.get(prefix, 0)
    _counts[prefix] = count + 1
    return f"{prefix}_{count}" if count else prefix


def clear_session() -> None:
    """Start to count names anew."""
    _counts.clear()


@contextmanager
def name_scope(name: str) -> Iterator[None]:
    """Put `name` before the paths of weights that are made in the block."""
    token = _scope.set((*_scope.get(), name))
    try:
        yield
    finally:
        _scope.reset(token)


def scoped(name: str) -> str:
    """The path of something called `name` that is made now."""
    return "/".join((*_scope.get(), name))
