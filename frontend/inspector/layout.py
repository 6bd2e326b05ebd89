"""Where the boxes of a graph stand and how its lines run: a layered drawing from top to bottom.

A box stands below all boxes it reads. Lines that pass several layers run through a slot in each of
them, which all lines from one box share. Slots are ordered so that lines cross little, then moved
sideways so that chains of boxes are straight; last, each trunk of lines takes one straight column.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP_ACROSS = 26.0
GAP_DOWN = 44.0
LINE_WIDTH = 10.0  # what a line needs of a layer that it passes
ORDER_SWEEPS = 16
PLACE_SWEEPS = 24

Point = tuple[float, float]
Span = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Centres of the boxes, points of each line, and the size of the whole drawing."""

    centres: list[Point]
    lines: list[list[Point]]
    width: float
    height: float


def layered_layout(
    sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]
) -> Layout:
    """Place boxes of `sizes` (width, height); each edge leads from a box to a later one."""
    if not sizes:
        return Layout([], [], 0.0, 0.0)
    slots = _Slots(sizes, edges)
    layers = _ordered(slots)
    x = _across(slots, layers)
    _straighten(slots, layers, x)
    y, height = _down(slots, layers)
    left = min(x[i] - slots.widths[i] / 2 for i in range(len(x)))
    right = max(x[i] + slots.widths[i] / 2 for i in range(len(x)))
    x = [place - left for place in x]
    lines = _lines(slots, edges, x, y)
    return Layout(list(zip(x, y, strict=True))[: len(sizes)], lines, right - left, height)


class _Slots:
    """The boxes, and after them the slots of lines that pass a layer."""

    def __init__(
        self, sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]
    ) -> None:
        self.boxes = len(sizes)
        self.widths = [width for width, _ in sizes]
        self.heights = [height for _, height in sizes]
        self.ranks = _ranks(len(sizes), edges)
        self.above: list[list[int]] = [[] for _ in sizes]
        self.below: list[list[int]] = [[] for _ in sizes]
        self.trunks: list[list[int]] = [[] for _ in sizes]
        for source, target in edges:
            last = self._extend(source, self.ranks[target] - 1)
            if last not in self.above[target]:
                self.above[target].append(last)
                self.below[last].append(target)

    def _extend(self, source: int, rank: int) -> int:
        """The slot in `rank` of the trunk from `source`, made where it is not there."""
        trunk = self.trunks[source]
        while self.ranks[source] + len(trunk) < rank:
            last = trunk[-1] if trunk else source
            slot = len(self.widths)
            self.widths.append(LINE_WIDTH)
            self.heights.append(0.0)
            self.ranks.append(self.ranks[last] + 1)
            self.above.append([last])
            self.below.append([])
            self.below[last].append(slot)
            trunk.append(slot)
        step = rank - self.ranks[source]
        return trunk[step - 1] if step else source

    def is_box(self, slot: int) -> bool:
        return slot < self.boxes

    def pulls(self, slot: int, neighbours: list[int]) -> list[tuple[int, float]]:
        """What a slot wants to be straight with, and how much: its like, else whatever is there."""
        like = [other for other in neighbours if self._are_like(slot, other)]
        if like:
            return [(other, self.weight(slot)) for other in like]
        if any(self._are_like(slot, other) for other in self.above[slot] + self.below[slot]):
            return []
        return [(other, 0.5) for other in neighbours]

    def weight(self, slot: int) -> float:
        """How much a slot holds its place against those beside it: lines make room for boxes."""
        return 64.0 if self.is_box(slot) else 4.0

    def _are_like(self, slot: int, other: int) -> bool:
        return self.is_box(slot) == self.is_box(other)


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    ranks = [0] * count
    readers: list[list[int]] = [[] for _ in range(count)]
    has_operands = [False] * count
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        ranks[target] = max(ranks[target], ranks[source] + 1)
        readers[source].append(target)
        has_operands[target] = True
    for box in range(count):
        # an input stands just above what reads it first
        if not has_operands[box] and readers[box]:
            ranks[box] = min(ranks[reader] for reader in readers[box]) - 1
    return ranks


