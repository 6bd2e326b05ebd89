"""Who can be timed: each contestant makes a call without arguments out of a job."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Run = Callable[[], Sequence[Array]]


@dataclass(frozen=True)
class Job:
    """What is run: a model file or library, and the same network as ONNX, on arrays by name.

    A model is tuned for the lengths of dims in `tune`.
    """

    model: Path
    inputs: Mapping[str, Array]
    threads: int = 1
    weights: Path | None = None
    onnx: Path | None = None
    tune: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Contestant:
    """One runtime. `prepare` names a function from `Job` to `Run` as `module:function`.

    It is called in a process of its own, which has the `environment` and as many processors as the
    job has threads.
    """

    name: str
    prepare: str
    packages: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_installed(self) -> bool:
        """Whether its packages are there."""
        return all(importlib.util.find_spec(package) for package in self.packages)


def prepare_kerac(job: Job) -> Run:
    """The model compiled in memory, or the library loaded."""
    from kerac.command_line.source import load_executable

    executable = load_executable(job.model, job.weights, job.threads, job.tune)
    arrays = [job.inputs[tensor.name] for tensor in executable.inputs]

    def run() -> Sequence[Array]:
        found = executable(*arrays)
        return found if isinstance(found, tuple) else (found,)

    return run


def prepare_onnxruntime(job: Job) -> Run:
    """ONNX Runtime on the file that kerac exports."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(job.onnx, options, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    feed = dict(zip(names, job.inputs.values(), strict=True))
    return lambda: session.run(None, feed)


def prepare_openvino(job: Job) -> Run:
    """OpenVINO on the file that kerac exports, in float32."""
    openvino: Any = importlib.import_module("openvino")
    core = openvino.Core()
    settings = {
        "INFERENCE_NUM_THREADS": job.threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    model = core.read_model(job.onnx)
    # shapes that are known serve it best, and a user knows them
    model.reshape({place: array.shape for place, array in enumerate(job.inputs.values())})
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    feed = dict(enumerate(job.inputs.values()))

    def run() -> Sequence[Array]:
        found = request.infer(feed, share_inputs=True, share_outputs=True)
        return [found[place] for place in range(len(found))]

    return run


def prepare_peak(job: Job) -> Run:
    """A loop of multiply-adds in registers on every thread; returns how many operations it did."""
    from threading import Thread

    from kerac.backends.llvm.peak import PeakLoop

    loop = PeakLoop()
    operations = (np.array(loop.operations * job.threads),)

    def run() -> Sequence[Array]:
        others = [Thread(target=loop) for _ in range(job.threads - 1)]
        for thread in others:
            thread.start()
        loop()
        for thread in others:
            thread.join()
        return operations

    return run


KERAC = Contestant("kerac", f"{__name__}:prepare_kerac")
PEAK = Contestant("peak", f"{__name__}:prepare_peak")
PEERS = (
    Contestant("ONNX Runtime", f"{__name__}:prepare_onnxruntime", ("onnxruntime",)),
    Contestant("OpenVINO", f"{__name__}:prepare_openvino", ("openvino",)),
)
