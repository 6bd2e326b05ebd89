"""What a step of an optimizer reads and changes: the state of weights, and what they share."""

from __future__ import annotations

from dataclasses import dataclass, field

from kerac.ir import Value, ops

Slots = dict[str, Value]


@dataclass(frozen=True)
class Slot:
    """State that every weight has, and how it begins; None stands for the weight's own value."""

    name: str
    initial: float | None = 0.0


@dataclass
class Moment:
    """What all weights share in one step, f32 scalars; `step` counts from 1.

    A weight of another dtype sees them in its own.
    """

    iterations: Value
    learning_rate: Value
    step: Value
    shared: Slots = field(default_factory=dict)

    def in_dtype(self, dtype: str) -> Moment:
        """The same numbers in the dtype of a weight."""
        if dtype == "f32":
            return self
        shared = {name: ops.cast(value, dtype) for name, value in self.shared.items()}
        rate, step = (ops.cast(value, dtype) for value in (self.learning_rate, self.step))
        return Moment(self.iterations, rate, step, shared)
