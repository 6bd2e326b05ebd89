"""Runs of passes on graphs written as text."""

import numpy as np

from kerac.inspector.kernels import kernels_data, make_plan
from kerac.inspector.report import Report
from kerac.ir import Graph, parse
from kerac.passes.pipeline import run_pipeline

RESIDUAL = """
def residual(x: f32[N, 8, 8, 4]):
    kernel: f32[3, 3, 4, 4] = parameter("block/conv/kernel")  # block/conv
    conv: f32[N, 8, 8, 4] = convolution(x, kernel, padding="same")  # block/conv
    activation: f32[N, 8, 8, 4] = relu(conv)  # block/relu
    sum: f32[N, 8, 8, 4] = add(activation, x)  # block/add
    half: f32[N, 8, 8, 4] = multiply(sum, 0.5)  # scale
    mean: f32[N, 4] = reduce_mean(half, axes=(1, 2))  # pool
    return mean
"""
FUSED = """
def residual(x: f32[N, 8, 8, 4]):
    kernel: f32[3, 3, 4, 4] = parameter("block/conv/kernel")  # block/conv
    conv = convolution(x, kernel, activation="relu", padding="same")  # block/conv, by f
    sum: f32[N, 8, 8, 4] = add(conv, x)  # block/add
    half: f32[N, 8, 8, 4] = multiply(sum, 0.5)  # scale
    mean: f32[N, 4] = reduce_mean(half, axes=(1, 2))  # pool
    return mean
"""
NESTED = """
def inner(x: f32[B, 4]):
    y: f32[B, 4] = relu(x)  # inner/relu
    return y

def outer(x: f32[N, 4]):
    first: f32[N, 4] = inner(x)  # inner
    second: f32[N, 4] = inner(first)  # inner
    sum: f32[N, 4] = add(first, second)  # add
    return sum
"""


def residual() -> Graph:
    return parse(RESIDUAL)


def fused() -> Graph:
    return parse(FUSED)


def nested() -> Graph:
    return parse(NESTED)


def report() -> Report:
    """The pipeline on the residual block, with a rule that applies and kernels."""
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype(np.float32)
    trace = run_pipeline(parse(RESIDUAL, {"block/conv/kernel": kernel}))
    plan = make_plan(trace.graph)
    assert not isinstance(plan, Exception), plan
    return Report(trace, kernels_data(plan))