def _ordered(slots: _Slots) -> list[list[int]]:
    """The slots of each layer from left to right, with few crossings."""
    layers: list[list[int]] = [[] for _ in range(max(slots.ranks) + 1)]
    for slot in _depth_first(slots):
        layers[slots.ranks[slot]].append(slot)
    best, fewest = [list(layer) for layer in layers], _crossings(slots, layers)
    for sweep in range(ORDER_SWEEPS):
        if not fewest:
            break
        neighbours, positions = slots.above if sweep % 2 == 0 else slots.below, _positions(layers)
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            _sort_by_neighbours(layer, neighbours, positions)
        crossings = _crossings(slots, layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    return best


def _depth_first(slots: _Slots) -> list[int]:
    """All slots, each followed by those below it: neighbours in a layer then belong together."""
    order: dict[int, None] = {}
    for root in range(len(slots.widths)):
        stack = [root]
        while stack:
            slot = stack.pop()
            if slot not in order:
                order[slot] = None
                stack.extend(reversed(slots.below[slot]))
    return list(order)


def _positions(layers: list[list[int]]) -> dict[int, int]:
    return {slot: place for layer in layers for place, slot in enumerate(layer)}


def _sort_by_neighbours(
    layer: list[int], neighbours: list[list[int]], positions: dict[int, int]
) -> None:
    def middle(slot: int) -> float:
        places = [positions[other] for other in neighbours[slot]]
        return sum(places) / len(places) if places else positions[slot]

    layer.sort(key=middle)
    positions.update((slot, place) for place, slot in enumerate(layer))


def _crossings(slots: _Slots, layers: list[list[int]]) -> int:
    positions, total = _positions(layers), 0
    for layer in layers:
        seen: list[int] = []
        for slot in layer:
            ends = sorted(positions[other] for other in slots.below[slot])
            total += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _across(slots: _Slots, layers: list[list[int]]) -> list[float]:
    """The centre of each slot: sweeps pull it towards its neighbours as far as its layer allows."""
    x = [0.0] * len(slots.widths)
    for layer in layers:
        for left, right in pairwise(layer):
            x[right] = x[left] + _distance(slots, left, right)
        middle = (x[layer[0]] + x[layer[-1]]) / 2
        for slot in layer:
            x[slot] -= middle
    for sweep in range(PLACE_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            # first only towards one side, so that whole chains move; in the end towards both
            both = sweep >= PLACE_SWEEPS // 2
            wishes = [
                _wish(slots, slot, x, sweep % 2 == 0 or both, sweep % 2 == 1 or both)
                for slot in layer
            ]
            gaps = [_distance(slots, a, b) for a, b in pairwise(layer)]
            for slot, place in zip(layer, spread(wishes, gaps), strict=True):
                x[slot] = place
    return x


def _straighten(slots: _Slots, layers: list[list[int]], x: list[float]) -> None:
    """Make the lines that pass layers straight: each takes the free column nearest to its ends."""
    taken: list[list[Span]] = [
        [_span(x[slot], slots.widths[slot] + GAP_ACROSS) for slot in layer if slots.is_box(slot)]
        for layer in layers
    ]
    # short ones first: they come to lie inside the long ones
    for source in sorted(range(slots.boxes), key=lambda box: len(slots.trunks[box])):
        trunk = slots.trunks[source]
        if not trunk:
            continue
        ends = [x[end] for slot in trunk for end in slots.below[slot] if slots.is_box(end)]
        wish = (x[source] + sum(ends) / len(ends)) / 2
        ranks = [slots.ranks[slot] for slot in trunk]
        column = nearest_free(wish, [span for rank in ranks for span in taken[rank]])
        for slot, rank in zip(trunk, ranks, strict=True):
            x[slot] = column
            taken[rank].append(_span(column, 2 * LINE_WIDTH))


def nearest_free(wish: float, taken: list[Span]) -> float:
    """The place nearest to `wish` that lies inside none of the open intervals `taken`."""
    left = right = wish
    for start, stop in sorted(taken):
        if start < right < stop:
            right = stop
    for start, stop in sorted(taken, key=lambda span: -span[1]):
        if start < left < stop:
            left = start
    return left if wish - left < right - wish else right


def _span(centre: float, width: float) -> Span:
    return centre - width / 2, centre + width / 2


def _distance(slots: _Slots, left: int, right: int) -> float:
    return (slots.widths[left] + slots.widths[right]) / 2 + GAP_ACROSS


def _wish(
    slots: _Slots, slot: int, x: list[float], upwards: bool, downwards: bool
) -> tuple[float, float]:
    """Where a slot wants to stand, and how much."""
    pulls = slots.pulls(slot, slots.above[slot]) if upwards else []
    pulls += slots.pulls(slot, slots.below[slot]) if downwards else []
    total = sum(weight for _, weight in pulls)
    if not total:
        return x[slot], slots.weight(slot)
    return sum(x[other] * weight for other, weight in pulls) / total, total


def spread(wishes: Sequence[tuple[float, float]], gaps: Sequence[float]) -> list[float]:
    """Places nearest to the weighted wishes (least squares) that keep order and gaps.

    Less the gaps before it, each place must not be smaller than the one before: an isotonic
    regression, solved exactly by pooling neighbours that violate it.
    """
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for (wish, weight), offset in zip(wishes, offsets, strict=True):
        mean, members = wish - offset, 1
        while pools and pools[-1][0] >= mean:
            other, other_weight, other_members = pools.pop()
            mean = (mean * weight + other * other_weight) / (weight + other_weight)
            weight += other_weight
            members += other_members
        pools.append((mean, weight, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _down(slots: _Slots, layers: list[list[int]]) -> tuple[list[float], float]:
    y, top = [0.0] * len(slots.widths), 0.0
    for layer in layers:
        height = max(slots.heights[slot] for slot in layer)
        for slot in layer:
            y[slot] = top + height / 2
            if not slots.is_box(slot):
                slots.heights[slot] = height  # a line passes the whole layer before it turns
        top += height + GAP_DOWN
    return y, top - GAP_DOWN


def _lines(
    slots: _Slots, edges: Sequence[tuple[int, int]], x: list[float], y: list[float]
) -> list[list[Point]]:
    """Each line from the bottom of its source to a place of its own at the top of its target."""
    entering: list[list[tuple[float, int]]] = [[] for _ in range(slots.boxes)]
    lines: list[list[Point]] = []
    for number, (source, target) in enumerate(edges):
        passed = slots.trunks[source][: slots.ranks[target] - slots.ranks[source] - 1]
        points = [(x[source], y[source] + slots.heights[source] / 2)]
        for slot in passed:
            half = slots.heights[slot] / 2
            points += [(x[slot], y[slot] - half), (x[slot], y[slot] + half)]
        entering[target].append((points[-1][0], number))
        lines.append(points)
    for target, ends in enumerate(entering):
        step = min(14.0, slots.widths[target] / (len(ends) + 1))
        for place, (_, number) in enumerate(sorted(ends)):
            offset = (place - (len(ends) - 1) / 2) * step
            lines[number].append((x[target] + offset, y[target] - slots.heights[target] / 2))
    return lines
