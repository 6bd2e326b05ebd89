"""The layered drawing: what it promises of every graph, and how straight it is on plain ones."""

import numpy as np
import pytest

from kerac.inspector.layout import GAP_ACROSS, layered_layout, nearest_free, spread

Edges = list[tuple[int, int]]


def random_graph(seed: int, count: int) -> tuple[list[tuple[float, float]], Edges]:
    generator = np.random.default_rng(seed)
    sizes = [(float(w), 50.0) for w in generator.integers(80, 300, count)]
    edges = []
    for target in range(1, count):
        for source in generator.integers(max(0, target - 9), target, generator.integers(0, 3)):
            edges.append((int(source), target))
    return sizes, edges


@pytest.mark.parametrize("seed", range(20))
def test_boxes_stand_apart_and_below_what_they_read(seed: int) -> None:
    sizes, edges = random_graph(seed, 5 + 7 * seed)
    layout = layered_layout(sizes, edges)
    for source, target in edges:
        assert layout.centres[source][1] + 50 < layout.centres[target][1]
    for i, (x, y) in enumerate(layout.centres):
        left, right = x - sizes[i][0] / 2, x + sizes[i][0] / 2
        assert left >= -1e-6
        assert right <= layout.width + 1e-6
        assert 25 <= y <= layout.height - 25
        for j in range(i):
            distance = (sizes[i][0] + sizes[j][0]) / 2 + GAP_ACROSS
            other_x, other_y = layout.centres[j]
            assert abs(y - other_y) >= 50 or abs(x - other_x) >= distance - 1e-6


@pytest.mark.parametrize("seed", range(20))
def test_lines_lead_from_box_to_box_and_through_none(seed: int) -> None:
    sizes, edges = random_graph(seed, 5 + 5 * seed)
    layout = layered_layout(sizes, edges)
    for (source, target), points in zip(edges, layout.lines, strict=True):
        (x, y), (end_x, end_y) = points[0], points[-1]
        assert (x, y) == pytest.approx((layout.centres[source][0], layout.centres[source][1] + 25))
        assert end_y == pytest.approx(layout.centres[target][1] - 25)
        assert abs(end_x - layout.centres[target][0]) < sizes[target][0] / 2
        for px, py in points[1:-1]:
            for box, (cx, cy) in enumerate(layout.centres):
                inside = abs(px - cx) < sizes[box][0] / 2 and abs(py - cy) < 24
                assert not inside, f"a line to {target} runs through {box}"


def test_a_chain_is_straight() -> None:
    sizes = [(100.0 + 10 * (i % 3), 50.0) for i in range(40)]
    layout = layered_layout(sizes, [(i, i + 1) for i in range(39)])
    assert np.ptp([x for x, _ in layout.centres]) < 1


def test_a_chain_with_detours_stays_straight() -> None:
    sizes = [(120.0, 50.0)] * 31
    edges = [(i, i + 1) for i in range(30)] + [(i, i + 3) for i in range(0, 28, 3)]
    layout = layered_layout(sizes, edges)
    assert np.ptp([x for x, _ in layout.centres]) < 12


def test_branches_do_not_cross() -> None:
    # two inputs, each with a chain of its own that meet at the end
    edges = [(0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6)]
    layout = layered_layout([(100.0, 50.0)] * 7, edges)
    x = [x for x, _ in layout.centres]
    assert np.sign(x[0] - x[1]) == np.sign(x[2] - x[3]) == np.sign(x[4] - x[5])


def test_nothing_and_one_box() -> None:
    assert layered_layout([], []).centres == []
    assert layered_layout([(100.0, 50.0)], []).centres == [(50.0, 25.0)]


def test_the_same_value_read_twice_is_two_lines() -> None:
    layout = layered_layout([(100.0, 50.0)] * 2, [(0, 1), (0, 1)])
    assert layout.lines[0][-1] != layout.lines[1][-1]


@pytest.mark.parametrize("seed", range(20))
def test_spread_is_the_least_squares_solution(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 7))
    wishes = [
        (float(generator.normal(0, 40)), float(generator.uniform(0.5, 5))) for _ in range(count)
    ]
    gaps = [float(generator.uniform(5, 40)) for _ in range(count - 1)]
    places = np.array(spread(wishes, gaps))
    assert (np.diff(places) >= np.array(gaps) - 1e-9).all()

    def cost(x: np.ndarray) -> float:
        return sum(w * (p - x_i) ** 2 for (p, w), x_i in zip(wishes, x, strict=True))

    # no allowed move makes it better: pushing a group of neighbours either way
    for start in range(count):
        for stop in range(start + 1, count + 1):
            for step in (-1e-3, 1e-3):
                moved = places.copy()
                moved[start:stop] += step
                if (np.diff(moved) >= np.array(gaps) - 1e-12).all():
                    assert cost(moved) >= cost(places) - 1e-9


def test_lines_that_pass_layers_are_straight() -> None:
    sizes = [(120.0 + 60 * (i % 3), 50.0) for i in range(31)]
    edges = [(i, i + 1) for i in range(30)] + [(i, i + 6) for i in range(0, 25, 6)]
    for points in layered_layout(sizes, edges).lines[30:]:
        assert np.ptp([x for x, _ in points[1:-1]]) == 0


@pytest.mark.parametrize("seed", range(20))
def test_the_nearest_free_place(seed: int) -> None:
    generator = np.random.default_rng(seed)
    spans = [(float(a), float(a + b)) for a, b in generator.integers(1, 30, (seed, 2))]
    wish = float(generator.integers(0, 60))
    place = nearest_free(wish, spans)

    def is_free(x: float) -> bool:
        return not any(start < x < stop for start, stop in spans)

    assert is_free(place)
    for step in np.arange(0, abs(place - wish), 0.5):
        assert not is_free(wish + step)
        assert not is_free(wish - step)
