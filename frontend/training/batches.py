"""What a training loop reads: batches of inputs, targets and weights, epoch by epoch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from kerac.ir.errors import CompileError, InternalError


class Batch(NamedTuple):
    """Structures of arrays whose first axes are as long as the batch; None where there is none."""

    x: Any
    y: Any = None
    sample_weight: Any = None


class Batches:
    """All batches of an epoch, as often as there are epochs."""

    @property
    def count(self) -> int | None:
        """Number of batches of an epoch; None where nobody knows."""
        return None

    def epoch(self, number: int = 0) -> Iterator[Batch]:
        """The batches of the `number`-th epoch."""
        raise InternalError(f"{type(self).__name__} gives no batches")

    def pieces(self, number: int = 0) -> Iterator[Any]:
        """The batches of the `number`-th epoch, each as it is or as something to take it from."""
        return self.epoch(number)

    def on_epoch_end(self) -> None:
        """What the data wants to do after an epoch."""


class Epochs:
    """Batches cut into epochs of `steps`, or each as long as the data has batches.

    With `steps` an epoch goes on in the data where the one before ended.
    """

    def __init__(self, batches: Batches, steps: int | None = None) -> None:
        from kerac.config import max_steps_per_epoch

        if steps is not None and steps < 1:
            raise CompileError(f"steps is {steps}, but must be positive")
        self.batches = batches
        self._most = max_steps_per_epoch()
        self.steps = self._limited(steps)
        self._known: int | None = None
        self._rest: Iterator[Any] | None = None
        self._passes = 0

    @property
    def count(self) -> int | None:
        """Number of batches of an epoch; known after the first one at the latest."""
        return self.steps or self._limited(self.batches.count) or self._known

    def _limited(self, count: int | None) -> int | None:
        """A number of batches within the limit that is set for all epochs."""
        return count if self._most is None or count is None else min(count, self._most)

    def epoch(self, number: int = 0) -> Iterator[Batch]:
        """The batches of the `number`-th epoch."""
        return (taken(piece) for piece in self.pieces(number))

    def go_on(self, epoch: int) -> None:
        """Pass over the epochs before `epoch`, where the data goes on from one to the next."""
        if self.steps is not None:
            for number in range(epoch):
                for _ in self.pieces(number):
                    pass

    def pieces(self, number: int = 0) -> Iterator[Any]:
        """The same, taken from the data later where it can be."""
        if self.steps is None:
            found = 0
            for batch in islice(self.batches.pieces(number), self._most):
                found += 1
                yield batch
            if found == 0:
                raise CompileError(
                    f"the data has no batches in epoch {number + 1}",
                    remedy="A generator is empty after one epoch: give steps_per_epoch, "
                    "or data that can be read again.",
                )
            self._known = found
        else:
            yield from self._steps(self.steps)
        self.batches.on_epoch_end()

    def _steps(self, steps: int) -> Iterator[Any]:
        taken = 0
        if self._rest is not None:
            for batch in self._rest:
                taken += 1
                yield batch
                if taken == steps:
                    return
            self._rest = None
        if not taken:
            self._rest = self.batches.pieces(self._passes)
            self._passes += 1
            for batch in self._rest:
                taken += 1
                yield batch
                if taken == steps:
                    return
            self._rest = None
        warnings.warn(
            f"the data ended after {taken} of the {steps} steps of an epoch; "
            "give data that repeats, or fewer steps",
            stacklevel=2,
        )


def taken(piece: Any) -> Batch:
    """The batch that a piece is or stands for."""
    found: Batch = piece if isinstance(piece, Batch) else piece.taken()
    return found


def unpacked(given: Any) -> Batch:
    """A batch from what generators give: x, (x, y) or (x, y, sample_weight)."""
    if isinstance(given, list):
        given = tuple(given)
    if not isinstance(given, tuple):
        return Batch(given)
    if not 1 <= len(given) <= 3:
        raise CompileError(
            f"a batch has {len(given)} parts, but must be x, (x, y) or (x, y, sample_weight)"
        )
    return Batch(*given)
