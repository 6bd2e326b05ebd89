"""A call of a function of `keras.ops`, and how it is compared with that of `kerac.ops`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from kerac.structure import leaves, map_structure


@dataclass(frozen=True)
class Case:
    """Arrays among the arguments are tensors; what is in a `Fixed` is none."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-5
    in_graphs: bool = True
    """Whether tensors of graphs are taken, too."""
    differs: bool = False
    """Whether a gradient is expected."""

    @property
    def title(self) -> str:
        """What a test is called."""
        shown = ", ".join(
            [*map(_shown, self.args), *(f"{k}={_shown(v)}" for k, v in self.kwargs.items())]
        )
        return f"{self.name}({shown})"[:100]

    def arrays(self) -> list[np.ndarray]:
        """The tensors."""
        return [x for x in leaves([list(self.args), self.kwargs]) if isinstance(x, np.ndarray)]

    def call(self, library: ModuleType, tensors: list[Any]) -> Any:
        """The function of `library` on tensors in the place of the arrays."""
        function: Callable[..., Any] = library  # type: ignore[assignment]
        for part in self.name.split("."):
            function = getattr(function, part)
        given = iter(tensors)

        def fill(x: Any) -> Any:
            if isinstance(x, Fixed):
                return x.value
            return next(given) if isinstance(x, np.ndarray) else x

        args, kwargs = map_structure(fill, [list(self.args), self.kwargs])
        return function(*args, **kwargs)


@dataclass(frozen=True)
class Fixed:
    """An argument that is no tensor."""

    value: Any


def _shown(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"{x.dtype}{list(x.shape)}"
    if isinstance(x, list | tuple) and any(isinstance(leaf, np.ndarray) for leaf in leaves(x)):
        return f"[{', '.join(map(_shown, x))}]"
    return str(x.value if isinstance(x, Fixed) else x)


def case(name: str, *args: Any, **kwargs: Any) -> Case:
    """A call whose result changes smoothly with its floating-point arguments."""
    return Case(name, args, kwargs, differs=True)


def stepwise(name: str, *args: Any, **kwargs: Any) -> Case:
    """A call without a gradient."""
    return Case(name, args, kwargs)


def loosely(tolerance: float, call: Case) -> Case:
    """The same call, with a larger error."""
    return Case(call.name, call.args, call.kwargs, tolerance, call.in_graphs, call.differs)


def on_arrays(name: str, *args: Any, **kwargs: Any) -> Case:
    """A call that graphs refuse."""
    return Case(name, args, kwargs, in_graphs=False)
