"""Compiled libraries: what they need and export, that they are reentrant, that C can use them."""

from __future__ import annotations

import ctypes
import dataclasses
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import kerac.runtime
from kerac.backends.llvm.ahead_of_time import find_compiler
from kerac.backends.llvm.target import find_target, find_targets
from kerac.backends.llvm.worker import emit_in_children
from kerac.compile import save_library
from kerac.ir import CompileError, Graph, InternalError, evaluate_graph, parse
from tests.compare import assert_close
from tests.emulator import needs
from tests.llvm.native import random_inputs

TEXT = """
def f(x: f32[N, 12, 12, 3]):
    k: f32[3, 3, 3, 20] = parameter("k")
    w: f32[20, 10] = parameter("w")
    c = convolution(x, k, padding="same", activation="gelu")
    d = dense(c, w)
    return multiply(d, sigmoid(d)), tanh(c)
"""


def make_graph() -> Graph:
    """A small network with random weights."""
    generator = np.random.default_rng(0)
    weights = {"k": (3, 3, 3, 20), "w": (20, 10)}
    return parse(
        TEXT, arrays={n: generator.normal(size=s).astype(np.float32) for n, s in weights.items()}
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as a shared library."""
    path = tmp_path_factory.mktemp("library") / "net.so"
    save_library(make_graph(), find_targets(), path)
    return path


def test_library_gives_the_numbers_of_the_reference(library: Path) -> None:
    graph = make_graph()
    executable = kerac.runtime.load(library)
    for batch in (1, 5):
        arrays = random_inputs(graph, {"N": batch})
        for got, expected in zip(executable(*arrays), evaluate_graph(graph, arrays), strict=True):
            assert_close(got, expected)


def test_eight_threads_give_the_same_bits(library: Path) -> None:
    executable = kerac.runtime.load(library)
    arrays = [random_inputs(make_graph(), {"N": 1 + seed % 3}, seed) for seed in range(64)]
    alone = [executable(*array) for array in arrays]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda array: executable(*array), arrays))
    for a, b in zip(alone, together, strict=True):
        assert all((x == y).all() for x, y in zip(a, b, strict=True))


@needs("nm")
def test_exports_and_imports(library: Path) -> None:
    text = subprocess.run(["nm", "-D", library], capture_output=True, text=True, check=True).stdout
    rows = [line.split()[-2:] for line in text.splitlines()]
    defined = {name.partition("@")[0] for kind, name in rows if kind in "TWV"}
    functions = {"net_info", "net_run", "net_workspace_size", "net_set_threads", "net_variant"}
    assert defined == {*functions, "kerac_library_info"}
    undefined = {name.partition("@")[0] for kind, name in rows if kind == "U"}
    signals = {"pthread_sigmask", "sigfillset"}
    threads = {"getpid", "syscall", "pthread_create", "pthread_detach", *signals}
    assert undefined <= {"memcpy", "memset", "memmove", *threads}


@needs("readelf")
def test_needs_nothing_but_the_c_library(library: Path) -> None:
    dynamic = subprocess.run(
        ["readelf", "-d", library], capture_output=True, text=True, check=True
    ).stdout
    needed = [line.split("[")[1].rstrip("]") for line in dynamic.splitlines() if "(NEEDED)" in line]
    assert set(needed) <= {"libc.so.6", "libm.so.6"}
    assert "(SONAME)" in dynamic
    assert "TEXTREL" not in dynamic
    segments = subprocess.run(
        ["readelf", "-lW", library], capture_output=True, text=True, check=True
    ).stdout
    stack = [line for line in segments.splitlines() if "GNU_STACK" in line]
    assert len(stack) == 1
    assert " RWE " not in stack[0]


def test_bad_arguments_are_refused_with_a_code(library: Path) -> None:
    net = ctypes.CDLL(str(library))
    net.net_workspace_size.restype = ctypes.c_size_t
    net.net_workspace_size.argtypes = [ctypes.c_int64]
    assert net.net_workspace_size(-1) == net.net_workspace_size(0) == 0
    size = net.net_workspace_size(1)
    block = np.zeros(size + 128, np.uint8)
    aligned = -(-block.ctypes.data // 64) * 64
    x = np.zeros((1, 12, 12, 3), np.float32)
    outputs = [np.zeros((1, 12, 12, 10), np.float32), np.zeros((1, 12, 12, 20), np.float32)]
    inputs_table = (ctypes.c_void_p * 1)(x.ctypes.data)
    outputs_table = (ctypes.c_void_p * 2)(*(output.ctypes.data for output in outputs))
    run = net.net_run
    run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    assert run(inputs_table, outputs_table, 1, aligned) == 0
    assert run(None, outputs_table, 1, aligned) == 1
    assert run(inputs_table, None, 1, aligned) == 1
    assert run(inputs_table, outputs_table, 1, None) == 1
    assert run((ctypes.c_void_p * 1)(None), outputs_table, 1, aligned) == 1
    assert run(inputs_table, (ctypes.c_void_p * 2)(outputs[0].ctypes.data, None), 1, aligned) == 1
    assert (
        run(inputs_table, outputs_table, 0, aligned)
        == run(inputs_table, outputs_table, -3, aligned)
        == 2
    )
    assert run(inputs_table, outputs_table, 1, aligned + 4) == 3


PROGRAM = """
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    float *x = calloc(NET_INPUT_0_ELEMENTS(2), sizeof *x);
    float *y = calloc(NET_OUTPUT_0_ELEMENTS(2), sizeof *y);
    float *z = calloc(NET_OUTPUT_1_ELEMENTS(2), sizeof *z);
    size_t size = (net_workspace_size(2) + 63) / 64 * 64;
    void *workspace = aligned_alloc(KERAC_WORKSPACE_ALIGNMENT, size);
    const void *inputs[] = {x};
    void *outputs[] = {y, z};
    for (int i = 0; i < NET_INPUT_0_ELEMENTS(2); i++) x[i] = (float)(i % 7) - 3;
    int code = net_run(inputs, outputs, 2, workspace);
    for (int i = 0; i < NET_OUTPUT_0_ELEMENTS(2); i++) printf("%.9g\\n", y[i]);
    free(x); free(y); free(z); free(workspace);
    return code;
}
"""


@needs("cc")
@pytest.mark.parametrize(
    ("ending", "targets"), [(".so", "native"), (".a", "portable"), (".o", "portable")]
)
def test_a_c_program_uses_the_model(tmp_path: Path, ending: str, targets: str) -> None:
    graph = make_graph()
    files = save_library(graph, find_targets(targets), tmp_path / f"net{ending}")
    assert files.header == tmp_path / "net.h"
    (tmp_path / "program.c").write_text(PROGRAM)
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wl,-rpath,."]
    command = ["cc", *flags, "program.c", f"net{ending}", "-lm", "-o", "program"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["./program"], cwd=tmp_path, capture_output=True, text=True, check=True)
    x = (np.arange(2 * 12 * 12 * 3) % 7 - 3).astype(np.float32).reshape(2, 12, 12, 3)
    expected = evaluate_graph(graph, [x])[0]
    assert_close(np.array(done.stdout.split(), np.float32).reshape(expected.shape), expected)


def test_links_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ziglang")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("AR", raising=False)
    assert "ziglang" in find_compiler()
    graph = make_graph()
    save_library(graph, find_targets("native"), tmp_path / "net.so")
    arrays = random_inputs(graph, {"N": 1})
    assert_close(
        kerac.runtime.load(tmp_path / "net.so")(*arrays)[0], evaluate_graph(graph, arrays)[0]
    )


def test_a_failing_linker_is_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "false")
    with pytest.raises(CompileError, match="link: false failed with status 1"):
        save_library(make_graph(), find_targets("native"), tmp_path / "net.so")
    assert not list(tmp_path.iterdir())


def test_other_endings_are_refused(tmp_path: Path) -> None:
    said = r"a library ends in \.so, \.o, \.a, but this ends in \.dll"
    with pytest.raises(CompileError, match=said):
        save_library(make_graph(), find_targets(), tmp_path / "net.dll")


def test_an_abort_of_llvm_is_an_error_message(tmp_path: Path) -> None:
    target = dataclasses.replace(find_target(), triple="no-such-machine")
    with pytest.raises(InternalError, match="LLVM made no code for native"):
        emit_in_children({target: "define void @f() { ret void }"}, tmp_path, "f")
