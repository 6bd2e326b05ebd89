"""What losses are made of: crossentropies, and labels of sequences."""

from __future__ import annotations

from typing import Any, Literal

from kerac import backend
from kerac.ir import Value, ops
from kerac.losses.sequences import unlikeliness
from kerac.ops.axes import axis_within, is_named, known_length, number, part, take_last
from kerac.ops.beam_search import beam_search
from kerac.ops.numbers import where
from kerac.ops.ordering import argmax
from kerac.ops.promotion import floating, floats
from kerac.ops.registry import operation, refuse_tensors


def clipped(x: Value) -> Value:
    """Probabilities away from 0 and 1."""
    return ops.minimum(ops.maximum(x, backend.epsilon()), 1 - backend.epsilon())


@operation("nn")
def binary_crossentropy(target: Value, output: Value, from_logits: bool = False) -> Value:
    """How unlikely the target is, elementwise, for independent probabilities."""
    target, output = floats(target, output)
    if from_logits:
        yes, no = ops.LogSigmoid()(output), ops.LogSigmoid()(-output)
    else:
        output = clipped(output)
        yes, no = ops.Log()(output), ops.Log()(1.0 - output)
    return -(target * yes + (1.0 - target) * no)


def log_probabilities(output: Value, from_logits: bool, axis: int) -> Value:
    """Logarithms of what sums to 1 along an axis."""
    if from_logits:
        return ops.LogSoftmax(axis)(output)
    return ops.Log()(clipped(output / ops.reduce_sum(output, (axis,), keepdims=True)))


@operation("nn")
def categorical_crossentropy(
    target: Value, output: Value, from_logits: bool = False, axis: int = -1
) -> Value:
    """How unlikely the target is, for one of several classes."""
    target, output = floats(target, output)
    place = axis_within(axis, output.ndim)
    return -ops.reduce_sum(target * log_probabilities(output, from_logits, place), (place,))


@operation("nn")
def sparse_categorical_crossentropy(
    target: Value, output: Value, from_logits: bool = False, axis: int = -1
) -> Value:
    """How unlikely the class is that the target names by its number."""
    output = floating(output)
    place = axis_within(axis, output.ndim)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = ops.reshape(target, target.shape[:-1])
    classes = known_length(output.shape[place], "the number of classes")
    chosen = ops.cast(is_named(target, classes, place), output.dtype)
    return -ops.reduce_sum(chosen * log_probabilities(output, from_logits, place), (place,))


@operation("nn", "CTCLoss")
def ctc_loss(
    target: Value,
    output: Value,
    target_length: Value,
    output_length: Value,
    mask_index: int = 0,
) -> Value:
    """How unlikely labels are in steps of a sequence whose places are not known (Graves, 2006)."""
    counts, ends = ops.cast(target_length, "i32"), ops.cast(output_length, "i32")
    return unlikeliness(floating(output), ops.cast(target, "i32"), counts, ends, mask_index)


def _by_search(arguments: dict[str, Any]) -> Any:
    """The result where a search on arrays is asked for."""
    if arguments.get("strategy") != "beam_search":
        return None
    refuse_tensors("ctc_decode", "a search keeps as many paths as it finds", arguments)
    return beam_search(
        arguments["inputs"],
        arguments["sequence_lengths"],
        arguments.get("beam_width", 100),
        arguments.get("top_paths", 1),
        arguments.get("mask_index", 0),
    )


@operation("nn", "CTCDecode", otherwise=_by_search)
def ctc_decode(
    inputs: Value,
    sequence_lengths: Value,
    strategy: Literal["greedy", "beam_search"] = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int | None = 0,
) -> tuple[Value, Value]:
    """The most likely labels of sequences, -1 behind them, and minus the logarithms of how likely.

    inputs: f32[N, T, C] -> i32[1, N, T], f32[N, 1]
    """
    x = floating(inputs)
    batch, length, classes = x.shape
    blank = known_length(classes, "the number of classes") - 1 if mask_index is None else mask_index
    ends = ops.reshape(ops.cast(sequence_lengths, "i32"), (batch, 1))
    places = ops.iota((1, length), 1)
    beyond = places >= ends
    scores = where(beyond, 0.0, ops.reduce_max(x, (2,)))
    labels = where(beyond, blank, argmax(x, 2))
    if merge_repeated:
        same = ops.Equal()(part(labels, 1, 1, length), part(labels, 1, 0, length - 1))
        first = ops.broadcast_to(ops.constant(False), (batch, 1))
        labels = where(ops.concatenate([first, same], 1), blank, labels)
    invalid = ops.Equal()(labels, ops.constant(blank, "i32"))
    labels = where(invalid, -1, labels)
    behind = ops.broadcast_to(places, (batch, length))
    order = ops.ArgSort()(ops.select(invalid, number(length), behind))
    labels = take_last(labels, order)
    return ops.reshape(labels, (1, batch, length)), -ops.reduce_sum(scores, (1,), keepdims=True)
