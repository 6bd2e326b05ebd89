"""Convolutions and the pooling that follows, in one kernel, against the reference."""

import numpy as np
import pytest

from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.target import find_target
from kerac.ir import evaluate_graph, parse
from tests.compare import assert_close
from tests.llvm.native import check, compile_graph, random_inputs

STRIPES = "kerac.backends.llvm.winograd_stripes"
WAYS = {
    "direct": {"transformed_cycles": lambda shape, target: float("inf")},
    "by four": {
        "direct_cycles": lambda shape, target: float("inf"),
        "transformed_cycles": lambda shape, target: -shape.outputs,
    },
    "by two": {
        "direct_cycles": lambda shape, target: float("inf"),
        "transformed_cycles": lambda shape, target: shape.outputs,
    },
}


def network(
    size: tuple[int, int], channels: int, filters: int, window: int = 3, seed: int = 0
) -> tuple[str, dict[str, np.ndarray]]:
    """A convolution with a maximum over 2 x 2 after it, and its weights."""
    generator = np.random.default_rng(seed)
    shape = (window, window, channels, filters)
    kernel = generator.normal(size=shape) / np.sqrt(window**2 * channels)
    text = f"""
def f(x: f32[N, {size[0]}, {size[1]}, {channels}], b: f32[{filters}]):
    k: f32[{", ".join(map(str, shape))}] = parameter("k")
    y = convolution(x, k, bias=b)
    z = max_pool(y, window=(2, 2), strides=(2, 2))
    return z
"""
    return text, {"k": kernel.astype(np.float32)}


def kernels(text: str, weights: dict[str, np.ndarray]) -> list[str]:
    """What kernels are called."""
    plan = lower_graph(parse(text, arrays=weights), find_target())
    return [launch.kernel.name.rstrip("_0123456789") for launch in plan.launches]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(6))
def test_random_networks(seed: int, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, function in WAYS[way].items():
        monkeypatch.setattr(f"{STRIPES}.{name}", function)
    generator = np.random.default_rng(seed)
    size = tuple(map(int, generator.integers(5, 24, 2)))
    channels, filters = map(int, generator.integers(1, 50, 2))
    window = 3 if way != "direct" else int(generator.integers(2, 6))
    text, weights = network(size, channels, filters, window, seed)
    activation = ("None", '"relu"', '"tanh"')[seed % 3]
    padding = ('"valid"', '"same"', "((0, 2), (1, 0))")[generator.integers(3)]
    more = f", padding={padding}, activation={activation}" if seed % 3 else f", padding={padding}"
    text = text.replace("bias=b)", f"bias=b{more})")
    if seed % 2:
        text = text.replace("return z", "w = tanh(z)\n    return w")
    assert kernels(text, weights) == ["convolution"]
    target = ("native", "avx2", "x86-64")[seed % 3]
    check(text, {"N": int(generator.integers(1, 5))}, weights, seed=seed, target=target)


@pytest.mark.parametrize(
    ("size", "channels", "filters"), [((26, 26), 8, 16), ((19, 31), 40, 70), ((16, 16), 96, 96)]
)
@pytest.mark.parametrize("way", WAYS)
def test_results_depend_on_neither_batch_nor_threads(
    size: tuple[int, int],
    channels: int,
    filters: int,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, function in WAYS[way].items():
        monkeypatch.setattr(f"{STRIPES}.{name}", function)
    text, weights = network(size, channels, filters)
    graph = parse(text, arrays=weights)
    x, b = random_inputs(graph, {"N": 5})
    executable = compile_graph(graph)
    executable.threads = 1
    whole = executable(x, b)
    for threads in (2, 5):
        executable.threads = threads
        assert executable(x, b).tobytes() == whole.tobytes()
    parts = [executable(x[at : at + n], b) for at, n in ((0, 1), (1, 4))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert_close(whole, evaluate_graph(graph, [x, b])[0])


def test_work_between_and_residuals_come_before_the_maximum() -> None:
    text, weights = network((13, 12), 5, 20)
    text = text.replace("b: f32[20]", "b: f32[20], r: f32[N, 11, 10, 20]")
    text = text.replace("bias=b)", "bias=b, residual=r)\n    y0 = tanh(y)\n    y1 = add(y0, r)")
    text = text.replace("max_pool(y,", "max_pool(y1,")
    assert kernels(text, weights) == ["convolution"]
    check(text, weights=weights)


def test_nan_is_the_maximum() -> None:
    text, weights = network((8, 8), 3, 20)
    graph = parse(text.replace("bias=b)", 'bias=b, activation="relu")'), arrays=weights)
    x, b = random_inputs(graph, {"N": 1})
    x[0, 3, 3, 0] = np.nan
    assert_close(compile_graph(graph)(x, b), evaluate_graph(graph, [x, b])[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"return z": "return z, y"},
        {"return z": "w = tanh(y)\n    return z, w"},
        {"strides=(2, 2)": "strides=(1, 1)"},
        {"window=(2, 2)": "window=(3, 3)"},
        {"strides=(2, 2))": "strides=(2, 2), padding=((0, 1), (0, 0)))"},
        {"max_pool": "average_pool"},
        {"N, 9, 9": "N, 9, W"},
    ],
)
def test_what_does_not_fit_stays_apart(changes: dict[str, str]) -> None:
    text, weights = network((9, 9), 5, 20)
    for old, new in changes.items():
        text = text.replace(old, new)
    assert len(kernels(text, weights)) > 1
    check(text, {"N": 2, "W": 9}, weights=weights)
