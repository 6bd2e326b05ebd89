"""Which layers a model file uses, and one error for all those that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from kerac.ir.errors import UnsupportedError
from kerac.saving.config import CODE, SerializedFunction, SerializedObject

MOST_SHOWN = 20


def layer_classes(root: SerializedObject) -> list[SerializedObject]:
    """Return all layers, models and operations in a model, itself first, in the file's order."""
    return [item for item in root.walk() if isinstance(item, SerializedObject) and item.is_layer]


def refuse_unknown_layers(root: SerializedObject, known: Collection[str], label: str) -> None:
    """Raise one error that lists all layers whose `kind` is not in `known`, and all code.

    `known` holds class names as Keras has them, `ops.Add` for operations, and what a caller
    provides for others.
    """
    unknown: list[SerializedObject | SerializedFunction] = []
    for item in root.walk():
        if isinstance(item, SerializedFunction):
            is_unknown = not item.is_keras and item.kind not in known and item.name not in known
        else:
            is_unknown = item.kind not in known and (item.is_layer or not item.is_keras)
        if is_unknown:
            unknown.append(item)
    if unknown:
        raise UnsupportedError(
            _fact(label, unknown),
            details=(*_lines(unknown, known),),
            remedy="Replace them by supported layers, or pass them in code to the loader.",
        )


def _fact(label: str, unknown: Collection[object]) -> str:
    count = len(unknown)
    noun = "layer" if count == 1 else "layers or functions"
    return f"{label}: uses {count} {noun} that kerac does not know"


def _lines(
    unknown: Iterable[SerializedObject | SerializedFunction], known: Collection[str]
) -> list[str]:
    lines = [f"{item.path or 'the model'}: {_described(item, known)}" for item in unknown]
    if len(lines) > MOST_SHOWN:
        kinds = sorted({line.split(": ", 1)[1] for line in lines[MOST_SHOWN:]})
        lines[MOST_SHOWN:] = [f"and {len(lines) - MOST_SHOWN} more, among them {', '.join(kinds)}"]
    return lines


def _described(item: SerializedObject | SerializedFunction, known: Collection[str]) -> str:
    if isinstance(item, SerializedFunction):
        return f"function {item.kind}, which is not one of Keras"
    if item.class_name == CODE:
        return "a Python lambda, and code in a file is never run"
    if not item.is_keras:
        return f"{item.kind}, which is not one of Keras"
    if item.class_name == "Lambda":
        return "Lambda, which is Python code, and code in a file is never run"
    close = difflib.get_close_matches(item.kind, known, 1, 0.75)
    return item.kind + (f" (nearest: {close[0]})" if close else "")
