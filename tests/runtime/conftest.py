"""A library written by hand in C, and a C compiler where the machine has one."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kerac.runtime import ModelInfo, TensorInfo, header_text

HAND = ModelInfo(
    name="hand",
    producer="a test",
    target="any",
    dim_names=("N",),
    inputs=(
        TensorInfo("x", "f32", "f32[N, 3]", "", (-1, 3)),
        TensorInfo("bias", "f32", "f32[3]", "", (3,)),
    ),
    outputs=(
        TensorInfo("y", "f32", "f32[N, 3]", "dense", (-1, 3)),
        TensorInfo("flat", "i32", "i32[3*N]", "flatten", (-(2**63),)),
    ),
    weights_size=0,
)
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def require(program: str) -> str:
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed")
    return found


@pytest.fixture(scope="session")
def compile_library(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`compile_library("-DVERSION=7")` builds model.c and returns the path of a new library."""
    compiler = require("cc")

    def build(*flags: str) -> Path:
        folder = tmp_path_factory.mktemp("library")
        (folder / "hand.h").write_text(header_text("hand", HAND), encoding="utf-8")
        source = Path(__file__).parent / "model.c"
        output = folder / "hand.so"
        command = [compiler, "-std=c99", *STRICT, "-shared", "-fPIC", f"-I{folder}", *flags]
        subprocess.run([*command, str(source), "-o", str(output)], check=True)
        return output

    return build


@pytest.fixture(scope="session")
def library(compile_library: Callable[..., Path]) -> Path:
    return compile_library()
