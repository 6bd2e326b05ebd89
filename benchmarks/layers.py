"""Time single layers on one core beside the machine's peak; say what a network would take.

    python -m benchmarks.layers resnet50              # all its convolutions and dense layers
    python -m benchmarks.layers vgg16 --batch 4 --only 3x3

Each layer is compiled alone and called on the same arrays again and again, so its weights stay in
the cache where they fit; in a network they come from further away. Times are those of a thread with
a core, whatever else runs, and hold a call from Python: some microseconds.
"""

import statistics
import time
from dataclasses import dataclass

import click
import numpy as np

from kerac.backends.llvm.jit import load_plan
from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.peak import PeakLoop
from kerac.backends.llvm.target import find_target
from kerac.ir import parse
from kerac.runtime import Executable


@dataclass(frozen=True)
class Layer:
    """A convolution that occurs `count` times in a network; a dense layer has no `window`."""

    count: int
    spatial: tuple[int, ...]
    channels: int
    filters: int
    window: tuple[int, ...] = ()
    stride: int = 1
    padding: str = "same"

    @property
    def name(self) -> str:
        """For example `3x3/2 64->128 at 56x56`."""
        if not self.window:
            return f"dense {self.channels}->{self.filters}"
        stride = f"/{self.stride}" if self.stride > 1 else ""
        window, place = ("x".join(map(str, axis)) for axis in (self.window, self.spatial))
        return f"{window}{stride} {self.channels}->{self.filters} at {place}"

    def compile(self, target: str) -> Executable:
        """The layer with random weights, a bias and a relu."""
        random = np.random.default_rng(0)
        shape = (*self.window, self.channels, self.filters)
        kernel = random.standard_normal(shape, np.float32) / np.sqrt(np.prod(shape[:-1]))
        weights = {"k": kernel.astype(np.float32), "b": random.standard_normal(self.filters)}
        weights["b"] = weights["b"].astype(np.float32)
        op = "dense(x, k, bias=b"
        if self.window:
            strides = (self.stride,) * len(self.window)
            op = f'convolution(x, k, bias=b, strides={strides}, padding="{self.padding}"'
        text = f"""
def layer(x: f32[{", ".join(map(str, ("N", *self.spatial, self.channels)))}]):
    k: f32[{", ".join(map(str, shape))}] = parameter("k")
    b: f32[{self.filters}] = parameter("b")
    return {op}, activation="relu")
"""
        machine = find_target(target)
        loaded = load_plan(lower_graph(parse(text, arrays=weights), machine), machine, "layer")
        return Executable(loaded.information, loaded.keep, threads=1)


def square(
    count: int, length: int, channels: int, filters: int, window: int, stride: int = 1
) -> Layer:
    """A convolution on squares."""
    return Layer(count, (length, length), channels, filters, (window, window), stride)


def dense(count: int, channels: int, filters: int) -> Layer:
    """A dense layer on vectors."""
    return Layer(count, (), channels, filters)


