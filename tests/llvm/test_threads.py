"""Threads: the same bits for any number of them, and a pool that survives what processes do."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kerac.backends.llvm.ahead_of_time import find_compiler
from kerac.backends.llvm.kernel import control
from kerac.backends.llvm.target import find_target
from kerac.backends.llvm.threads import process_pool
from kerac.compile import compile, compile_library
from kerac.ir import Graph, evaluate_graph, parse
from kerac.runtime import Executable, InputError, load
from kerac.runtime.abi import KeracParallel, ParallelFor
from tests.compare import assert_close
from tests.emulator import needs
from tests.llvm.native import random_inputs
from tests.random_graphs import Grower

TEXT = """
def net(x: f32[N, 20, 20, 8]):
    k: f32[3, 3, 8, 40] = parameter("k")
    w: f32[40, 50] = parameter("w")
    c = convolution(x, k, padding="same", activation="relu")
    p = max_pool(c, window=(2, 2), strides=(2, 2))
    d = dense(p, w)
    return softmax(d, axis=3)
"""


def make_graph() -> Graph:
    """A network whose kernels are all worth several threads."""
    random = np.random.default_rng(0)
    shapes = {"k": (3, 3, 8, 40), "w": (40, 50)}
    return parse(TEXT, arrays={n: random.normal(0, 0.1, s).astype("f") for n, s in shapes.items()})


def images(batch: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(batch, 20, 20, 8)).astype("f")


@pytest.fixture
def no_grain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any work is worth a thread."""
    monkeypatch.setattr(control.ControlFlow, "grain", 1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("library") / "net.so"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control.ControlFlow, "grain", 1)
        compile_library(make_graph(), path)
    return path


def bits(arrays: np.ndarray | tuple[np.ndarray, ...]) -> list[bytes]:
    return [x.tobytes() for x in (arrays if isinstance(arrays, tuple) else (arrays,))]


@pytest.mark.usefixtures("no_grain")
@pytest.mark.parametrize("seed", range(12))
def test_results_are_the_same_for_any_number_of_threads(seed: int) -> None:
    graph = Grower(seed).graph(12)
    executable = compile(graph, threads=1)
    arrays = random_inputs(graph, {"N": 5}, seed)
    expected = bits(executable(*arrays))
    for threads in (2, 3, 4):
        executable.threads = threads
        assert bits(executable(*arrays)) == expected


@pytest.mark.usefixtures("no_grain")
def test_results_are_those_of_the_reference_for_any_split_of_the_batch() -> None:
    graph, x = make_graph(), images(7)
    executable = compile(graph, threads=3)
    whole = executable(x)
    assert_close(whole, evaluate_graph(graph, [x])[0])
    for size in (1, 2, 3):
        parts = [executable(x[i : i + size]) for i in range(0, len(x), size)]
        assert bits(np.concatenate(parts)) == bits(whole)


def test_a_library_runs_in_threads(library: Path) -> None:
    executable, x = load(library, threads=1), images(3)
    expected = bits(executable(x))
    for threads in (2, 4, 1000):
        executable.threads = threads
        assert bits(executable(x)) == expected


def test_callers_side_by_side(library: Path) -> None:
    executable = load(library, threads=3)
    arrays = [images(1 + seed % 3, seed) for seed in range(48)]
    expected = [bits(executable(x)) for x in arrays]
    with ThreadPoolExecutor(6) as pool:
        assert [bits(y) for y in pool.map(executable, arrays)] == expected


def test_threads_are_a_positive_number(library: Path) -> None:
    executable = load(library)
    assert executable.threads == len(os.sched_getaffinity(0))
    for wrong in (0, -1, 2.0, True):
        with pytest.raises(InputError, match="threads must be a positive integer"):
            executable.threads = wrong  # type: ignore[assignment]


RunTasks = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 2)
Task = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def run_tasks(task: Callable[[int, int], None], total: int, threads: int) -> None:
    """Do tasks 0 ... `total` - 1 on the pool of this process."""
    parallel = KeracParallel(threads=threads)
    function = Task(lambda _, first, last: task(first, last))
    address = ctypes.cast(function, ctypes.c_void_p)
    run = RunTasks(process_pool(find_target()))
    run(ctypes.addressof(parallel), address, None, total, threads)


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_each_task_is_done_once(threads: int) -> None:
    for total in (*range(1, 40), 1000):
        done: list[int] = []
        run_tasks(lambda first, last, done=done: done.extend(range(first, last)), total, threads)
        assert sorted(done) == list(range(total))


def test_nobody_waits_for_a_thread_that_is_held_up() -> None:
    done: list[int] = []
    saw_the_end: list[bool] = []
    others_are_done = threading.Event()
    caller = threading.get_ident()

    def task(first: int, last: int) -> None:
        is_held_up = threading.get_ident() != caller and not others_are_done.is_set()
        done.extend(range(first, last))
        if len(done) == 100:  # seen by whoever comes last
            others_are_done.set()
        if is_held_up:
            saw_the_end.append(others_are_done.wait(10))

    run_tasks(task, 100, 2)
    assert sorted(done) == list(range(100))
    assert all(saw_the_end)


