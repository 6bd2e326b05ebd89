"""Libraries for every processor: the variant that runs, its numbers, and its instructions."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import kerac.runtime
from kerac.backends.llvm.ahead_of_time import link_library, write_objects
from kerac.backends.llvm.lowering import lower_graph, lower_variants
from kerac.backends.llvm.module import place_weights
from kerac.backends.llvm.processor import BITS
from kerac.backends.llvm.target import X86, Target, find_target, find_targets
from kerac.compile import save_library
from kerac.ir import Graph, evaluate_graph, parse
from kerac.ir.ops import Input, item
from kerac.runtime.abi import WRONG_PROCESSOR
from tests.compare import assert_close
from tests.emulator import PROCESSORS, needs, needs_emulator, refusal, run_on
from tests.llvm.native import random_inputs
from tests.llvm.test_samples import has_native_code
from tests.samples import SAMPLES

pytestmark = pytest.mark.skipif(len(find_targets()) == 1, reason="this machine is not x86-64")

TEXT = """
def f(x: f32[N, 10, 10, 5], words: i32[N, 9], z: f32[N, 7, 6]):
    k: f32[3, 3, 5, 36] = parameter("k")
    d: f32[3, 3, 1, 36] = parameter("d")
    w: f32[36, 21] = parameter("w")
    table: f32[30, 6] = parameter("table")
    a: f32[6, 84] = parameter("a")
    b: f32[21, 84] = parameter("b")
    e: f32[6, 15] = parameter("e")
    r: f32[5, 15] = parameter("r")
    c = convolution(x, k, padding="same", activation="gelu")
    m = max_pool(c, window=(2, 2), strides=(2, 2))
    s = convolution(m, d, padding="same", groups=36)
    y = softmax(dense(s, w), axis=3)
    g = gather(table, words)
    l = lstm(g, a, b)
    last = item(l, index=1)
    v = gru(z, e, r)
    u = item(v, index=0)
    return y, multiply(y, 2), last, layer_norm(u, axes=(2,)), tanh(u)
"""


def make_graph() -> Graph:
    """Layers of several families with random weights."""
    generator = np.random.default_rng(0)
    shapes = re.findall(r"f32(\[[\d, ]+\]) = parameter\(\"(\w+)\"\)", TEXT)
    weights = {
        name: generator.normal(0, 0.4, json.loads(shape)).astype(np.float32)
        for shape, name in shapes
    }
    return parse(TEXT, arrays=weights)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[Target, Path]:
    """The objects of a library."""
    targets, folder = find_targets(), tmp_path_factory.mktemp("objects")
    files, _ = write_objects(lower_variants(make_graph(), targets), "net", folder)
    return dict(zip(targets, files, strict=True))


@pytest.fixture(scope="module")
def library(objects: dict[Target, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of them."""
    path = tmp_path_factory.mktemp("library") / "net.so"
    link_library(list(objects.values()), path, path.name)
    return path


def check(processor: str | None, library: Path, graph: Graph) -> str:
    """Compare a library with the reference; which variant it ran."""
    arrays = random_inputs(graph, {"N": 3})
    variant, outputs = run_on(processor, library, arrays)
    for got, expected in zip(outputs, evaluate_graph(graph, arrays), strict=True):
        assert_close(got, expected)
    return variant


@needs_emulator
@pytest.mark.parametrize("processor", PROCESSORS)
def test_older_processors_run_what_they_can(processor: str, library: Path) -> None:
    assert check(processor, library, make_graph()) == PROCESSORS[processor]


@needs("cc")
def test_this_processor_runs_the_best_it_can(library: Path) -> None:
    variant = kerac.runtime.load(library).variant
    assert check(None, library, make_graph()) == variant
    native = kerac.compile(make_graph())
    assert native.variant == "native"
    vectors = {target.name: target.vector_bytes for target in find_targets()}
    assert vectors[variant] == find_target().vector_bytes


@pytest.mark.parametrize("name", [*X86, "native"])
def test_a_library_for_one_processor_says_so(name: str, tmp_path: Path) -> None:
    graph = parse("def f(x: f32[N, 3]):\n    return relu(x)")
    save_library(graph, find_targets(name), tmp_path / "one.so")
    library = ctypes.CDLL(str(tmp_path / "one.so"))
    library.one_variant.restype = ctypes.c_char_p
    assert library.one_variant() == name.encode()


