"""Running compiled libraries as on other processors, by the emulator of QEMU."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from kerac.runtime import ModelInfo, header_text, load

# processor: the variant of a portable library that it runs
PROCESSORS = {
    "qemu64": "x86-64",
    "Nehalem": "x86-64",
    "Haswell": "avx2",
    "Haswell,-fma": "x86-64",  # one instruction that the variant needs is missing
    "Haswell,-xsave": "x86-64",  # the system does not save the wide registers
}


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skip, naming the tool, where one is missing."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


needs_emulator = needs("qemu-x86_64", "cc")


@cache
def driver() -> Path:
    """The program that runs any library, once compiled."""
    folder = Path(tempfile.mkdtemp(prefix="kerac-test-"))
    (folder / "model.h").write_text(header_text("model", ModelInfo("", "", "", (), (), (), 0)))
    source = Path(__file__).parent / "llvm" / "driver.c"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{folder}"]
    program = folder / "driver"
    subprocess.run(["cc", *flags, source, "-ldl", "-o", program], check=True)
    return program


def _emulated(processor: str | None) -> list[str]:
    return ["qemu-x86_64", "-cpu", processor] if processor else []


def refusal(processor: str, library: Path) -> int:
    """The code of a run on a processor that no code of the library is for."""
    command = [*_emulated(processor), driver(), library, "/dev/null", "/dev/null", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "none\n", f"{processor}: status {done.returncode}\n{done.stderr}"
    return done.returncode


def run_on(
    processor: str | None, library: Path, inputs: Sequence[np.ndarray]
) -> tuple[str, list[np.ndarray]]:
    """The variant that runs, and its outputs; without a name the processor is this one."""
    like = load(library)
    dims = {
        -1 - entry: size
        for tensor, array in zip(like.inputs, inputs, strict=True)
        for entry, size in zip(tensor.shape, array.shape, strict=True)
        if entry < 0
    }
    with tempfile.TemporaryDirectory() as folder:
        source, sink = Path(folder) / "inputs", Path(folder) / "outputs"
        source.write_bytes(b"".join(np.ascontiguousarray(array).tobytes() for array in inputs))
        command = [driver(), library, source, sink, *(str(dims[i]) for i in range(len(dims)))]
        done = subprocess.run(
            [*_emulated(processor), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{processor}: status {done.returncode}\n{done.stderr}"
        data, outputs = sink.read_bytes(), []
    expected = like(*inputs)
    for array in expected if isinstance(expected, tuple) else (expected,):
        outputs.append(np.frombuffer(data, array.dtype, array.size).reshape(array.shape))
        data = data[array.nbytes :]
    assert not data
    return done.stdout.strip(), outputs