LAYERS = {
    "resnet50": (
        square(1, 224, 3, 64, 7, 2),
        square(1, 56, 64, 64, 1),
        square(3, 56, 64, 64, 3),
        square(4, 56, 64, 256, 1),
        square(2, 56, 256, 64, 1),
        square(1, 56, 256, 128, 1, 2),
        square(1, 56, 256, 512, 1, 2),
        square(4, 28, 128, 128, 3),
        square(4, 28, 128, 512, 1),
        square(3, 28, 512, 128, 1),
        square(1, 28, 512, 256, 1, 2),
        square(1, 28, 512, 1024, 1, 2),
        square(6, 14, 256, 256, 3),
        square(6, 14, 256, 1024, 1),
        square(5, 14, 1024, 256, 1),
        square(1, 14, 1024, 512, 1, 2),
        square(1, 14, 1024, 2048, 1, 2),
        square(3, 7, 512, 512, 3),
        square(3, 7, 512, 2048, 1),
        square(2, 7, 2048, 512, 1),
        dense(1, 2048, 1000),
    ),
    "vgg16": (
        square(1, 224, 3, 64, 3),
        square(1, 224, 64, 64, 3),
        square(1, 112, 64, 128, 3),
        square(1, 112, 128, 128, 3),
        square(1, 56, 128, 256, 3),
        square(2, 56, 256, 256, 3),
        square(1, 28, 256, 512, 3),
        square(2, 28, 512, 512, 3),
        square(3, 14, 512, 512, 3),
        dense(1, 25088, 4096),
        dense(1, 4096, 4096),
        dense(1, 4096, 1000),
    ),
    "small": (
        Layer(1, (28, 28), 1, 32, (3, 3), padding="valid"),
        Layer(1, (26, 26), 32, 64, (3, 3), padding="valid"),
        dense(1, 9216, 128),
        Layer(1, (32, 32), 3, 32, (3, 3), padding="valid"),
        Layer(1, (15, 15), 32, 64, (3, 3), padding="valid"),
        Layer(1, (6, 6), 64, 64, (3, 3), padding="valid"),
        dense(1, 1024, 64),
        dense(1, 784, 512),
        dense(1, 512, 512),
    ),
    "others": (
        Layer(1, (299, 299), 3, 32, (3, 3), 2, "valid"),
        Layer(1, (149, 149), 32, 32, (3, 3), padding="valid"),
        square(1, 147, 32, 64, 3),
        Layer(1, (73, 73), 80, 192, (3, 3), padding="valid"),
        square(1, 35, 48, 64, 5),
        square(1, 35, 96, 96, 3),
        Layer(1, (35, 35), 288, 384, (3, 3), 2, "valid"),
        Layer(1, (17, 17), 160, 160, (1, 7)),
        Layer(1, (17, 17), 160, 160, (7, 1)),
        Layer(1, (17, 17), 192, 192, (7, 1)),
        square(1, 17, 768, 192, 1),
        Layer(1, (8, 8), 384, 384, (1, 3)),
        square(1, 8, 448, 384, 3),
        square(1, 56, 128, 32, 3),
        square(1, 14, 128, 32, 3),
        square(1, 14, 1000, 128, 1),
        square(1, 19, 728, 728, 1),
        square(1, 112, 32, 16, 1),
        square(1, 56, 24, 144, 1),
        square(1, 14, 384, 64, 1),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Timing:
    """Median seconds of one call, and the multiply-adds it makes."""

    seconds: float
    multiply_adds: int

    @property
    def gflops(self) -> float:
        """Floating-point operations in a nanosecond, by the direct way of computing."""
        return 2 * self.multiply_adds / self.seconds / 1e9


def time_layer(layer: Layer, batch: int, target: str, seconds: float) -> Timing:
    """Call a layer for a number of seconds; what counts is the time this thread has a core."""
    executable = layer.compile(target)
    shape = (batch, *layer.spatial, layer.channels)
    x = np.random.default_rng(1).standard_normal(shape, np.float32)
    y = np.asarray(executable(x))
    samples = []
    end = time.perf_counter() + seconds
    while len(samples) < 5 or time.perf_counter() < end:
        start = time.thread_time()
        executable.run_into([x], [y])
        samples.append(time.thread_time() - start)
    work = y.size * layer.channels * int(np.prod(layer.window, initial=1))
    return Timing(statistics.median(samples), work)


@click.command()
@click.argument("network", type=click.Choice(list(LAYERS)))
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--only", default="", help="Only layers whose name contains this text.")
@click.option("--seconds", default=0.3, show_default=True, help="How long to time a layer.")
@click.option("--target", default="native", show_default=True, help="What layers are built for.")
def main(network: str, batch: int, only: str, seconds: float, target: str) -> None:
    """Time the layers of NETWORK, each alone."""
    loop = PeakLoop()
    total, work, best = 0.0, 0, 0.0
    print(f"{'layer':<28} {'times':>5} {'us':>9} {'GFLOP/s':>8} {'of peak':>8}")
    for layer in LAYERS[network]:
        if only not in layer.name:
            continue
        timing = time_layer(layer, batch, target, seconds)
        peak = max(loop.gflops() for _ in range(5))
        print(
            f"{layer.name:<28} {layer.count:>5} {1e6 * timing.seconds:>9.1f} "
            f"{timing.gflops:>8.0f} {timing.gflops / peak:>8.0%}",
            flush=True,
        )
        best += layer.count * 2 * timing.multiply_adds / peak / 1e9
        total += layer.count * timing.seconds
        work += layer.count * timing.multiply_adds
    print(f"all: {1e3 * total:.2f} ms, {2 * work / total / 1e9:.0f} GFLOP/s, {best / total:.0%}")


if __name__ == "__main__":
    main()
