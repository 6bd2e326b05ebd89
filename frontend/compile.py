"""The compiler as a user calls it: a model becomes an executable, a library or an ONNX file."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerac.ir import CompileError, Graph, TensorType, UnsupportedError
from kerac.ir.dims import symbols_of
from kerac.runtime import Executable, c_identifier, header_text
from kerac.runtime import load as load_library

if TYPE_CHECKING:
    from kerac.backends.llvm.plan import Plan
    from kerac.backends.llvm.schedules import Schedules
    from kerac.backends.llvm.target import Target
    from kerac.backends.llvm.tuning import Find
    from kerac.passes.trace import Trace

LIBRARY_KINDS = (".so", ".o", ".a")
USUAL_LENGTH = 64  # of symbolic axes of which nobody says for which length kernels are timed


def compile(
    model: Any,
    batch: int | None = None,
    target: str | None = None,
    dims: Mapping[str, int] | None = None,
    threads: int | None = None,
    winograd: bool = True,
    tune: bool | Mapping[str, int] = False,
) -> Executable:
    """Compile a model, a graph or a model file to native code in this process.

    The executable serves every batch size unless `batch`, or other symbolic `dims` by name, fix
    them for more speed. Calls use at most so many `threads`, by default as many as there are
    processors. Its `trace` holds what every pass did; its `save(path)` writes a library. The code
    is for this machine, and a saved library for any of its kind, unless `target` names one. Without
    `winograd` no convolution is computed by Winograd's transforms: slower, but results are within
    1e-5 of the largest exact one, else within 5e-5. With `tune`, the fastest of some kernels are
    found by timing them on this machine, once, for one sample or for the lengths of dims by name.
    """
    from kerac.backends.llvm.jit import load_plan
    from kerac.backends.llvm.python_call import make_binder
    from kerac.backends.llvm.target import NATIVE, PORTABLE, find_target, find_targets

    machine = replace(find_target(target or NATIVE), winograd=winograd)
    trace, plan = lower(graph_of(model), machine, batch, dims, tune)
    loaded = load_plan(plan, machine, c_identifier(plan.graph.name))
    return Executable(
        loaded.information,
        loaded.keep,
        threads=threads,
        trace=trace,
        bind=make_binder(),
        save=lambda path: save_library(
            trace.graph, _with_transforms(find_targets(target or PORTABLE), winograd), path
        ),
    )


def load(path: str | os.PathLike[str], threads: int | None = None) -> Executable:
    """Load the compiled model in the shared library `path`; it stays loaded with the process.

    Calls use at most so many `threads`, by default as many as the process may run on.
    """
    from kerac.backends.llvm.python_call import make_binder

    return load_library(path, threads, make_binder())


def compile_library(
    model: Any,
    path: str | os.PathLike[str],
    batch: int | None = None,
    target: str = "portable",
    dims: Mapping[str, int] | None = None,
    threads: bool = True,
    winograd: bool = True,
    tune: bool | Mapping[str, int] = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> LibraryFiles:
    """Compile to a library at `path` without loading it; the file's ending says which kind.

    It is for any machine of this one's kind, unless `target` says otherwise: `native` is this one.
    Without `threads` the library can only use the one that calls it, and needs no POSIX threads.
    For `winograd` and `tune` see `compile`; it needs the target `native`, and tells `on_step` what
    it times.
    """
    from kerac.backends.llvm.target import NATIVE, find_targets
    from kerac.passes.pipeline import run_pipeline

    _check_library_kind(path)
    if tune is not False and target != NATIVE:
        raise CompileError(
            f"{os.fspath(path)}: tuning measures on this machine, but the target is {target}",
            remedy=f"Choose the target {NATIVE}, or do without tuning.",
        )
    targets = _with_transforms(find_targets(target), winograd)
    trace = run_pipeline(fix_dims(graph_of(model, for_file=True), batch, dims))
    schedules = None
    if tune is not False:
        schedules, trace.plans["finds"] = find_schedules(trace.graph, targets[0], tune, on_step)
    return save_library(trace.graph, targets, path, trace, threads, schedules)


def compile_trainer(
    model: Any,
    path: str | os.PathLike[str],
    *,
    optimizer: Any = None,
    loss: Any = None,
    metrics: Any = None,
    labels: Sequence[TensorType | None] | None = None,
    sample_weights: bool = False,
    dims: Mapping[str, int] | None = None,
    target: str = "portable",
    threads: bool = True,
) -> LibraryFiles:
    """Compile a model and how it is trained to a library at `path` that trains it without Python.

    Optimizer, loss and metrics are those that the model was compiled with, unless others are given.
    `labels` are the types of labels, one an output, where they are not those that the losses want;
    with `sample_weights` steps take a weight for each sample. Dims but the batch must be fixed.
    """
    from kerac.backends.llvm.target import find_targets
    from kerac.training.library import write_trainer

    _check_library_kind(path)
    if isinstance(model, (str, os.PathLike)):
        from kerac.models import load_model

        model = load_model(model)
    model.recompile(optimizer, loss, metrics)
    if not model.compiled:
        raise CompileError(
            f"{model.name}: a trainer needs an optimizer and a loss, but the model is not compiled",
            remedy="Compile it before it is saved, or give both: --optimizer adam --loss mse.",
        )
    targets = find_targets(target)
    return write_trainer(model, Path(path), labels, sample_weights, dims or {}, targets, threads)


def export_onnx(model: Any, path: str | os.PathLike[str], opset: int | None = None) -> None:
    """Write a model, a graph or a model file as an ONNX file, which is checked first."""
    from kerac.backends.onnx import export_graph, write_model
    from kerac.saving.atomic import atomic_output

    graph = graph_of(model, for_file=True)
    write_model(export_graph(graph, opset), path, atomic_output)


def lower(
    graph: Graph,
    target: Target,
    batch: int | None = None,
    dims: Mapping[str, int] | None = None,
    tune: bool | Mapping[str, int] = False,
) -> tuple[Trace, Plan]:
    """Run the passes, then the hardware decisions, on a graph."""
    from kerac.backends.llvm.lowering import lower_graph
    from kerac.backends.llvm.memory import plan_memory
    from kerac.passes.pipeline import run_pipeline

    trace = run_pipeline(fix_dims(graph, batch, dims))
    schedules = None
    if tune is not False:
        schedules, trace.plans["finds"] = find_schedules(trace.graph, target, tune)
    plan = lower_graph(trace.graph, target, schedules)
    trace.plans["kernels"] = plan
    trace.plans["memory"] = plan_memory(plan)
    return trace, plan


def find_schedules(
    graph: Graph,
    target: Target,
    tune: bool | Mapping[str, int] = True,
    on_step: Callable[[str], None] = lambda _: None,
) -> tuple[Schedules, list[Find]]:
    """What is fastest on this machine for a graph on which all passes have run."""
    from kerac.backends.llvm.tuning import Tuner

    batch = {name for value in graph.inputs if value.shape for name in symbols_of(value.shape[0])}
    usual = {name: 1 if name in batch else USUAL_LENGTH for name in graph.symbols}
    tuner = Tuner(target, {**usual, **({} if isinstance(tune, bool) else tune)}, on_step=on_step)
    schedules = tuner.tune(graph)
    return schedules, list(tuner.finds.values())


def _with_transforms(targets: Sequence[Target], winograd: bool) -> tuple[Target, ...]:
    """The targets, with or without Winograd's transforms."""
    return tuple(replace(target, winograd=winograd) for target in targets)


