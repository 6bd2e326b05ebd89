"""Models as files; what is too large for one file takes a second one."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO

import onnx

from kerac.backends.onnx import model as models

ALIGNMENT = 4096  # of arrays in a file of their own, so that they can be mapped

Output = Callable[[str], AbstractContextManager[BinaryIO]]


def write_model(model: onnx.ModelProto, path: str | os.PathLike[str], output: Output) -> None:
    """Write `model` to `path`; beyond 2 GiB, protobuf's limit, its arrays go to `path` + ".data".

    `output(path)` opens a file for a block and decides what becomes of it after an error.
    """
    target = os.fspath(path)
    if model.ByteSize() <= models.SIZE_LIMIT:
        with output(target) as file:
            file.write(model.SerializeToString(deterministic=True))
        return
    beside = f"{target}.data"
    with output(beside) as arrays, output(target) as file:
        small = _move_arrays(model, arrays, os.path.basename(beside))
        file.write(small.SerializeToString(deterministic=True))


def _move_arrays(model: onnx.ModelProto, file: BinaryIO, location: str) -> onnx.ModelProto:
    """The model with its larger arrays written to `file`, which will be called `location`."""
    small = models.without_weights(model)
    kept = {tensor.name for tensor in small.graph.initializer}
    del small.graph.input[len(model.graph.input) :]
    end = 0
    for tensor in model.graph.initializer:
        if tensor.name in kept:
            continue
        gap = -end % ALIGNMENT
        file.write(bytes(gap))
        file.write(tensor.raw_data)
        moved = onnx.TensorProto(
            name=tensor.name,
            data_type=tensor.data_type,
            dims=tensor.dims,
            data_location=onnx.TensorProto.EXTERNAL,
        )
        place = {"location": location, "offset": end + gap, "length": len(tensor.raw_data)}
        for key, entry in place.items():
            moved.external_data.add(key=key, value=str(entry))
        small.graph.initializer.append(moved)
        end += gap + len(tensor.raw_data)
    return small
