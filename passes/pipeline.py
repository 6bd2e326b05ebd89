"""The compiler as one visible tuple of passes, and what runs it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields

from kerac.ir import Graph, verify
from kerac.passes.base import Pass
from kerac.passes.check import NumericCheck
from kerac.passes.drop_training_ops import DropTrainingOps
from kerac.passes.fold_batch_norm import FoldBatchNorm
from kerac.passes.fold_constants import FoldConstants
from kerac.passes.fold_padding import FoldPadding
from kerac.passes.fold_scale import FoldScale
from kerac.passes.fuse_activation import FuseActivation
from kerac.passes.fuse_bias import FuseBias
from kerac.passes.fuse_residual import FuseResidual
from kerac.passes.inline_calls import InlineCalls
from kerac.passes.merge_duplicates import MergeDuplicates
from kerac.passes.recognize_activations import RecognizeActivations
from kerac.passes.simplify_algebra import SimplifyAlgebra
from kerac.passes.simplify_movement import SimplifyMovement
from kerac.passes.simplify_windows import SimplifyWindows
from kerac.passes.skip_positions import SkipPositions
from kerac.passes.trace import PassRecord, Trace

# Steps of training go the same way after `differentiate`: their weights and statistics are inputs,
# into which nothing is folded.
PASSES: tuple[Pass, ...] = (
    InlineCalls(),           # afterwards no graph calls another one
    DropTrainingOps(),       # afterwards every op acts in inference
    MergeDuplicates(),       # afterwards equal values are one value
    FoldConstants(),         # afterwards every op has an operand that is not constant
    RecognizeActivations(),  # afterwards no known activation function is spelled out
    SimplifyWindows(),       # afterwards every window slides
    SimplifyMovement(),      # afterwards transposes and reshapes are late, and none undoes another
    FuseBias(),              # afterwards no constant summand stands before a normalization
    FoldBatchNorm(),         # afterwards no normalization by constants is left
    SimplifyAlgebra(),       # afterwards constants are second operands, and one a sum or product
    FoldScale(),             # afterwards constant factors are part of weights where they can be
    FoldPadding(),           # afterwards no convolution reads a padded copy
    FuseBias(),              # afterwards no constant summand follows a convolution or dense
    FuseResidual(),          # afterwards no sum alone reads a convolution or dense
    FuseActivation(),        # afterwards no activation alone reads a convolution or dense
    SkipPositions(),         # afterwards no convolution computes what strides alone skip
    SimplifyMovement(),      # afterwards what the fusions freed is short again
    FoldConstants(),         # afterwards nothing that rules made of constants is left to run time
    MergeDuplicates(),       # afterwards equal values are one value
)  # fmt: skip


def run_pipeline(
    graph: Graph,
    passes: Sequence[Pass] = PASSES,
    check: bool = False,
    on_pass: Callable[[str], None] | None = None,
) -> Trace:
    """Run `passes` in order and say what each did.

    With `check` every pass is followed by the verifier and by a comparison of numbers with the
    reference; a pass that fails them raises InternalError. `on_pass` is called with the name of
    each pass before it runs.
    """
    records: list[PassRecord] = []
    numbers = None
    if check:
        verify(graph)
        numbers = NumericCheck(graph)
    current = graph
    for step in passes:
        if on_pass:
            on_pass(step.name)
        changes: Counter[str] = Counter()
        start = time.perf_counter()
        after = step.apply(current, changes)
        seconds = time.perf_counter() - start
        if numbers:
            numbers.check(after, step.name)
        options = {option.name: getattr(step, option.name) for option in fields(step)}
        records.append(PassRecord(step.name, current, after, seconds, dict(changes), options))
        current = after
    return Trace(graph, tuple(records))
