"""`kerac run`, `compile`, `export` and `info`: the same numbers whichever way."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kerac.runtime.abi import ABI_VERSION
from tests.command_line.conftest import Run, reference_mlp
from tests.compare import assert_close


def needs_linker() -> None:
    if not shutil.which("cc"):
        pytest.skip("cc is not installed")


def test_a_model_runs_and_shows_its_outputs(kerac: Run, mlp: Path, x: Path) -> None:
    result = kerac("run", mlp, "--input", x)
    assert result.exit_code == 0, result.stderr
    heading, *rows = result.stdout.splitlines()
    assert heading == "probabilities: f32[2, 3]"
    assert_close(
        [list(map(float, row.strip(" []").split())) for row in rows],
        reference_mlp(np.load(x)).round(8), 1e-4,
    )  # fmt: skip


def test_outputs_go_to_files(kerac: Run, mlp: Path, two: Path, x: Path, tmp_path: Path) -> None:
    y = tmp_path / "y.npy"
    result = kerac("run", mlp, "--input", x, "-o", y)
    assert (result.exit_code, result.stdout) == (0, "")
    assert_close(np.load(y), reference_mlp(np.load(x)))

    inputs = ["--input", f"right={x}", "--input", x]
    both = tmp_path / "both.npz"
    assert kerac("run", two, *inputs, "-o", both).exit_code == 0
    with np.load(both) as arrays:
        assert_close(arrays["sum"], 2 * np.load(x))
        assert_close(arrays["difference"], 0 * np.load(x))
    assert kerac("run", two, *inputs, "-o", f"sum={y}").exit_code == 0
    assert_close(np.load(y), 2 * np.load(x))
    result = kerac("run", two, *inputs, "-o", y)
    assert result.exit_code == 2
    assert "do not go into one .npy file" in result.stderr
    assert "must end in .npy or .npz" in kerac("run", mlp, "--input", x, "-o", "y.txt").stderr


def test_arrays_come_and_go_through_pipes(kerac: Run, mlp: Path, x: Path) -> None:
    result = kerac("run", mlp, "--input", "-", "-o", "-", input=x.read_bytes())
    assert result.exit_code == 0, result.stderr
    assert_close(np.load(io.BytesIO(result.stdout_bytes)), reference_mlp(np.load(x)))


def test_inputs_by_name_from_one_file(kerac: Run, two: Path, tmp_path: Path) -> None:
    left, right = np.ones((2, 5)), np.full((2, 5), 3)
    np.savez(tmp_path / "all.npz", right=right, left=left)
    result = kerac("run", two, "--input", tmp_path / "all.npz", "-o", tmp_path / "out.npz")
    assert result.exit_code == 0, result.stderr
    with np.load(tmp_path / "out.npz") as arrays:
        assert_close(arrays["difference"], left - right)


@pytest.mark.parametrize("batch", [[], ["--batch", "2"]], ids=["any batch", "batch of 2"])
def test_a_compiled_library_runs(
    kerac: Run, mlp: Path, x: Path, tmp_path: Path, batch: list[str]
) -> None:
    needs_linker()
    library = tmp_path / "mlp.so"
    result = kerac("compile", mlp, "-o", library, *batch)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert str(library) in result.stderr
    assert (tmp_path / "mlp.h").exists()
    assert kerac("run", library, "--input", x, "-o", tmp_path / "y.npy").exit_code == 0
    assert_close(np.load(tmp_path / "y.npy"), reference_mlp(np.load(x)))


def test_a_library_has_its_own_dims(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    needs_linker()
    library = tmp_path / "mlp.so"
    assert kerac("compile", mlp, "-o", library, "--batch", 2).exit_code == 0
    np.save(tmp_path / "x.npy", np.zeros((3, 3)))
    result = kerac("run", library, "--input", tmp_path / "x.npy")
    assert result.exit_code == 3
    assert "has length 3 on axis 0, but 2 is expected" in result.stderr


def test_objects_need_no_linker(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    assert kerac("compile", mlp, "-o", tmp_path / "mlp.o").exit_code == 0
    assert (tmp_path / "mlp.o").read_bytes()[:4] == b"\x7fELF"
    result = kerac("run", tmp_path / "mlp.o")
    assert result.exit_code == 3
    assert "is an object file" in result.stderr


def test_an_exported_file_is_onnx(kerac: Run, mlp: Path, x: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "mlp.onnx"
    result = kerac("export", mlp, "-o", path)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": np.load(x)})
    assert_close(y, reference_mlp(np.load(x)))


def test_info_of_a_model(kerac: Run, mlp: Path) -> None:
    result = kerac("info", mlp)
    assert result.exit_code == 0
    assert "inputs     x: f32[N, 3]\n" in result.stdout
    assert "outputs    probabilities: f32[N, 3], from probabilities\n" in result.stdout
    assert "weights    14 numbers, 56 B\n" in result.stdout
    found = json.loads(kerac("info", mlp, "--json").stdout)
    assert found["weights"] == 14
    assert found["ops"] == {"dense": 1, "relu": 1, "matmul": 1, "softmax": 1}
    assert found["values"] == 4
    assert found["dims"] == ["N"]


def test_info_of_a_library(kerac: Run, mlp: Path, tmp_path: Path) -> None:
    needs_linker()
    library = tmp_path / "mlp.so"
    kerac("compile", mlp, "-o", library)
    found = json.loads(kerac("info", library, "--json").stdout)
    assert found["kind"] == "library"
    assert found["abi_version"] == ABI_VERSION
    assert found["inputs"] == [{"name": "x", "type": "f32[N, 3]"}]
    assert found["file_bytes"] == library.stat().st_size
    assert f"interface  version {ABI_VERSION}" in kerac("info", library).stdout
