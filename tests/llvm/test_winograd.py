"""Convolutions by Winograd's transforms against the reference, and when they are chosen."""

from dataclasses import replace

import numpy as np
import pytest

from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.target import Target, find_target
from kerac.backends.llvm.winograd_schedule import (
    Shape,
    choose_blocking,
    direct_cycles,
    transformed_cycles,
)
from kerac.ir import Graph, evaluate_graph, parse
from tests.compare import assert_close
from tests.llvm.native import check, compile_graph, random_inputs

TARGETS = ("native", "avx2", "x86-64")


STRIPES = "kerac.backends.llvm.winograd_stripes"


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transforms wherever they serve, however slow."""
    monkeypatch.setattr(f"{STRIPES}.direct_cycles", lambda shape, target: float("inf"))


def prefer(monkeypatch: pytest.MonkeyPatch, outputs: int) -> None:
    """Tiles with so many results along an axis, where both kinds serve."""
    monkeypatch.setattr(
        f"{STRIPES}.transformed_cycles", lambda shape, target: abs(shape.outputs - outputs)
    )


def convolution(
    size: tuple[int, int],
    channels: int,
    filters: int,
    padding: object,
    more: str = "",
    seed: int = 0,
) -> tuple[str, dict[str, np.ndarray]]:
    """The text of a graph and its weights; `more` goes into the call."""
    generator = np.random.default_rng(seed)
    kernel = generator.normal(size=(3, 3, channels, filters)) / np.sqrt(9 * channels)
    shape = ", ".join(map(str, ("N", *size, channels)))
    text = f"""
def f(x: f32[{shape}], b: f32[{filters}]):
    k: f32[3, 3, {channels}, {filters}] = parameter("k")
    y = convolution(x, k, bias=b, padding={padding!r}{more})
    return y
"""
    return text, {"k": kernel.astype(np.float32)}


def uses_transforms(graph: Graph, target: Target | None = None) -> bool:
    """Whether any kernel does."""
    plan = lower_graph(graph, target or find_target())
    return any(buffer.name == "elements" for buffer in plan.buffers)


@pytest.mark.parametrize(
    ("size", "channels", "filters", "padding", "batch", "target"),
    [
        ((8, 8), 16, 32, "same", 2, "native"),
        ((1, 1), 3, 1, "same", 3, "native"),
        ((3, 3), 3, 1, "valid", 2, "native"),
        ((9, 10), 20, 40, "valid", 3, "avx2"),  # the last columns have a mask
        ((7, 7), 130, 70, "same", 5, "x86-64"),  # several chunks of channels, the last one short
        ((7, 7), 130, 150, "same", 5, "native"),  # too many filters to keep
        ((7, 7), 136, 40, "same", 1, "native"),  # few tiles
        ((7, 7), 136, 40, "same", 2, "native"),  # more tiles than are few
        ((23, 45), 7, 3, "same", 2, "native"),  # a band ends within an image
        ((14, 5), 5, 33, ((2, 0), (0, 3)), 2, "avx2"),
        ((66, 4), 9, 17, ((0, 0), (1, 1)), 1, "native"),
        ((80, 80), 12, 8, "same", 1, "native"),  # elements are far, some stripes at a time
        ((17, 17), 40, 33, "valid", 3, "native"),  # more tiles across than a stripe has
    ],
)
@pytest.mark.parametrize("outputs", [4, 2])
def test_transforms(
    size: tuple[int, int],
    channels: int,
    filters: int,
    padding: object,
    batch: int,
    target: str,
    outputs: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefer(monkeypatch, outputs)
    text, weights = convolution(size, channels, filters, padding)
    assert uses_transforms(parse(text, arrays=weights), find_target(target))
    check(text, {"N": batch}, weights, target=target)


@pytest.mark.parametrize("seed", range(12))
def test_random_transforms(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    prefer(monkeypatch, (4, 2)[seed % 2])
    generator = np.random.default_rng(seed)
    size = tuple(map(int, generator.integers(3, 30, 2)))
    channels, filters = map(int, generator.integers(1, 90, 2))
    padding = ("same", "valid", ((1, 0), (0, 2)), ((0, 3), (2, 2)))[seed % 4]
    text, weights = convolution(size, channels, filters, padding, ', activation="relu"', seed)
    text = text.replace("return y", "z = tanh(y)\n    return z")
    batch = int(generator.integers(1, 6))
    check(text, {"N": batch}, weights, seed=seed, target=TARGETS[seed % len(TARGETS)])


def test_residual_is_added_before_the_activation() -> None:
    text, weights = convolution((10, 9), 8, 24, "same", ', residual=r, activation="relu"')
    text = text.replace("b: f32[24]", "b: f32[24], r: f32[N, 10, 9, 24]")
    check(text, weights=weights)


def test_elements_may_be_a_piece_of_a_wider_array() -> None:
    text, weights = convolution((8, 9), 12, 20, "same")
    text = text.replace("return y", "z = concatenate(x, y, axis=3)\n    return z")
    text = text.replace("convolution(x", "convolution(relu(x)").replace("(x, y", "(relu(x), y")
    check(text, weights=weights)


@pytest.mark.parametrize(
    ("size", "channels", "filters"),
    [
        ((7, 7), 72, 96),
        ((15, 18), 72, 96),
        ((15, 18), 70, 20),  # one block of columns, so that threads share tiles only
        ((7, 7), 130, 150),  # too many filters to keep
        ((13, 9), 20, 70),  # few filters, which are transformed when the model is compiled
        ((37, 11), 17, 20),
    ],
)
@pytest.mark.parametrize("outputs", [4, 2])
def test_results_depend_on_neither_batch_nor_threads(
    size: tuple[int, int],
    channels: int,
    filters: int,
    outputs: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefer(monkeypatch, outputs)
    text, weights = convolution(size, channels, filters, "same")
    graph = parse(text, arrays=weights)
    arrays = random_inputs(graph, {"N": 40})
    executable = compile_graph(graph)
    executable.threads = 1
    whole = executable(*arrays)
    for threads in (2, 3, 8):
        executable.threads = threads
        assert executable(*arrays).tobytes() == whole.tobytes()
    parts = [executable(arrays[0][at : at + n], arrays[1]) for at, n in ((0, 1), (1, 3), (4, 36))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert_close(whole, evaluate_graph(graph, arrays)[0])


def test_values_far_apart_keep_their_error_small() -> None:
    """A tile's error is small beside its own largest value, whatever other tiles hold."""
    text, weights = convolution((16, 16), 64, 32, "same")
    graph = parse(text, arrays=weights)
    x, b = random_inputs(graph, {"N": 1})
    x[:, :8] *= 1e6
    got, want = compile_graph(graph)(x, 0 * b), evaluate_graph(graph, [x, 0 * b])[0]
    for rows in (slice(0, 8), slice(12, 16)):
        assert_close(got[:, rows], want[:, rows])


