"""One row of scores on its way to powers: all of it in registers, or vector after vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kerac.backends.llvm.accumulation import joined
from kerac.backends.llvm.kernel import Index, Kind, Mask, Pointer, Register
from kerac.backends.llvm.lowering import GroupKernel


@dataclass(frozen=True)
class AllScores:
    """A row that fits in registers, where nothing waits for the vector before it."""

    k: GroupKernel
    scores: Pointer
    start: Index
    width: int

    def _vectors(self) -> list[tuple[Index, Mask, Register]]:
        k, lanes = self.k, self.k.lanes
        found = []
        for first in range(0, self.width, lanes):
            place, mask = k.add(self.start, first), k.tail_mask(self.width - first, lanes)
            found.append((place, mask, k.load(self.scores, place, lanes, mask)))
        return found

    def highest(self, before: float) -> Register:
        """The highest score of each lane; `before` is below all scores."""
        kept = [self.k.keep(mask, score, before) for _, mask, score in self._vectors()]
        top: Register = joined(kept, self.k.maximum)
        return top

    def powers(self, top: Register) -> Register:
        """exp(score - top) in the place of each score, and the sum of each lane."""
        k, kept = self.k, []
        for place, mask, score in self._vectors():
            value = k.mathematics.exp(score - top)
            k.store(self.scores, place, value, mask)
            kept.append(k.keep(mask, value, 0.0))
        total: Register = joined(kept, k.add)
        return total


@dataclass(frozen=True)
class ScoresInTurn:
    """A row of any width."""

    k: GroupKernel
    scores: Pointer
    start: Index
    width: Index

    def highest(self, before: float) -> Register:
        """The highest score of each lane; `before` is below all scores."""
        k = self.k

        def higher(place: Index, mask: Mask, top: Any) -> Any:
            return k.maximum(top, k.keep(mask, self._at(place, mask), before))

        return self._over(higher, before)

    def powers(self, top: Register) -> Register:
        """exp(score - top) in the place of each score, and the sum of each lane."""
        k = self.k

        def power(place: Index, mask: Mask, total: Any) -> Any:
            value = k.mathematics.exp(self._at(place, mask) - top)
            k.store(self.scores, place, value, mask)
            return total + k.keep(mask, value, 0.0)

        return self._over(power, 0.0)

    def _at(self, place: Index, mask: Mask) -> Register:
        return self.k.load(self.scores, place, self.k.lanes, mask)

    def _over(self, body: Callable[[Index, Mask, Any], Any], start: float) -> Register:
        """body(place, mask, carried) over all vectors."""
        k, lanes, width = self.k, self.k.lanes, self.width
        full = k.quotient(width, lanes) * lanes
        rest = k.tail_mask(k.subtract(width, full), lanes)
        carried: Any = k.number(start, Kind(self.scores.dtype, lanes))
        (carried,) = k.loop(
            "i",
            0,
            full,
            lambda i, value: [body(k.add(self.start, i), None, value)],
            step=lanes,
            carried=[carried],
        )
        (carried,) = k.loop(
            "i",
            full,
            width,
            lambda i, value: [body(k.add(self.start, i), rest, value)],
            step=lanes,
            carried=[carried],
        )
        result: Register = carried
        return result
