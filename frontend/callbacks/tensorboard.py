"""What TensorBoard shows: curves, the graph of the model, how its weights are spread."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from kerac.callbacks.base import Callback, Logs
from kerac.callbacks.events import EventWriter, Fields
from kerac.ir import Graph
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.graph import unique_name
from kerac.variable import Array


class TensorBoard(Callback):
    """Writes event files into the folders `train` and `validation` of `log_dir`, as Keras does.

    Curves get a point each epoch or, with `update_freq`, every so many batches. Every
    `histogram_freq` epochs histograms of weights are written, with `write_images` pictures of them,
    and at the beginning, with `write_graph`, the model's layers and its graph of ops.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        if profile_batch or embeddings_freq or embeddings_metadata is not None:
            raise UnsupportedError(
                "TensorBoard: writes no profiles of batches and no embeddings",
                remedy="`kerac profile` says what a model takes.",
            )
        update_freq = 1 if update_freq == "batch" else update_freq
        if update_freq != "epoch" and (not isinstance(update_freq, int) or update_freq < 1):
            raise CompileError(
                f"TensorBoard: update_freq is {update_freq!r:.40}, but must be 'epoch', 'batch' or "
                "a positive number of batches"
            )
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq, self.update_freq = histogram_freq, update_freq
        self.write_graph, self.write_images = write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self._train = EventWriter(Path(self.log_dir) / "train")
        self._validation = EventWriter(Path(self.log_dir) / "validation")
        self._batch = self._last = 0
        self._wants_graph = write_graph

    def listens_to(self, hook: str) -> bool:
        if hook.startswith("on_train_batch"):
            return self.update_freq != "epoch"
        return super().listens_to(hook)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._wants_graph = self.write_graph

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._batch = 0
        self._write_graph()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._last = -1
        self._epoch_start = time.perf_counter(), self._iterations()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._batch_start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        before = self._batch
        steps = batch - self._last if self._last >= 0 else 1  # one call may stand for several
        self._batch, self._last = before + steps, batch
        every = int(self.update_freq)
        if before // every == self._batch // every:
            return
        for name, value in scalars(logs).items():
            self._train.scalar(f"batch_{name}", value, self._batch)
        if self.write_steps_per_second:
            seconds = time.perf_counter() - self._batch_start
            self._train.scalar("batch_steps_per_second", steps / max(seconds, 1e-9), self._batch)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if self.model.optimizer is not None:
            for name, value in scalars(logs).items():
                tag = f"evaluation_{name}_vs_iterations"
                self._validation.scalar(tag, value, self._iterations())
        self._validation.flush()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._write_graph()
        for name, value in self._records_of_epoch(logs).items():
            writer = self._validation if name.startswith("val_") else self._train
            writer.scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        self._train.flush()
        self._validation.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._train.close()
        self._validation.close()

    def _records_of_epoch(self, logs: Logs | None) -> Logs:
        found = scalars(logs)
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", None) or optimizer
        found["learning_rate"] = float(np.asarray(optimizer.learning_rate))
        if self.write_steps_per_second:
            start, iterations = self._epoch_start
            seconds = max(time.perf_counter() - start, 1e-9)
            found["steps_per_second"] = (self._iterations() - iterations) / seconds
        return found

    def _iterations(self) -> int:
        return int(np.asarray(self.model.optimizer.iterations))

    def _write_weights(self, epoch: int) -> None:
        for layer in self.model.layers:
            for weight in layer.weights:
                path = weight.path.replace(":", "_")
                self._train.histogram(f"{path}/histogram", weight.numpy(), epoch)
                images = as_images(weight.numpy()) if self.write_images else None
                if images is not None:
                    self._train.image(f"{path}/image", images, epoch)

    def _write_graph(self) -> None:
        """The model, once it is built."""
        if self._wants_graph and self.model.built:
            self._wants_graph = False
            if type(self.model).__name__ in ("Functional", "Sequential"):
                self._train.keras_model("keras", self.model.to_json())
            self._train.graph(graph_definition(self.model.trace()))
            self._train.flush()


def scalars(logs: Logs | None) -> Logs:
    """The records that are numbers."""
    return {name: value for name, value in (logs or {}).items() if np.ndim(value) == 0}


def as_images(weight: Array) -> Array | None:
    """Weights as pictures [N, H, W, C], as Keras shows them; None for those that are none."""
    squeezed = weight.squeeze()
    if squeezed.ndim == 1:
        images = squeezed.reshape(1, -1, 1, 1)
    elif squeezed.ndim == 2:
        rows, columns = squeezed.shape
        images = (squeezed.T if rows > columns else squeezed)[None, :, :, None]
    elif squeezed.ndim == 3:
        images = squeezed.transpose(2, 0, 1)[..., None]
    else:
        images = squeezed
    return images if images.ndim == 4 and images.shape[-1] in (1, 3, 4) else None


def graph_definition(graph: Graph) -> Fields:
    """A graph as a GraphDef: a node for each value, in groups by layers."""
    names: dict[Any, str] = {}
    taken: dict[str, None] = {}
    nodes = []
    for value in graph.values:
        group = "/".join(value.origin.layers[-1:])
        name = unique_name(f"{group}/{value.name}" if group else str(value.name or "value"), taken)
        taken[name] = None
        names[value] = name
        inputs = [(3, names[operand]) for operand in value.inputs if operand is not None]
        shapes = [(1, [(7, [(2, [(1, _length(dim))]) for dim in value.shape])])]
        attributes = [(5, [(1, "_output_shapes"), (2, shapes)])]
        nodes.append((1, [(1, name), (2, type(value.op).__name__), *inputs, *attributes]))
    return [*nodes, (4, [(1, 22)])]


def _length(dim: Any) -> int:
    return dim if isinstance(dim, int) else -1
