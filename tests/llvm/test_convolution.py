"""Native convolutions against the reference, over random shapes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.llvm.native import check

TARGETS = ("native", "avx2", "x86-64")


def random_convolution(seed: int) -> tuple[str, dict[str, int], dict[str, np.ndarray]]:
    """The text of a random convolution with dims and weights."""
    generator = np.random.default_rng(seed)
    spatial = int(generator.integers(1, 4))
    window = generator.integers(1, 6, spatial)
    strides = generator.integers(1, 4, spatial)
    dilation = (
        generator.integers(1, 3, spatial) if generator.random() < 0.3 else np.ones(spatial, int)
    )
    extent = (window - 1) * dilation + 1
    lengths = extent + generator.integers(0, 20 if spatial < 3 else 6, spatial)
    groups = int(generator.choice([1, 1, 1, 2, 5]))
    channels = groups * int(generator.integers(1, 20))
    filters = groups * int(generator.integers(1, 40))
    kind = generator.random()
    if kind < 0.2:
        groups = filters = channels
    padding = str(generator.choice(['"same"', '"valid"', "explicit"]))
    if padding == "explicit":
        padding = repr(tuple((int(a), int(b)) for a, b in generator.integers(0, 4, (spatial, 2))))
    dims = {}
    names = [str(n) for n in lengths]
    if kind > 0.8:
        dims = {f"S{axis}": int(n) for axis, n in enumerate(lengths)}
        names = list(dims)
    kernel = generator.normal(size=(*window, channels // groups, filters)).astype(np.float32)
    activation = generator.choice(["None", '"relu"', '"silu"', '"leaky_relu(negative_slope=0.1)"'])
    shape = ", ".join(["N", *names, str(channels)])
    dimensions = ", ".join(map(str, kernel.shape))
    text = f"""
def f(x: f32[{shape}], b: f32[{filters}], s: f32[{filters}]):
    k: f32[{dimensions}] = parameter("k")
    y = convolution(x, k, bias=b, activation={activation}, strides={tuple(map(int, strides))},
                    padding={padding}, dilation={tuple(map(int, dilation))}, groups={groups})
    return maximum(multiply(y, s), -1.0)
"""
    return text, dims, {"k": kernel}


@pytest.mark.parametrize("seed", range(60))
def test_random_convolution(seed: int) -> None:
    text, dims, weights = random_convolution(seed)
    check(text, dims, weights, seed, TARGETS[0] if seed % 4 else TARGETS[seed // 4 % 3])


def test_residual_is_added_before_the_activation() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 8, 24)).astype(np.float32)
    check(
        """
def f(x: f32[N, 9, 10, 8], r: f32[N, 9, 10, 24]):
    k: f32[3, 3, 8, 24] = parameter("k")
    return convolution(x, k, residual=r, padding="same", activation="relu")
""",
        weights={"k": kernel},
    )


def test_weights_may_be_an_input() -> None:
    check(
        """
def f(x: f32[N, 9, 10, 6], k: f32[3, 3, 3, 20]):
    return convolution(x, k, padding="same", groups=2)
"""
    )


@pytest.mark.parametrize("target", ["native", "avx2", "x86-64"])
@pytest.mark.parametrize(
    ("groups", "window", "filters"), [(1, 3, 250), (2, 3, 330), (2, 1, 1030), (1, 1, 1030)]
)
def test_large_weights_may_be_an_input(groups: int, window: int, filters: int, target: str) -> None:
    channels = 540_000 // 4 // (window * window * filters) + 1
    check(
        f"""
def f(x: f32[N, 6, 7, {groups * channels}], k: f32[{window}, {window}, {channels}, {filters}]):
    return convolution(x, k, padding="same", groups={groups})
""",
        target=target,
    )


def test_rows_of_a_batch_do_not_depend_on_each_other() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 8, 24)).astype(np.float32)
    executable = check(
        """
def f(x: f32[N, 9, 10, 8]):
    k: f32[3, 3, 8, 24] = parameter("k")
    return convolution(x, k, padding="same")
""",
        weights={"k": kernel},
    )
    x = np.random.default_rng(1).normal(size=(5, 9, 10, 8)).astype(np.float32)
    together = executable(x)
    assert all((executable(x[i : i + 1])[0] == together[i]).all() for i in range(5))


@pytest.mark.parametrize("target", ["native", "avx2", "x86-64"])
@pytest.mark.parametrize(
    ("size", "channels", "window", "more"),
    [
        ((14, 14), 96, (3, 3), ', activation="relu6"'),
        ((15, 9), 64, (3, 3), ", strides=(2, 1)"),
        ((12, 31), 32, (3, 3), ", strides=(2, 2)"),
        ((9, 7), 32, (5, 5), ', activation="silu"'),
        ((7, 7), 48, (7, 7), ""),
        ((8, 6), 516, (3, 2), ", dilation=(1, 2)"),
        ((1, 5), 32, (3, 3), ""),
        ((11, 13), 32, (3, 3), ", dilation=(2, 2)"),
    ],
)
def test_depthwise_sheets(
    size: tuple[int, int], channels: int, window: tuple[int, int], more: str, target: str
) -> None:
    shape = f"{window[0]}, {window[1]}, 1, {channels}"
    for padding in ("same", "valid") if size[0] > 1 else ("same",):
        text = f"""
def f(x: f32[N, {size[0]}, {size[1]}, {channels}], kernel: f32[{shape}]):
    y = convolution(x, kernel, groups={channels}, padding="{padding}"{more})
    return y
"""
        check(text, {"N": 2}, target=target)