@needs_emulator
@pytest.mark.parametrize(
    ("name", "processor"), [("avx2", "Nehalem"), ("avx512", "Haswell"), ("native", "qemu64")]
)
def test_code_for_better_processors_is_refused(name: str, processor: str, tmp_path: Path) -> None:
    graph = parse("def f(x: f32[0]):\n    return relu(x)")
    target = find_target(name)
    if not target.needs:
        pytest.skip("any processor runs this one's code")
    save_library(graph, [target], tmp_path / "one.so")
    assert refusal(processor, tmp_path / "one.so") == WRONG_PROCESSOR


def instructions(code: Path) -> Iterator[tuple[str, str, str]]:
    """Function, mnemonic and operands of each instruction of an object."""
    command = ["objdump", "-d", "--no-show-raw-insn", "-w", code]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    function = ""
    for line in text.splitlines():
        begin = re.match(r"[0-9a-f]+ <(\w+)>:", line)
        function = begin[1] if begin else function
        match = re.match(
            r"\s+[0-9a-f]+:\s+(?:(?:rep|lock|repz|repnz|data16|cs)\s+)*(\S+)(.*)", line
        )
        if match:
            yield function, match[1], match[2]


def forbidden(target: Target) -> str:
    """What no instruction of code for a target may hold."""
    if target.vector_bytes == 16:
        return r"\bv(?!err|erw)\w+|%[yz]mm|%xmm(1[6-9]|[23]\d)|%k[0-7]"
    if target.vector_bytes == 32:
        return r"%zmm|%[xy]mm(1[6-9]|[23]\d)|%k[0-7]"
    return "no such thing"


@needs("objdump")
def test_code_holds_only_what_its_processors_have(
    objects: dict[Target, Path],
) -> None:
    for target, code in objects.items():
        found = [" ".join(words) for _, *words in instructions(code)]
        assert len(found) > 1000
        assert not [text for text in found if re.search(forbidden(target), text)]
        wide = {16: "%xmm", 32: "%ymm", 64: "%zmm"}[target.vector_bytes]
        assert any(wide in text for text in found)


@needs("objdump")
def test_what_comes_before_the_choice_is_for_any_processor(tmp_path: Path) -> None:
    targets = find_targets("avx512")
    (code,), _ = write_objects(lower_variants(make_graph(), targets), "net", tmp_path)
    shared = r"net_\w+|kerac_(library_info|run|part|work|start|wait|wake)"
    found = [
        (function, " ".join(words))
        for function, *words in instructions(code)
        if re.fullmatch(shared, function)
    ]
    names = {function for function, _ in found}
    assert {"net_run", "net_variant", "net_ask", "net_run_dims", "kerac_run"} <= names
    plain = forbidden(find_target("x86-64"))
    assert not [line for line in found if re.search(plain, line[1])]


def test_what_levels_need_is_known_and_grows() -> None:
    needed = [set(level.needs) for level in X86.values()]
    assert needed[0] < needed[1] < needed[2] <= set(BITS)


@needs_emulator
@pytest.mark.slow
def test_every_op_on_older_processors(tmp_path: Path) -> None:
    rows, inputs, results, arrays = [], [], [], []  # type: ignore[var-annotated]
    known = set()
    for number, sample in enumerate(SAMPLES):
        if type(sample.op) in known or not has_native_code(sample) or isinstance(sample.op, Input):
            continue
        known.add(type(sample.op))
        result = sample._apply(inputs, False, np.random.default_rng(number), f"sample_{number}_")
        several = range(len(result.type)) if isinstance(result.type, tuple) else ()
        found = [item(result, place) for place in several] or [result]
        results += found
        rows += [sample] * len(found)
        arrays += sample.arrays()
    names = tuple(f"output_{number}" for number in range(len(results)))
    graph = Graph("samples", tuple(inputs), tuple(results), names)
    save_library(graph, find_targets(), tmp_path / "samples.so")
    wanted = evaluate_graph(graph, arrays)
    for processor in ("qemu64", "Haswell", None):
        _, outputs = run_on(processor, tmp_path / "samples.so", arrays)
        for sample, got, expected in zip(rows, outputs, wanted, strict=True):
            assert_close(got, expected, sample.tolerance)


def test_variants_share_the_weights() -> None:
    """All read those that the best one alone would hold."""
    graph, targets = make_graph(), find_targets()
    together = lower_variants(graph, targets)
    alone = place_weights([lower_graph(graph, targets[-1])])
    assert place_weights(together.values()).size == alone.size