@pytest.mark.parametrize("order", [iter, reversed], ids=["forwards", "backwards"])
def test_a_parallel_for_of_the_caller(library: Path, order: Callable[[range], range]) -> None:
    executable, x = load(library, threads=1), images(2)
    expected = bits(executable(x))
    counts = []

    def parallel_for(context: int, task: Callable[[int, int], None], data: int, count: int) -> None:
        assert context == 77
        counts.append(count)
        for number in order(range(count)):
            task(data, number)

    function = ParallelFor(parallel_for)
    executable._parallel.threads = 5
    executable._parallel.parallel_for = ctypes.cast(function, ctypes.c_void_p).value
    executable._parallel.context = 77
    assert bits(executable(x)) == expected
    assert counts
    assert max(counts) == 5


@needs("cc")
def test_a_parallel_for_of_a_c_program(library: Path, tmp_path: Path) -> None:
    source, program = Path(__file__).parent / "parallel.c", tmp_path / "parallel"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{library.parent}"]
    paths = [str(library), f"-Wl,-rpath,{library.parent}", "-o", str(program)]
    subprocess.run(["cc", *flags, str(source), *paths, "-lm"], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60)
    (regions, tasks), *others = ([*map(int, line.split())] for line in done.stdout.splitlines())
    assert (regions, tasks) == (0, 0)  # one thread needs none of the program's
    for threads, (regions, tasks) in enumerate(others, start=2):
        assert regions > 0
        assert regions < tasks <= regions * threads


SCRIPT = """
import os, sys
import numpy as np
from kerac.runtime import load

executable = load(sys.argv[1], threads=3)
x = np.random.default_rng(0).normal(size=(4, 20, 20, 8)).astype("f")
expected = executable(x).tobytes()
for _ in range(3):
    child = os.fork()
    if child == 0:
        same = all(executable(x).tobytes() == expected for _ in range(3))
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(not executable(x).tobytes() == expected)
        os._exit(not (same and os.waitpid(grandchild, 0)[1] == 0))
    assert executable(x).tobytes() == expected
    assert os.waitpid(child, 0)[1] == 0
"""


def test_children_after_fork_have_threads_of_their_own(library: Path) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, str(library)], check=True, timeout=60)


PROGRAM = """
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "net.h"

static float x[NET_INPUT_0_ELEMENTS(3)], expected[NET_OUTPUT_0_ELEMENTS(3)];
static const void *inputs[] = {x};

static int run(void *library, int64_t threads)
{
    float *y = calloc(NET_OUTPUT_0_ELEMENTS(3), sizeof *y);
    void *outputs[] = {threads ? y : expected};
    int64_t batch = 3;
    kerac_parallel parallel = {threads, NULL, NULL};
    const kerac_info *info = ((const kerac_info *(*)(void))dlsym(library, "net_info"))();
    size_t size = info->workspace_size(&batch);
    void *workspace = aligned_alloc(64, size + 64 - size % 64);
    int wrong = info->run(inputs, outputs, &batch, workspace, &parallel);
    wrong |= threads && memcmp(y, expected, sizeof expected);
    free(workspace);
    free(y);
    return wrong;
}

int main(int count, char **names)
{
    int wrong = 0;
    if (count > 2) /* room for few stacks of threads */
        wrong |= setrlimit(RLIMIT_AS, &(struct rlimit){24 << 20, 24 << 20});
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)(i % 13) - 6;
    for (int turn = 0; turn < 3; turn++) {
        void *library = dlopen(names[1], RTLD_NOW);
        if (!library) return fprintf(stderr, "%s\\n", dlerror()), 2;
        if (!turn) wrong |= run(library, 0);
        wrong |= run(library, 4);
        void (*set_threads)(int64_t) = (void (*)(int64_t))dlsym(library, "net_set_threads");
        set_threads(2);
        dlclose(library);
    }
    return wrong;
}
"""


@pytest.mark.parametrize("limit", [[], ["limit"]], ids=["unlimited", "without memory for stacks"])
def test_a_program_that_closes_and_opens_the_library(
    library: Path, tmp_path: Path, limit: list[str]
) -> None:
    (tmp_path / "program.c").write_text(PROGRAM)
    program = tmp_path / "program"
    command = [*find_compiler(), "-std=c11", "-D_GNU_SOURCE", f"-I{library.parent}"]
    sources = [str(tmp_path / "program.c"), "-ldl", "-pthread", "-o", str(program)]
    subprocess.run([*command, *sources], check=True)
    subprocess.run([str(program), str(library), *limit], check=True, timeout=60)


def test_small_work_stays_in_one_thread() -> None:
    graph = parse("""def f(x: f32[N, 16]):
        w: f32[16, 16] = parameter("w")
        return dense(x, w)
    """, arrays={"w": np.eye(16, dtype="f")})  # fmt: skip
    called = []
    function = ParallelFor(lambda *_: called.append(1))
    executable: Executable = compile(graph)
    executable._parallel = KeracParallel(8, ctypes.cast(function, ctypes.c_void_p).value, None)
    executable._parallel_address = ctypes.addressof(executable._parallel)
    x = np.ones((4, 16), "f")
    assert (executable(x) == x).all()
    assert not called


def test_libraries_without_threads(tmp_path: Path) -> None:
    path = tmp_path / "net.so"
    compile_library(make_graph(), path, threads=False)
    assert b"pthread_create" not in path.read_bytes()
    x = images(2)
    assert_close(load(path, threads=4)(x), evaluate_graph(make_graph(), [x])[0])
