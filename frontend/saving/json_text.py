"""JSON as the standard has it, within limits, and with every key once."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NoReturn

from kerac.ir.errors import FormatError
from kerac.saving.limits import DEFAULT_LIMITS, Limits, readable_size

LONGEST_INTEGER = 40  # digits


def parse_json(text: bytes | str, label: str, limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Return the object that `text` holds; `label` is how messages call it."""
    if len(text) > limits.config_bytes:
        size, limit = readable_size(len(text)), readable_size(limits.config_bytes)
        raise FormatError(f"{label}: has {size} of JSON, but the limit is {limit}")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FormatError(f"{label}: is not text in UTF-8 (byte {error.start})") from None
    # Each of these begins at most one more value: a cheap bound before anything is built.
    if sum(map(text.count, ",[{")) > limits.json_values:
        raise FormatError(f"{label}: has more values than the limit of {limits.json_values}")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        place = f"{label}:{error.lineno}:{error.colno}"
        raise FormatError(f"{place}: is not valid JSON: {error.msg}") from None
    except FormatError as error:
        raise error.with_details(thing=label) from None
    except RecursionError:
        raise _too_deep(label, limits) from None
    _check(value, label, limits)
    if not isinstance(value, dict):
        raise FormatError(f"{label}: holds {_described(value)}, but an object is expected")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise FormatError(
            f"the key {twice[:80]!r} is there twice in one object, but must be there once"
        )
    return result


def _constant(text: str) -> NoReturn:
    raise FormatError(f"holds {text}, but JSON has only finite numbers")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise FormatError(f"holds {text[:40]}, which is too large for a number")
    return value


def _integer(text: str) -> int:
    if len(text) > LONGEST_INTEGER:
        raise FormatError(
            f"holds an integer of {len(text)} digits, but {LONGEST_INTEGER} is the limit"
        )
    return int(text)


def _check(value: Any, label: str, limits: Limits) -> None:
    """Check depth and text, level by level, without recursion."""
    level = [value]
    for _ in range(limits.json_depth + 1):
        if not level:
            return
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.keys()
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, str) and not _is_text(item):
                raise FormatError(f"{label}: the text {item[:40]!r} holds half of a character")
        level = inner
    raise _too_deep(label, limits)


def _is_text(item: str) -> bool:
    # JSON can write one half of a surrogate pair, which no other text can.
    return item.isascii() or not any("\ud800" <= character <= "\udfff" for character in item)


def _too_deep(label: str, limits: Limits) -> FormatError:
    return FormatError(f"{label}: is nested deeper than the limit of {limits.json_depth}")


def _described(value: Any) -> str:
    return {list: "a list", str: "a text", type(None): "null", bool: "a truth value"}.get(
        type(value), "a number"
    )
