"""Every op has a reference meaning, native code and an ONNX export, or a stated reason why not."""

from __future__ import annotations

import pytest

from kerac.backends.llvm.grouping import ALIASES, LEAVES
from kerac.backends.llvm.lowering import LOWERINGS
from kerac.backends.llvm.lowerings import register_all
from kerac.backends.onnx.registry import UNSUPPORTED, exporter_of
from kerac.ir import REGISTRY, Op
from kerac.ir.ops import Elementwise

register_all()

WITHOUT_REFERENCE = {"input": "its value is given to the graph"}
WITHOUT_NATIVE_CODE = {"call": "inline_calls replaces it before code is made"}
WITHOUT_EXPORT = {
    "call": "is inlined before the export",
    "input": "is an input of the ONNX graph",
}


def all_ops() -> list[type[Op]]:
    return [REGISTRY[name] for name in sorted(REGISTRY)]


@pytest.mark.parametrize("op", all_ops(), ids=lambda op: op.text_name)
def test_op_has_a_reference_meaning(op: type[Op]) -> None:
    if op.text_name not in WITHOUT_REFERENCE:
        assert op.evaluate is not Op.evaluate


@pytest.mark.parametrize("op", all_ops(), ids=lambda op: op.text_name)
def test_op_has_native_code(op: type[Op]) -> None:
    has_code = op in LOWERINGS or issubclass(op, (Elementwise, *LEAVES, *ALIASES))
    assert has_code != (op.text_name in WITHOUT_NATIVE_CODE)


@pytest.mark.parametrize("op", all_ops(), ids=lambda op: op.text_name)
def test_op_has_an_export(op: type[Op]) -> None:
    stated = op in UNSUPPORTED or op.text_name in WITHOUT_EXPORT
    assert (exporter_of(op) is not None) != stated
