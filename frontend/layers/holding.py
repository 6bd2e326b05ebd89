"""What a layer holds: weights of its own, and other layers, found by the attributes they are in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kerac.eager import evaluate
from kerac.initializers import get as initializer_of
from kerac.ir.errors import CompileError
from kerac.layers.penalties import attach_penalties
from kerac.names import scoped
from kerac.structure import leaves
from kerac.tracing import current_trace
from kerac.variable import Variable

if TYPE_CHECKING:
    from kerac.layers.base import Layer

Kind = TypeVar("Kind")
Held = Any
"""A layer, or lists and dictionaries of layers."""
SETTINGS = frozenset({bool, int, float, str, type(None)})


class Holder:
    """Base of layers: the weights and layers in it.

    Layers and weights count that are the value of an attribute, or are in lists, tuples and
    dictionaries that are; attributes that `_internal` names do not.
    """

    name: str | None
    trainable: bool
    added_losses: list[Any]
    variable_dtype: Any
    _variables: list[Variable]
    _internal: frozenset[str] = frozenset()

    def add_weight(
        self,
        name: Any = None,
        shape: Any = None,
        initializer: Any = None,
        trainable: bool = True,
        dtype: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
        **others: Any,
    ) -> Variable:
        """Make a weight; its path is the layer's and its name.

        Regularizer and constraint are the layer's arguments called after the weight, if not given.
        A shape may come first, as in Keras 3, or a name, as in Keras 2.
        """
        if name is not None and not isinstance(name, str):
            name, shape = (shape if isinstance(shape, str) else None), name
        name = name or "variable"
        sizes = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        lengths = tuple(int(n) for n in sizes if n is not None and n >= 0)
        if len(lengths) != len(sizes):
            raise CompileError(
                f"weight {name!r} would have the shape {sizes}, "
                "but all its lengths must be known",
                remedy="Give the model an Input with the sizes of these axes.",
            )
        start = initializer_of("glorot_uniform" if initializer is None else initializer)
        autocast = others.get("autocast", True)
        kept = dtype or self.variable_dtype
        variable = Variable(
            start, lengths, kept, trainable, autocast, name=name, path=scoped(name)
        )
        attach_penalties(self, variable, regularizer, constraint)
        self._variables.append(variable)
        return variable

    def add_loss(self, loss: Any) -> None:
        """Add values of the graph, or their sums, to what training makes small."""
        current_trace().losses.extend(leaves(loss))

    @property
    def losses(self) -> list[Any]:
        """Penalties on weights that are trained, and what the last call on arrays added."""
        penalties = [
            evaluate(variable.regularizer, [variable])
            for variable in self.trainable_weights
            if variable.regularizer is not None
        ]
        return [*self.added_losses, *penalties]

    def children(self) -> Mapping[str, Held]:
        """Layers inside this one, by the attributes that hold them."""
        from kerac.layers.base import Layer

        return self._held(Layer)

    def _held(self, kind: type[Kind]) -> dict[str, Held]:
        found = {}
        for name, value in vars(self).items():
            # layers are walked before every step, and most attributes are settings
            if type(value) in SETTINGS or name in self._internal:
                continue
            if isinstance(value, (kind, list, tuple, dict)):
                kept = members(value, kind)
                if kept is not None:
                    found[name] = kept
        return found

    def walk(self) -> Iterator[Layer]:
        """This layer and all inside it, each once."""
        seen: dict[Any, None] = {}
        pending: list[Any] = [self]
        while pending:
            layer = pending.pop()
            if layer in seen:
                continue
            seen[layer] = None
            yield layer
            inner = [child for held in layer.children().values() for child in each(held)]
            pending += reversed(inner)

    @property
    def own_weights(self) -> list[Variable]:
        """The weights of this layer alone, trainable ones first."""
        held = [x for value in self._held(Variable).values() for x in each(value)]
        return sorted(dict.fromkeys((*self._variables, *held)), key=lambda v: not v.trainable)

    def named_variables(self) -> Mapping[str, Variable]:
        """What a file keeps for the layer beside its weights, by name."""
        return {}

    @property
    def weights(self) -> list[Variable]:
        """All weights, those of layers inside included, each once."""
        return list(dict.fromkeys(v for layer in self.walk() for v in layer.own_weights))

    variables = weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """Weights that training changes."""
        frozen = {v for layer in self.walk() if not layer.trainable for v in layer.weights}
        return [v for v in self.weights if v.trainable and v not in frozen]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """Weights that training leaves as they are."""
        trained = set(self.trainable_weights)
        return [v for v in self.weights if v not in trained]

    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[np.ndarray[Any, Any]]:
        """Copies of all weights."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights, in the order of `weights`."""
        variables = self.weights
        if len(weights) != len(variables):
            raise CompileError(
                f"{self.name}: has {len(variables)} weights, but got {len(weights)}",
                details=tuple(f"{v.path}: {v.shape}" for v in variables),
            )
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """Number of elements in all weights."""
        return sum(variable.size for variable in self.weights)


def each(held: Held) -> Iterator[Any]:
    """The members of what `members` found, in the order in which they were put there."""
    if isinstance(held, list | tuple | dict):
        for item in held.values() if isinstance(held, dict) else held:
            yield from each(item)
    else:
        yield held


def members(value: Any, kind: type[Any]) -> Held | None:
    """Those of a kind in lists, tuples and dictionaries, with these around them; None for none.

    What else is in them is left out.
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, dict):
        kept = {str(key): members(item, kind) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not None} or None
    if isinstance(value, list | tuple):
        return [x for x in (members(item, kind) for item in value) if x is not None] or None
    return None