SAME = "padding='same'"


@pytest.mark.parametrize(
    ("changes", "chosen"),
    [
        ({}, True),
        ({SAME: f"{SAME}, strides=(2, 2)"}, False),
        ({SAME: f"{SAME}, dilation=(2, 1)"}, False),
        ({SAME: f"{SAME}, groups=2", "12, 12, 16]": "12, 12, 32]"}, False),
        ({"f32": "f64"}, False),
        ({"N, 12, 12, 16": "N, 12, W, 16"}, False),
    ],
)
def test_only_what_transforms_serve_uses_them(changes: dict[str, str], chosen: bool) -> None:
    text, weights = convolution((12, 12), 16, 64, "same")
    for old, new in changes.items():
        text = text.replace(old, new)
    if "f64" in text:
        weights = {"k": weights["k"].astype(np.float64)}
    assert uses_transforms(parse(text, arrays=weights)) == chosen


def test_weights_that_are_trained_are_not_transformed() -> None:
    text = """
def f(x: f32[N, 12, 12, 16], k: f32[3, 3, 16, 64]):
    return convolution(x, k, padding="same")
"""
    assert not uses_transforms(parse(text))


def test_a_target_can_forbid_transforms() -> None:
    text, weights = convolution((12, 12), 16, 64, "same")
    graph = parse(text, arrays=weights)
    assert not uses_transforms(graph, replace(find_target(), winograd=False))


@pytest.mark.parametrize("target", ["avx512", "avx2"])
@pytest.mark.parametrize(
    ("shape", "faster"),
    [
        (Shape(56, 56, 64, 64), True),
        (Shape(14, 14, 256, 256), True),
        (Shape(7, 7, 512, 512), True),
        (Shape(2, 2, 256, 256), False),  # most of a tile would be thrown away
        (Shape(5, 5, 512, 512), False),
        (Shape(224, 224, 1, 64), False),  # more work to transform than to multiply
        (Shape(28, 28, 1, 32), False),
        (Shape(4, 4, 64, 64), False),  # a tile alone waits for its filters
        (Shape(4, 4, 64, 64, outputs=2), True),
        (Shape(13, 13, 32, 64), True),
    ],
)
def test_estimate(shape: Shape, faster: bool, target: str) -> None:
    machine = find_target(target)
    assert (transformed_cycles(shape, machine) < direct_cycles(shape, machine)) == faster


def test_blocks_cover_every_band() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        height, width = map(int, generator.integers(1, 80, 2))
        channels, filters = map(int, generator.integers(1, 600, 2))
        shape = Shape(height, width, channels, filters)
        blocking = choose_blocking(shape, find_target("avx2"))
        whole = blocking.rows % shape.tile_rows == 0
        for count in range(1, 4):
            left = count * (shape.tiles if whole else shape.tile_columns)
            if whole and count * shape.tile_rows > blocking.rows:
                break
            for height_of_tile in blocking.heights:
                left %= height_of_tile
            assert left == 0, shape
