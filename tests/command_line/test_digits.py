"""Every command on a model file that Keras wrote."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.command_line.conftest import Run

FOLDER = Path(__file__).parents[2] / "examples" / "digits"
MODEL = FOLDER / "digits.keras"


def test_verify_layer_by_layer(kerac: Run) -> None:
    result = kerac("verify", MODEL, "--layers")
    assert result.exit_code == 0, result.stderr
    names = [line.split()[0] for line in result.stdout.splitlines()[1:]]
    assert names[:3] == ["edges", "edges_norm", "edges_relu"]
    assert names[-1] == "digit"


def test_inspect_tells_what_was_fused(kerac: Run, tmp_path: Path) -> None:
    found = json.loads(kerac("inspect", MODEL, "--json").stdout)
    rules = {rule for stage in found["passes"] for rule in stage["rules"]}
    assert {"drop_dropout", "into_contraction_before", "fuse_activation"} <= rules
    (edges,) = [row for row in found["layers"] if row["layer"] == "edges_norm"]
    assert edges["final"] == ["edges_relu"]
    assert kerac("inspect", MODEL, "--html", tmp_path / "page.html").exit_code == 0
    assert "digits" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_compiled_it_reads_digits(kerac: Run, tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("cc is not installed")
    with np.load(FOLDER / "held_out.npz") as held_out:
        images, labels = (held_out[name] for name in held_out.files)
    np.save(tmp_path / "images.npy", images.reshape(-1, 8, 8, 1))
    library, output = tmp_path / "digits.so", tmp_path / "scores.npy"
    assert kerac("compile", MODEL, "-o", library).exit_code == 0
    result = kerac("run", library, "--input", tmp_path / "images.npy", "-o", output)
    assert result.exit_code == 0, result.stderr
    assert (np.load(output).argmax(axis=1) == labels.ravel()).mean() > 0.95
