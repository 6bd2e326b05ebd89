"""What strides skip is not computed: random networks, and where all positions are needed."""

from __future__ import annotations

import numpy as np
import pytest

from kerac.ir import Graph, evaluate_graph, parse, verify
from kerac.passes.check import random_inputs
from kerac.passes.skip_positions import SkipPositions
from tests.compare import assert_close


class Writer:
    """Lines of a random network of images, whose shapes are chosen as they are written."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.arrays: dict[str, np.ndarray] = {}
        self.lines: list[str] = []
        self.shapes = {"x": (*map(int, self.random.integers(5, 12, 2)), 3)}

    def pick(self, *among: str) -> str:
        return str(self.random.choice(among or list(self.shapes)))

    def convolution(self, x: str) -> None:
        """One of few or many strides; its residual may be what was computed before."""
        height, width, channels = self.shapes[x]
        window, strides = self.random.choice([1, 1, 3], 2), self.random.integers(1, 4, 2)
        padding = self.pick("valid", "same")
        if padding == "same":
            shape = tuple(-(-n // s) for n, s in zip((height, width), strides, strict=True))
        else:
            pairs = zip((height, width), window, strides, strict=True)
            shape = tuple((n - w) // s + 1 for n, w, s in pairs)
        if min(shape) < 1:
            return
        name, filters = f"k{len(self.arrays)}", int(self.random.integers(2, 5))
        self.arrays[name] = self.random.normal(size=(*window, channels, filters)).astype("f")
        shape = (*map(int, shape), filters)
        same = [value for value, other in self.shapes.items() if other == shape]
        residual = f", residual={self.pick(*same)}" if same else ""
        steps = tuple(map(int, strides))
        arguments = f"{x}, {name}{residual}, strides={steps}, padding={padding!r}"
        self.write(f"convolution({arguments})", shape)

    def elementwise(self, x: str) -> None:
        same = [value for value, other in self.shapes.items() if other == self.shapes[x]]
        call = self.pick("relu", "add", "multiply")
        other = "" if call == "relu" else f", {self.pick(*same, '0.5')}"
        self.write(f"{call}({x}{other})", self.shapes[x])

    def slice(self, x: str) -> None:
        height, width, channels = self.shapes[x]
        a, b = map(int, self.random.integers(1, 4, 2))
        stop = f"(N, {height}, {width}, {channels})"
        shape = (-(-height // a), -(-width // b), channels)
        self.write(f"slice({x}, start=(0, 0, 0, 0), stop={stop}, step=(1, {a}, {b}, 1))", shape)

    def write(self, call: str, shape: tuple[int, ...]) -> None:
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {call}")
        self.shapes[name] = shape

    def graph(self) -> Graph:
        for _ in range(9):
            newest = list(self.shapes)[-1]
            x = self.pick(newest, newest, *self.shapes)
            kinds = [self.convolution, self.convolution, self.elementwise, self.slice]
            self.random.choice(kinds)(x)
        height, width, channels = self.shapes["x"]
        kernels = [
            f"{name}: f32[{', '.join(map(str, array.shape))}] = parameter({name!r})"
            for name, array in self.arrays.items()
        ]
        others = [self.pick() for _ in range(self.random.integers(2))]
        results = [*list(self.shapes)[-1:], *others]
        lines = [*kernels, *self.lines, f"return {', '.join(results)}"]
        head = f"def f(x: f32[N, {height}, {width}, {channels}]):"
        return parse("\n    ".join([head, *lines]), arrays=self.arrays)


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_keep_their_numbers(seed: int) -> None:
    before = Writer(seed).graph()
    after = SkipPositions()(before)
    verify(after)
    inputs = random_inputs(before, seed=seed)
    wanted, found = evaluate_graph(before, inputs), evaluate_graph(after, inputs)
    for one, other in zip(found, wanted, strict=True):
        assert_close(one, other)


HEAD = "x: f32[N, 8, 8, 3], k: f32[1, 1, 3, 3], w: f32[3, 3, 3, 3]"
STRIDED = "convolution(y, k, strides=(2, 2))"
KEPT = [
    # windows that slide, padding, groups
    "return convolution(x, w, strides=(2, 2))",
    "return convolution(x, k, strides=(2, 2), padding=((1, 1), (1, 1)))",
    "return convolution(x, d, strides=(2, 2), groups=3)",
    # elements are skipped, or a part is taken
    "return slice(exp(x), start=(0, 0, 0, 0), stop=(N, 8, 8, 3), step=(1, 1, 1, 2))",
    "return slice(exp(x), start=(0, 1, 0, 0), stop=(N, 8, 8, 3), step=(1, 2, 2, 1))",
]


@pytest.mark.parametrize("lines", KEPT)
def test_what_is_needed_is_kept(lines: str) -> None:
    graph = parse(f"def f({HEAD}, d: f32[1, 1, 1, 3]):\n    {lines}")
    assert SkipPositions()(graph) is graph


@pytest.mark.parametrize("other", ["convolution(y, w)", "y", "convolution(y, k, strides=(3, 3))"])
def test_all_readers_count(other: str) -> None:
    graph = parse(f"def f({HEAD}):\n    y = exp(x)\n    z = {STRIDED}\n    return z, {other}")
    text = str(SkipPositions()(graph))
    assert "exp(x)" in text
    assert "slice(y, " in text
    assert "strides=(2, 2)" not in text


def test_readers_that_skip_the_same_share_it() -> None:
    graph = parse(f"def f({HEAD}):\n    y = exp(x)\n    z = {STRIDED}\n    return z, {STRIDED}")
    text = str(SkipPositions()(graph))
    assert text.count("slice(") == 1
    assert "slice(x, " in text


def test_lengths_may_be_symbols() -> None:
    lines = ["y = convolution(x, w, padding='same')", f"return {STRIDED}"]
    head = HEAD.replace("8, 8", "H, W")
    after = SkipPositions()(parse(f"def f({head}):\n    " + "\n    ".join(lines)))
    verify(after)
    assert "slice(" not in str(after)
