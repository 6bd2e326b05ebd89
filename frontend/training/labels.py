"""Labels that stand for classes must be numbers of classes: elsewhere they would be clamped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kerac.ir import TensorType
from kerac.ir.errors import CompileError
from kerac.losses import CLASSES, Loss, LossFunctionWrapper

Array = np.ndarray[Any, Any]


def loss_class(loss: Any) -> type[Loss]:
    """The class of a loss, or that whose function it is."""
    if isinstance(loss, LossFunctionWrapper):
        return next((cls for cls in CLASSES if cls.function is loss.fn), Loss)
    return type(loss) if isinstance(loss, Loss) else Loss


def check_classes(labels: Array, classes: int, ignored: int | None, thing: str) -> None:
    """Raise where labels are not numbers of `classes` classes, nor the one that is `ignored`."""
    if not labels.size or (labels.min() >= 0 and labels.max() < classes):
        return
    is_wrong = ~((labels >= 0) & (labels < classes))
    if ignored is not None:
        is_wrong &= labels != ignored
    found = np.argwhere(is_wrong)
    if not len(found):
        return
    place = tuple(int(index) for index in found[0])
    raise CompileError(
        f"{thing}: labels are numbers of classes from 0 to {classes - 1}, "
        f"but that of sample {place[0]} is {labels[place]}",
        details=(f"labels: {labels.dtype} {labels.shape}, {len(found)} of them out of range",),
        remedy="Number the classes from 0 on, and give the output as many units as there are.",
    )


def class_counts(output: str, loss: Any, metrics: Iterable[Any], shape: Any) -> list[Any]:
    """(what counts classes, their number, the ignored one) for an output of this shape."""
    found = []
    count = loss_class(loss).label_classes(loss, shape) if loss is not None else None
    if count is not None:
        found.append((f"output {output!r}", count, getattr(loss, "ignore_class", None)))
    for metric in metrics:
        count = metric.label_classes(shape)
        if count is not None:
            ignored = getattr(metric, "ignore_class", None)
            found.append((f"output {output!r}, metric {metric.name!r}", count, ignored))
    return [row for row in found if isinstance(row[1], int)]


def label_types(session: Any, outputs: Sequence[TensorType]) -> list[TensorType | None]:
    """Types of labels as the losses want them; None for an output without loss and metric."""
    losses = {each.output: each.loss for each in session.objectives.objectives}
    measured = session.measures.outputs
    return [
        loss_class(losses.get(place)).label_type(output)
        if place in losses or place in measured
        else None
        for place, output in enumerate(outputs)
    ]
