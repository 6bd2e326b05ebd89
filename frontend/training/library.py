"""A training step as a library: its graphs, its state, and how both become files."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir import TensorType, symbol
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.types import known_shape
from kerac.runtime import ModelInfo, c_identifier
from kerac.runtime.abi import ALIGNMENT
from kerac.runtime.trainer import (
    GRAPHS,
    StateVariable,
    TrainerGraph,
    TrainerInfo,
    trainer_code,
    trainer_header,
    trainer_tables,
)
from kerac.training.labels import label_types
from kerac.training.session import Session
from kerac.training.step import KEY, Step, make_forward
from kerac.variable import Array, Variable

if TYPE_CHECKING:
    from kerac.backends.llvm.target import Target
    from kerac.compile import LibraryFiles

BATCH = symbol("N")


@dataclass(frozen=True)
class Steps:
    """The three graphs of a trainer, in the order of `GRAPHS`."""

    train: Step
    evaluate: Step
    predict: Step
    labels: int
    """How many outputs have labels."""

    def __iter__(self) -> Any:
        return iter((self.train, self.evaluate, self.predict))


def write_trainer(
    model: Any,
    path: Path,
    labels: Sequence[TensorType | None] | None,
    sample_weights: bool,
    dims: Mapping[str, int],
    targets: Sequence[Target],
    threads: bool,
) -> LibraryFiles:
    """Write the trainer of a compiled model as a library, and its header."""
    from kerac.backends.llvm.ahead_of_time import join_library
    from kerac.compile import LibraryFiles
    from kerac.saving.atomic import atomic_output, atomic_path

    name = c_identifier(path.stem.removeprefix("lib"))
    session = model._compiled_session("compile_trainer")
    steps = _steps(model, session, labels, sample_weights, dims)
    variables = _variables(model, session, steps)
    header = path.with_suffix(".h")
    with tempfile.TemporaryDirectory(prefix="kerac-") as folder, atomic_path(path) as result:
        work = Path(folder)
        objects, models = _graph_objects(steps, name, targets, threads, work)
        info = _describe(str(model.name), steps, variables, models, name, session)
        text = trainer_header(name, info, path.stem)
        _write_state(work / "state", info, variables)
        (work / header.name).write_text(text)
        objects.append(_compile_code(work, name, info, header.name))
        join_library(objects, result, path)
    with atomic_output(header) as file:
        file.write(text.encode())
    return LibraryFiles(path, header)


def _steps(
    model: Any,
    session: Session,
    labels: Sequence[TensorType | None] | None,
    sample_weights: bool,
    dims: Mapping[str, int],
) -> Steps:
    x = {n: t.substitute(dims) for n, t in model.functional().input_types().items()}
    for name, type_ in x.items():
        if not type_.shape or type_.shape[0] != BATCH or type_.symbols != {"N"}:
            raise UnsupportedError(
                f"input {name!r} is {type_}, but a trainer serves any number of samples",
                details=("the first dimension is free, and all others are fixed",),
                remedy="Fix other free dimensions, such as --dim T=80.",
            )
    forward = make_forward(model, x)
    outputs = [value.tensor_type for value in forward.graph.outputs]
    y = list(labels) if labels is not None else label_types(session, outputs)
    if len(y) != len(outputs):
        raise CompileError(
            f"{model.name}: {len(y)} types of labels are given, "
            f"but the model has {len(outputs)} outputs"
        )
    weight = TensorType("f32", (BATCH,))
    weights = [weight if sample_weights and label is not None else None for label in y]
    train, evaluate = (session.step(y, weights, training, dims) for training in (True, False))
    return Steps(train, evaluate, forward, sum(label is not None for label in y))


def _variables(model: Any, session: Session, steps: Steps) -> dict[Variable, str]:
    """All state with its kind: weights in the model's order first, sums of metrics last."""
    found = dict.fromkeys(model.weights, "weight")
    found |= dict.fromkeys(model.optimizer.variables, "optimizer")
    session.reset_metrics()
    sums = set(session.sums())
    others = [v for step in steps for v in step.state if v not in found]
    found |= {v: "weight" for v in others if v not in sums}
    return found | {v: "metric" for v in others if v in sums}


def _graph_objects(
    steps: Steps, name: str, targets: Sequence[Target], threads: bool, folder: Path
) -> tuple[list[Path], list[ModelInfo]]:
    """The object files of all graphs, and what each graph says of itself."""
    from kerac.backends.llvm.ahead_of_time import write_objects
    from kerac.backends.llvm.lowering import lower_variants
    from kerac.passes.pipeline import run_pipeline

    objects: list[Path] = []
    models = []
    for step, kind in zip(steps, GRAPHS, strict=True):
        plans = lower_variants(run_pipeline(step.graph).graph, targets)
        files, information = write_objects(plans, _graph_prefix(name, kind), folder, threads)
        objects += files
        models.append(information)
    return objects, models


