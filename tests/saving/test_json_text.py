"""Strict JSON."""

from __future__ import annotations

import pytest

from kerac.ir.errors import FormatError
from kerac.saving.json_text import parse_json
from kerac.saving.limits import Limits

CASES = {
    "not JSON": ("config", "config:1:1: is not valid JSON: Expecting value"),
    "cut off": ('{"a": [1, 2', "config:1:12: is not valid JSON: Expecting ',' delimiter"),
    "second line": ('{"a": 1,\n "b" 2}', "config:2:6: is not valid JSON"),
    "trailing": ('{"a": 1} {"b": 2}', "config:1:10: is not valid JSON: Extra data"),
    "list": ("[1]", "config: holds a list, but an object is expected"),
    "text": ('"a"', "config: holds a text, but an object is expected"),
    "null": ("null", "config: holds null, but an object is expected"),
    "number": ("3", "config: holds a number, but an object is expected"),
    "nan": ('{"a": NaN}', "config: holds NaN, but JSON has only finite numbers"),
    "infinity": ('{"a": [-Infinity]}', "config: holds -Infinity, but JSON has only finite numbers"),
    "overflow": ('{"a": 1e999}', "config: holds 1e999, which is too large for a number"),
    "long integer": ('{"a": ' + "9" * 5000 + "}", "config: holds an integer of 5000 digits"),
    "duplicate": (
        '{"x": {"units": 1, "units": 2}}',
        "config: the key 'units' is there twice in one object",
    ),
    "deep": ('{"a":' * 300 + "1" + "}" * 300, "config: is nested deeper than the limit of 100"),
    "very deep": ('{"a":' + "[" * 100_000, "config: is nested deeper than the limit of 100"),
    "half a character": (
        '{"a": "\\ud800"}',
        "config: the text '\\ud800' holds half of a character",
    ),
    "half a key": ('{"\\udfff": 1}', "config: the text '\\udfff' holds half of a character"),
}


@pytest.mark.parametrize(("text", "message"), CASES.values(), ids=CASES)
def test_is_refused(text: str, message: str) -> None:
    for source in (text, text.encode()):
        with pytest.raises(FormatError) as caught:
            parse_json(source, "config")
        assert str(caught.value).startswith(message)


def test_bytes_must_be_utf_8() -> None:
    with pytest.raises(FormatError, match=r"config: is not text in UTF-8 \(byte 2\)"):
        parse_json(b'{"\xff": 1}', "config")


def test_limits() -> None:
    with pytest.raises(FormatError, match="config: has 2 KiB of JSON, but the limit is 1 KiB"):
        parse_json(b" " * 2048, "config", Limits(config_bytes=1024))
    with pytest.raises(FormatError, match="config: has more values than the limit of 10"):
        parse_json('{"a": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}', "config", Limits(json_values=10))
    parse_json('{"a": {"b": [1]}}', "config", Limits(json_depth=4))
    with pytest.raises(FormatError, match="is nested deeper than the limit of 3"):
        parse_json('{"a": {"b": [1]}}', "config", Limits(json_depth=3))


def test_values() -> None:
    text = '{"a": [1, -2.5, true, null, "\\u00df\\ud83d\\ude00"], "b": {"a": 1}, "c": {"a": 2}}'
    expected = {"a": [1, -2.5, True, None, "ß😀"], "b": {"a": 1}, "c": {"a": 2}}
    assert parse_json(text, "config") == expected
    assert parse_json(text.encode("utf-8-sig"), "config") == expected
