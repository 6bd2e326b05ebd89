"""Every mistake gets one message on stderr and its exit code; nothing is half written."""

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerac.command_line.application import explain
from kerac.ir import CompileError, FormatError, NumericsError, ShapeError, UnsupportedError
from kerac.runtime import InputError, LibraryError
from tests.command_line.conftest import Run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ShapeError("a: b"), 3),
        (UnsupportedError("a: b"), 3),
        (FormatError("a: b"), 3),
        (NumericsError("a: b"), 3),
        (InputError("a: b"), 3),
        (LibraryError("a: b"), 3),
        (CompileError("out.so: cannot be written"), 4),
        (PermissionError(errno.EACCES, "Permission denied", "out.so"), 4),
        (MemoryError(), 4),
        (ZeroDivisionError("division by zero"), 70),
    ],
)
def test_exit_codes(error: Exception, code: int) -> None:
    text, found = explain(error)
    assert found == code
    assert text.startswith(
        type(error).__name__ if code != 70 else "InternalError: ZeroDivisionError"
    )


def test_the_help_tells_commands_examples_and_exit_codes(kerac: Run) -> None:
    result = kerac("--help")
    assert result.exit_code == 0
    for word in ("compile", "export", "inspect", "run", "verify", "info", "Exit codes", "70"):
        assert word in result.stdout
    for command in ("compile", "export", "inspect", "run", "verify", "info"):
        text = kerac(command, "--help").stdout
        assert f"  Examples:\n    kerac {command} " in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["compress"],
        ["compile", "model.keras"],
        ["compile", "model.keras", "-o", "model.exe"],
        ["inspect", "model.keras", "--json", "--dot"],
        ["verify", "model.keras", "--tolerance", "0"],
        ["compile", "model.keras", "-o", "model.so", "--batch", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage(kerac: Run, arguments: list[str]) -> None:
    result = kerac(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: " in result.stderr


@pytest.mark.parametrize("command", ["info", "inspect", "run", "verify"])
def test_files_that_are_not_there(kerac: Run, command: str, tmp_path: Path) -> None:
    result = kerac(command, tmp_path / "model.keras")
    assert result.exit_code == 3
    assert result.stderr.startswith("FormatError: ")
    assert "No such file or directory" in result.stderr
    assert "Traceback" not in result.stderr


def test_text_that_is_no_graph(kerac: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.kir"
    path.write_text("def f(x: f32[N, 3]):\n    y = rela(x)\n    return y\n", encoding="utf-8")
    result = kerac("inspect", path)
    assert result.exit_code == 3
    assert f"FormatError: {path}: line 2" in result.stderr
    assert "y = rela(x)" in result.stderr
    path.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in kerac("inspect", path).stderr


def test_outputs_that_cannot_be_written(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    for arguments in (
        ["compile", mlp, "-o", tmp_path / "nowhere" / "mlp.so"],
        ["export", mlp, "-o", tmp_path / "nowhere" / "mlp.onnx"],
        ["inspect", mlp, "--html", tmp_path / "nowhere" / "mlp.html"],
    ):
        result = kerac(*arguments)
        assert result.exit_code == 4, result.stderr
        assert "there is no folder" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlp.kir"]


def test_unknown_dimensions(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    result = kerac("compile", mlp, "-o", tmp_path / "mlp.so", "--dim", "T=3")
    assert result.exit_code == 2
    assert "the model has no dimension 'T'; it has N" in result.stderr
    result = kerac("compile", mlp, "-o", tmp_path / "mlp.so", "--dim", "N=none")
    assert "'N=none' gives no positive length" in result.stderr
    assert not (tmp_path / "mlp.so").exists()


def test_debug_shows_where(kerac: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.kir"
    path.write_text("x", encoding="utf-8")
    assert "Traceback" not in kerac("inspect", path).stderr
    assert "Traceback" in kerac("--debug", "inspect", path).stderr


def command(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kerac", *map(str, arguments)],
        capture_output=True, text=True, check=False, **options,
    )  # fmt: skip


def test_the_real_command(mlp: Path, x: Path) -> None:
    assert command("--version").stdout.startswith("kerac ")
    result = command("run", mlp, "--input", x)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("probabilities: f32[2, 3]\n")
    assert result.stderr == ""
    missing = command("info", "nowhere.keras")
    assert (missing.returncode, missing.stdout) == (3, "")
    assert missing.stderr.startswith("FormatError: nowhere.keras")


def test_nobody_reads_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "long.kir"
    lines = [f"    v{i} = relu({f'v{i - 1}' if i else 'x'})  # layer {i}" for i in range(3000)]
    path.write_text("\n".join(["def f(x: f32[N]):", *lines, "    return v2999\n"]))
    process = subprocess.Popen(
        [sys.executable, "-m", "kerac", "inspect", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    with process.stderr:
        errors = process.stderr.read().decode()
    assert process.wait(60) != 0
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors


def test_arrays_are_asked_for_by_name(kerac: Run, two: Path, x: Path) -> None:
    result = kerac("run", two, "--input", x)
    assert result.exit_code == 2
    assert "no --input for right; the model takes" in result.stderr
    assert "left: f32[N, T]" in result.stderr
    result = kerac("run", two, "--input", x, "--input", x, "--input", x)
    assert "is one too many" in result.stderr
    result = kerac("run", two, "--input", f"left={x}", "--input", f"left={x}")
    assert "there is an array for left already" in result.stderr


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00", b"PK\x03\x04"])
def test_files_that_are_no_arrays(kerac: Run, mlp: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.npy"
    file.write_bytes(content)
    result = kerac("run", mlp, "--input", file)
    assert result.exit_code == 3
    assert f"FormatError: {file}: is no array file of NumPy" in result.stderr


def test_an_input_of_another_name(kerac: Run, mlp: Path, x: Path) -> None:
    result = kerac("run", mlp, "--input", f"image={x}")
    assert result.exit_code == 2
    assert "there is no input 'image'; the model takes" in result.stderr


def test_an_onnx_file_is_called_so(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    result = kerac("export", mlp, "-o", tmp_path / "model.so")
    assert result.exit_code == 2
    assert "model.so must end in .onnx" in result.stderr
    assert not list(tmp_path.glob("model.so"))


def test_arrays_that_would_run_code(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([print], dtype=object), allow_pickle=True)
    result = kerac("run", mlp, "--input", tmp_path / "objects.npy")
    assert result.exit_code == 3
    assert "is no array file of NumPy" in result.stderr


def test_arrays_that_do_not_fit(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 4)))
    result = kerac("run", mlp, "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert result.exit_code == 3
    assert "InputError: mlp: input x has length 4 on axis 1, but 3 is expected" in result.stderr
    assert not (tmp_path / "y.npy").exists()