def _graph_prefix(name: str, kind: str) -> str:
    return f"{name}_graph_{kind}"


def _describe(
    name: str,
    steps: Steps,
    variables: Mapping[Variable, str],
    models: Sequence[ModelInfo],
    prefix: str,
    session: Session,
) -> TrainerInfo:
    placed, key_offset, size = _placed(variables)
    sums = [each.offset for each in placed if each.kind == "metric"]
    train, _, predict = models
    count = len(predict.inputs) - len(steps.predict.state)
    inputs = train.inputs[count : len(steps.train.batch) - 1]  # the key comes last
    info = TrainerInfo(
        name=name,
        producer=train.producer,
        target=train.target,
        x=train.inputs[:count],
        y=inputs[: steps.labels],
        weights=inputs[steps.labels :],
        outputs=predict.outputs,
        records=tuple(_records(steps.train)),
        variables=tuple(placed),
        graphs=_graphs(steps, list(variables), prefix),
        metrics=(min(sums, default=size), size - min(sums, default=size)),
        key_offset=key_offset,
        state_size=size,
        layout=0,
        learning_rate=_rate(session.optimizer, list(variables)),
    )
    return replace(info, layout=_layout(placed))


def _records(step: Step) -> list[tuple[str, int]]:
    records = []
    values = step.graph.outputs[: len(step.results)]
    for name, value in zip(step.results, values, strict=True):
        type_ = value.tensor_type
        if type_.dtype != "f32":
            raise UnsupportedError(f"record {name!r} is {type_}, but a trainer gives f32")
        records.append((name, int(np.prod(known_shape(type_.shape)))))
    return records


def _placed(variables: Mapping[Variable, str]) -> tuple[list[StateVariable], int, int]:
    """Variables with their places, the place of the key, and the size of all."""
    placed: list[StateVariable] = []
    paths: set[str] = set()
    offset, key_offset = 0, None
    for variable, kind in variables.items():
        if kind == "metric" and key_offset is None:
            key_offset, offset = offset, offset + ALIGNMENT
        type_ = variable.type
        path, number = variable.path, 0
        while path in paths:
            number += 1
            path = f"{variable.path}_{number}"
        paths.add(path)
        placed.append(
            StateVariable(
                path, type_.dtype, variable.shape, kind, variable.trainable, offset
            )
        )
        size = variable.size * type_.numpy_dtype.itemsize
        offset += -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
    if key_offset is None:
        key_offset, offset = offset, offset + ALIGNMENT
    return placed, key_offset, offset


def _layout(placed: Sequence[StateVariable]) -> int:
    """A number that states of the same layout alone share."""
    text = "\n".join(f"{x.path} {x.dtype} {x.shape} {x.offset}" for x in placed)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _graphs(
    steps: Steps, variables: list[Variable], prefix: str
) -> tuple[TrainerGraph, TrainerGraph, TrainerGraph]:
    numbers = {variable: number for number, variable in enumerate(variables)}

    def graph(step: Step, kind: str) -> TrainerGraph:
        return TrainerGraph(
            _graph_prefix(prefix, kind),
            takes_labels=kind != "predict",
            takes_key=kind == "train",
            state=tuple(numbers[variable] for variable in step.state),
            changed=tuple(numbers[variable] for variable in step.changed),
        )

    train, evaluate, predict = (
        graph(step, kind) for step, kind in zip(steps, GRAPHS, strict=True)
    )
    return train, evaluate, predict


def _rate(optimizer: Any, variables: list[Variable]) -> int:
    """The number of the variable that is the learning rate; -1 where a schedule says it."""
    rate = optimizer.learning_rate
    numbers = [number for number, variable in enumerate(variables) if variable is rate]
    return numbers[0] if numbers else -1


def _write_state(path: Path, info: TrainerInfo, variables: Mapping[Variable, str]) -> None:
    """The state in which a trainer begins."""
    state = np.zeros(info.state_size, np.uint8)

    def put(offset: int, array: Array) -> None:
        state[offset : offset + array.nbytes] = array.reshape(-1).view(np.uint8)

    for variable, place in zip(variables, info.variables, strict=True):
        put(place.offset, np.ascontiguousarray(variable.array))
    put(info.key_offset, np.zeros(known_shape(KEY.shape), np.uint32))
    path.write_bytes(state.tobytes())


def _compile_code(folder: Path, name: str, info: TrainerInfo, header: str) -> Path:
    from kerac.backends.llvm.ahead_of_time import compile_c

    (folder / "tables.h").write_text(trainer_tables(name, info, header, str(folder / "state")))
    source, output = folder / "trainer.c", folder / "trainer.o"
    source.write_text(trainer_code())
    compile_c(source, output)
    return output
