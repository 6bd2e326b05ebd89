"""The search over schedules: finds are used, kept, never trusted blindly, and change no bit."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

import kerac
from kerac.backends.llvm.code_cache import CodeCache
from kerac.backends.llvm.jit import load_plan
from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.plan import Plan
from kerac.backends.llvm.schedules import Question, Schedules
from kerac.backends.llvm.target import Target, find_target
from kerac.backends.llvm.tuning import LARGEST, Tuner, alone
from kerac.ir import CompileError, Graph, Value, parse
from kerac.passes.pipeline import run_pipeline
from kerac.runtime import Executable
from tests.llvm.native import random_inputs

GENERATOR = np.random.default_rng(5)
SHAPES = {
    "first": (3, 3, 5, 40),
    "second": (3, 3, 40, 48),
    "point": (1, 1, 48, 33),
    "hidden": (33 * 25, 70),
    "grouped": (2, 3, 12, 36),
}
ARRAYS = {
    name: (GENERATOR.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)
    for name, shape in SHAPES.items()
}
TEXT = """
def net(x: f32[N, 11, 11, 5], y: f32[N, 9, 21, 36]):
    a: f32[3, 3, 5, 40] = parameter("first")
    b: f32[3, 3, 40, 48] = parameter("second")
    c: f32[1, 1, 48, 33] = parameter("point")
    d: f32[825, 70] = parameter("hidden")
    e: f32[2, 3, 12, 36] = parameter("grouped")
    one = convolution(x, a, activation="relu", padding="same")
    two = convolution(one, b, strides=(2, 2))
    three = convolution(two, c)
    flat = reshape(three, shape=(N, 825))
    four = dense(flat, d, activation="tanh")
    five = convolution(y, e, groups=3, padding="same")
    return four, five
"""


@dataclass
class Clock:
    """Says that the candidate of a number is the fastest; repeats itself unless it is `fickle`."""

    fastest: int = 1
    fickle: bool = False
    cycles: float = 10_000.0
    batches: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def __call__(
        self, plans: Sequence[Plan], target: Target, inputs: Sequence[np.ndarray]
    ) -> list[float]:
        self.batches.append(len(inputs[0]))
        self.counts.append(len(plans))
        chosen = self.fastest % len(plans) if len(plans) > 2 else 1
        if self.fickle and len(self.counts) % 2 == 0:
            return [self.cycles, self.cycles]
        return [self.cycles / (1 + (number == chosen)) for number in range(len(plans))]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CodeCache:
    monkeypatch.setenv("KERAC_CACHE", str(tmp_path / "cache"))
    return CodeCache.of_user()


def network() -> Graph:
    return run_pipeline(parse(TEXT, arrays=ARRAYS)).graph


def target_called(name: str = "native", winograd: bool = False) -> Target:
    return replace(find_target(name), winograd=winograd)


def tuner(cache: CodeCache, clock: Clock, name: str = "native") -> Tuner:
    return Tuner(target_called(name), {"N": 1}, cache, clock)


def executable(plan: Plan, target: Target) -> Executable:
    loaded = load_plan(plan, target, "net")
    return Executable(loaded.information, loaded.keep)


@pytest.mark.parametrize(("name", "fastest"), [("native", 1), ("native", 4), ("x86-64", -1)])
def test_finds_change_kernels_but_no_bit(cache: CodeCache, name: str, fastest: int) -> None:
    graph, target, search = network(), target_called(name), tuner(cache, Clock(fastest), name)
    plain, tuned = lower_graph(graph, target), lower_graph(graph, target, search.tune(graph))
    assert len(search.finds) == len(SHAPES)
    assert any(find.found != find.default for find in search.finds.values())
    assert all(find.gain == 2 for find in search.finds.values() if find.found != find.default)
    assert [str(kernel) for kernel in plain.kernels] != [str(kernel) for kernel in tuned.kernels]
    one, two = executable(plain, target), executable(tuned, target)
    for rows in (1, 2, 7):
        inputs = random_inputs(graph, {"N": rows}, rows)
        for expected, found in zip(one(*inputs), two(*inputs), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_finds_are_kept(cache: CodeCache) -> None:
    clock, again, graph = Clock(), Clock(), network()
    first, second = tuner(cache, clock), tuner(cache, again)
    schedules = first.tune(graph)
    assert set(clock.batches) == {1}
    assert second.tune(graph).finds == schedules.finds
    assert second.finds == first.finds
    assert not again.counts
    # for other lengths and other targets they say nothing
    for other in (
        Tuner(target_called(), {"N": 3}, cache, again),
        Tuner(replace(target_called(), cpu="another"), {"N": 1}, cache, again),
    ):
        asked = questions(other, graph)
        assert all(other._known(question) is None for question in asked)


def questions(search: Tuner, graph: Graph) -> list[Question]:
    schedules = search.schedules()
    lower_graph(graph, search.target, schedules)
    assert len(schedules.asked) == len(SHAPES)
    return list(schedules.asked.values())


def test_damaged_finds_are_made_anew(cache: CodeCache) -> None:
    graph, again = network(), Clock()
    first, second = tuner(cache, Clock()), tuner(cache, again)
    first.tune(graph)
    for number, entry in enumerate(cache.entries()):
        Path(entry.path).write_bytes([b"", b"short", b"\0" * 500][number % 3])
    second.tune(graph)
    assert second.finds == first.finds
    assert again.counts


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[",
        b"[]",
        b'{"found": 3, "gain": 1.5}',
        b'{"found": "1000x1000", "gain": 1.5}',
        b'{"gain": 1.5}',
        b"[" * 100_000,
    ],
)
def test_finds_that_make_no_sense_are_not_taken(cache: CodeCache, content: bytes) -> None:
    search = tuner(cache, Clock())
    for question in questions(search, network()):
        cache.put(search._digest(question), content)
        assert search._known(question) is None


def test_names_that_no_candidate_has_mean_the_default(cache: CodeCache) -> None:
    graph, search = network(), tuner(cache, Clock())
    asked = questions(search, graph)
    odd = Schedules({question.key: "1000x1000" for question in asked}, search.lengths)
    assert str(lower_graph(graph, search.target, odd)) == str(lower_graph(graph, search.target))


@pytest.mark.parametrize("clock", [Clock(fickle=True), Clock(cycles=200.0)])
def test_a_gain_must_show_twice_and_be_more_than_steps_of_the_counter(
    cache: CodeCache, clock: Clock
) -> None:
    search = tuner(cache, clock)
    search.tune(network())
    assert all(find.found == find.default and find.gain == 1 for find in search.finds.values())


def test_where_transforms_are_allowed_they_are_tried_first(cache: CodeCache) -> None:
    graph = parse(
        """