def graph_of(model: Any, for_file: bool = False) -> Graph:
    """The graph of a model, of a file that holds one, or itself.

    With `for_file` it is said what takes the place of text, which only Python reads.
    """
    if isinstance(model, Graph):
        return model
    if isinstance(model, (str, os.PathLike)):
        from kerac.models import load_model

        model = load_model(model, compile=False)
    if not hasattr(model, "trace"):
        raise UnsupportedError(
            f"compile: takes a model of kerac, a graph or a path, but got a {type(model).__name__}",
            remedy="Save a model of Keras with model.save('model.keras') and give the path.",
        )
    graph = model.trace()
    if not isinstance(graph, Graph):
        raise UnsupportedError(f"compile: {type(model).__name__} does not trace to a graph")
    if for_file and hasattr(model, "text_inputs") and model.text_inputs() is not None:
        inputs = ", ".join(f"{value.name}: {value.type}" for value in graph.inputs)
        warnings.warn(
            f"{graph.name}: reads text, but native code has none: its inputs are {inputs}, "
            "what the layers of these names make of texts",
            stacklevel=3,
        )
    return graph


def fix_dims(graph: Graph, batch: int | None, dims: Mapping[str, int] | None) -> Graph:
    """The graph with numbers for symbols; `batch` stands for the first axis of the inputs."""
    values = dict(dims or {})
    if batch is not None:
        for value in graph.inputs:
            values.update({name: batch for name in symbols_of(value.shape[0]) if value.shape})
    for name, number in values.items():
        if name not in graph.symbols:
            known = ", ".join(graph.symbols) or "none"
            raise CompileError(
                f"{graph.name}: dim {name} is fixed, but the inputs have the dims {known}"
            )
        if not isinstance(number, int) or number < 1:
            raise CompileError(
                f"{graph.name}: dim {name} must be a positive integer, but is {number!r}"
            )
    return substitute_dims(graph, values) if values else graph


