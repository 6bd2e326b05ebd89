"""Whole networks as Keras saved them: every backend gives Keras's numbers, soon enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from benchmarks.models import NETWORKS
from kerac.backends.onnx import export_graph
from kerac.compile import compile_library
from kerac.ir import evaluate_graph, parse
from tests.compare import assert_close
from tests.emulator import PROCESSORS, needs_emulator, run_on

LARGE = {"mobilenet_v2", "resnet50"}
NAMES = [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in NETWORKS]
SECONDS = 30  # of the processor, that a compilation may take: a generous bound, not a measurement


@pytest.fixture(scope="module")
def expected() -> Callable[[str, Path], tuple[np.ndarray, np.ndarray]]:
    """Random inputs for a network and what Keras makes of them, computed once."""
    known: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def compute(name: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
        if name not in known:
            x = NETWORKS[name].sample(2)
            model: Any = keras.models.load_model(path, compile=False)
            known[name] = x, np.asarray(model.predict(x, verbose=0))
        return known[name]

    return compute


@pytest.fixture(scope="module")
def network_library(
    network_file: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A network as a library, made once."""
    folder = tmp_path_factory.mktemp("libraries")

    def make(name: str) -> Path:
        path = folder / f"{name}.so"
        if not path.exists():
            compile_library(network_file(name), path)
        return path

    return make


@pytest.mark.parametrize("name", NAMES)
def test_native_code_gives_the_numbers_of_keras(
    name: str,
    network_file: Callable[[str], Path],
    network_library: Callable[[str], Path],
    expected: Any,
) -> None:
    path = network_file(name)
    x, wanted = expected(name, path)
    start = time.process_time()
    executable = kerac.compile(path)
    seconds = time.process_time() - start
    assert_close(executable(x), wanted)
    assert (executable(x[:1]) == executable(x)[:1]).all()
    assert seconds < SECONDS
    assert (kerac.load(network_library(name))(x) == executable(x)).all()


@pytest.mark.parametrize("name", NAMES)
def test_libraries_give_the_same_bits_for_any_number_of_threads(
    name: str, network_library: Callable[[str], Path]
) -> None:
    x = NETWORKS[name].sample(3)
    library = kerac.load(network_library(name), threads=1)
    expected = library(x)
    for threads in (2, 3, 5):
        library.threads = threads
        assert (library(x) == expected).all()
        assert (library(x[:1]) == expected[:1]).all()


@needs_emulator
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("processor", ["qemu64", "Haswell"])
def test_libraries_run_on_older_processors(
    name: str,
    processor: str,
    network_file: Callable[[str], Path],
    network_library: Callable[[str], Path],
    expected: Any,
) -> None:
    x, wanted = expected(name, network_file(name))
    variant, (got,) = run_on(processor, network_library(name), [x])
    assert variant == PROCESSORS[processor]
    assert_close(got, wanted)


@pytest.mark.parametrize("name", NAMES)
def test_reference_and_onnx_give_the_numbers_of_keras(
    name: str, network_file: Callable[[str], Path], expected: Any
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = network_file(name)
    x, wanted = expected(name, path)
    graph = kerac.models.load_model(path).trace()
    assert_close(evaluate_graph(graph, [x])[0], wanted)
    session = onnxruntime.InferenceSession(
        export_graph(graph).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for rows in (1, 2):
        (got,) = session.run(None, {session.get_inputs()[0].name: x[:rows]})
        assert_close(got, wanted[:rows])


@pytest.mark.parametrize("name", NAMES)
def test_text_reads_back_before_and_after_every_pass(
    name: str, network_file: Callable[[str], Path]
) -> None:
    from kerac.passes.pipeline import run_pipeline

    trace = run_pipeline(kerac.models.load_model(network_file(name)).trace())
    for graph in [record.after for record in trace.records] + [trace.records[0].before]:
        text = str(graph)
        assert str(parse(text)) == text
