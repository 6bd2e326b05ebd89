"""The header: it compiles without a warning as C99 and C++, and says what the model says."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from kerac.runtime import ModelInfo, TensorInfo, c_identifier, header_text
from tests.runtime.conftest import HAND, STRICT, require
from tests.runtime.in_memory import tensor

N, T = -1, -2
FIXED = ModelInfo(
    "fixed", "kerac", "any", (), (tensor("x", "f64", 2, 3),), (tensor("y", "f64"),), 8
)
HOSTILE = ModelInfo(
    name='*/ int evil; /* \\"??/\n#error',
    producer="kerac\\",
    target="*/",
    dim_names=("N", "int"),
    inputs=(TensorInfo('a*/"\\??/\n%n ü', "f32", "f32[N, int]", "layer */ /*/", (N, T)),),
    outputs=(TensorInfo("", "bool", "bool[N]", "", (N,)),),
    weights_size=10**10,
)
MANY = ModelInfo(
    "many", "kerac", "any", ("N", "T"),
    (tensor("x", "f32", N, T, 4), tensor("mask", "bool", N, T), tensor("half", "f16", 1)),
    (tensor("y", "i64", T, N), tensor("z", "bf16", N, -(2**63))),
    0,
)  # fmt: skip
MODELS = {"hand": HAND, "fixed": FIXED, "hostile name!": HOSTILE, "many": MANY}


def write(name: str, folder: Path) -> Path:
    path = folder / f"{c_identifier(name)}.h"
    path.write_text(header_text(name, MODELS[name]), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "compiler", ["cc -std=c99", "c++ -std=c++98 -Wno-long-long", "c++ -std=c++17"]
)
def test_it_compiles_without_warnings(name: str, compiler: str, tmp_path: Path) -> None:
    program, *flags = compiler.split()
    path = write(name, tmp_path)
    source = tmp_path / "program.c"
    # twice, after a program's own macros, and with every macro of ours expanded
    macros = re.findall(r"#define (\w+_(?:NAME|TYPE|COUNT)) ", path.read_text(encoding="utf-8"))
    uses = "\n".join(f"    (void)({macro});" for macro in macros)
    source.write_text(
        f'#define N 10\n#define T 20\n#include "{path.name}"\n#include "{path.name}"\n'
        f"int main(void)\n{{\n{uses}\n    return 0;\n}}\n",
        encoding="utf-8",
    )
    language = "c" if program == "cc" else "c++"
    command = [
        require(program),
        *flags,
        *STRICT,
        "-x",
        language,
        "-c",
        str(source),
        "-o",
        "/dev/null",
    ]
    subprocess.run(command, check=True)


def test_headers_of_several_models_go_together(tmp_path: Path) -> None:
    names = [write(name, tmp_path).name for name in MODELS]
    source = tmp_path / "program.c"
    lines = [*(f'#include "{name}"' for name in names), "int main(void) { return 0; }"]
    source.write_text("\n".join([*lines, ""]), encoding="utf-8")
    subprocess.run(
        [require("cc"), "-std=c99", *STRICT, "-c", source, "-o", "/dev/null"], check=True
    )


def test_headers_of_other_versions_do_not(tmp_path: Path) -> None:
    source = tmp_path / "program.c"
    source.write_text(f'#define KERAC_ABI_VERSION 99\n#include "{write("hand", tmp_path).name}"\n')
    command = [require("cc"), "-c", str(source), "-o", "/dev/null"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "different versions of kerac" in result.stderr


@pytest.mark.parametrize("name", ["hand", "fixed", "many"])
def test_the_example_compiles(name: str, tmp_path: Path) -> None:
    text = write(name, tmp_path).read_text(encoding="utf-8")
    example = [line[7:] for line in text.splitlines() if line.startswith(" *     ") or line == " *"]
    start = example.index("#include <stdlib.h>")
    (tmp_path / "example.c").write_text("\n".join([*example[start:], ""]), encoding="utf-8")
    command = [
        require("cc"),
        "-std=c11",
        *STRICT,
        "-c",
        str(tmp_path / "example.c"),
        "-o",
        "/dev/null",
    ]
    subprocess.run(command, check=True)


def test_the_example_is_built_and_runs_as_it_says(library: Path, tmp_path: Path) -> None:
    require("cc")
    for name in ("hand.so", "hand.h"):
        shutil.copy(library.parent / name, tmp_path)
    text = (tmp_path / "hand.h").read_text(encoding="utf-8")
    command, *example = [line[7:] for line in text.splitlines() if line.startswith(" *     ")]
    (tmp_path / "example.c").write_text("\n".join([*example, ""]), encoding="utf-8")
    subprocess.run(shlex.split(command), cwd=tmp_path, check=True)
    subprocess.run([str(tmp_path / "example")], cwd="/", check=True)


def test_it_says_names_types_and_sizes() -> None:
    text = header_text("hand", HAND)
    for line in (
        '#define HAND_INPUT_0_NAME "x"',
        '#define HAND_INPUT_0_TYPE "f32[N, 3]" /* float in C */',
        "#define HAND_INPUT_0_ELEMENTS(batch) ((int64_t)(batch) * INT64_C(3))",
        "#define HAND_INPUT_1_ELEMENTS(batch) (INT64_C(3))",
        "#define HAND_OUTPUT_COUNT 2",
        "/* hand_info()->output_shape computes the shape of output 1 */",
        " *   input 0    x     f32[N, 3]: 3 elements for each N",
        " *   output 0   y     f32[N, 3]: 3 elements for each N, from dense",
        "size_t hand_workspace_size(int64_t batch);",
    ):
        assert line in text.splitlines()


def test_models_without_and_with_many_dims_have_their_own_signatures() -> None:
    fixed, many = header_text("fixed", FIXED), header_text("many", MANY)
    assert "size_t fixed_workspace_size(void);" in fixed
    assert (
        "int fixed_run(const void *const *inputs, void *const *outputs, void *workspace);" in fixed
    )
    assert "#define FIXED_INPUT_0_ELEMENTS (INT64_C(6))" in fixed
    assert "size_t many_workspace_size(int64_t batch, int64_t dim_t);" in many


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("digits", "digits"),
        ("my-model.v2", "my_model_v2"),
        ("__a__b__", "a_b"),
        ("3d", "model_3d"),
        ("", "model"),
        ("kerac", "model_kerac"),
        ("Kerac_library", "model_Kerac_library"),
        ("größe", "gr_e"),
        ("模型", "model"),
    ],
)
def test_identifiers(name: str, identifier: str) -> None:
    assert c_identifier(name) == identifier


def test_files_may_be_called_otherwise() -> None:
    text = header_text("model", HAND, "libmodel-v2")
    assert ' *     #include "libmodel-v2.h"' in text
    assert "cc -std=c11 -O2 example.c libmodel-v2.so -Wl,-rpath,'$ORIGIN' -lm" in text
    assert "int model_run(" in text