def substitute_dims(graph: Graph, values: Mapping[str, int]) -> Graph:
    """The same graph for fixed values of some symbols."""
    from kerac.ir.ops.constant import Input

    new: dict[Any, Any] = {}
    for value in graph.values:
        inputs = tuple(None if operand is None else new[operand] for operand in value.inputs)
        op = value.op.substitute(values)
        if isinstance(op, Input):
            op = Input(value.tensor_type.substitute(values))
        # a called graph keeps its own symbols, which `infer` binds
        new[value] = op(*inputs, name=value.name, origin=value.origin)
    return Graph(
        graph.name,
        tuple(new[value] for value in graph.inputs),
        tuple(new[value] for value in graph.outputs),
        graph.output_names,
        graph.updates,
    )


@dataclass(frozen=True)
class LibraryFiles:
    """What `save_library` wrote, and the trace of the passes where it was made together."""

    library: Path
    header: Path
    trace: Trace | None = None


def save_library(
    graph: Graph,
    targets: Sequence[Target],
    path: str | os.PathLike[str],
    trace: Trace | None = None,
    threads: bool = True,
    schedules: Schedules | None = None,
) -> LibraryFiles:
    """Write a graph as a shared library (.so), an object (.o) or an archive (.a), and its header.

    It holds code for each of `targets`, from which a processor takes the last that it can run.
    """
    from kerac.backends.llvm.ahead_of_time import join_library, write_objects
    from kerac.backends.llvm.lowering import lower_variants
    from kerac.saving.atomic import atomic_output, atomic_path

    output = Path(path)
    _check_library_kind(path)
    name = c_identifier(output.stem.removeprefix("lib"))
    header = output.with_suffix(".h")
    with tempfile.TemporaryDirectory(prefix="kerac-") as folder, atomic_path(output) as result:
        plans = lower_variants(graph, targets, schedules)
        objects, information = write_objects(plans, name, Path(folder), threads)
        join_library(objects, result, output)
    with atomic_output(header) as file:
        file.write(header_text(name, information, output.stem).encode())
    return LibraryFiles(output, header, trace)


def _check_library_kind(path: str | os.PathLike[str]) -> None:
    kind = Path(path).suffix
    if kind not in LIBRARY_KINDS:
        raise CompileError(
            f"{os.fspath(path)}: a library ends in {', '.join(LIBRARY_KINDS)}, "
            f"but this ends in {kind or 'nothing'}"
        )