def net(x: f32[N, 56, 56, 64]):
    kernel: f32[3, 3, 64, 64] = parameter("kernel")
    return convolution(x, kernel, padding="same")
""",
        arrays={"kernel": np.ones((3, 3, 64, 64), np.float32)},
    )
    search = Tuner(target_called("avx2", winograd=True), {"N": 1}, cache, Clock(fastest=2))
    schedules = search.tune(graph)
    way, tile = search.finds.values()
    assert (way.default, way.found) == ("transformed", "direct")
    assert tile.found != tile.default
    assert lower_graph(graph, search.target, schedules).kernels[0].name.startswith("convolution")


def test_nothing_is_measured_that_is_too_large_or_has_no_length(cache: CodeCache) -> None:
    columns = LARGEST // 4
    text = """
def net(x: f32[N, T, 4], wide: f32[N, 1, 4]):
    kernel: f32[4, {}] = parameter("kernel")
    return dense({}, kernel)
"""
    for number, operand in ((columns, "wide"), (64, "x")):
        arrays = {"kernel": np.zeros((4, number), np.float32)}
        clock = Clock()
        search = tuner(cache, clock)
        search.tune(parse(text.format(number, operand), arrays=arrays))
        assert all(find.found == find.default for find in search.finds.values())
        assert not clock.counts


def test_the_clock_of_this_machine(cache: CodeCache) -> None:
    graph = parse(
        """
def net(x: f32[N, 8]):
    kernel: f32[8, 32] = parameter("kernel")
    return dense(x, kernel)
""",
        arrays={"kernel": np.ones((8, 32), np.float32)},
    )
    steps: list[str] = []
    search = Tuner(find_target(), {"N": 1}, cache, on_step=steps.append)
    search.tune(graph)
    assert len(search.finds) == len(steps) == 1


def test_an_anchor_alone_computes_the_same() -> None:
    graph = network()
    anchors: list[Value] = [value for value in graph.values if "convolution" in value.op.text_name]
    for anchor in anchors:
        single = alone(anchor)
        assert single.outputs[0].type == anchor.type
        assert [value.op for value in single.outputs] == [anchor.op]


def test_libraries_are_tuned_for_this_machine_alone(
    cache: CodeCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CompileError, match="measures on this machine, but the target is portable"):
        kerac.compile_library(network(), tmp_path / "net.so", tune=True)
