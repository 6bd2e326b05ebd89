"""Damaged copies of small real files: each is read, or refused with one of our errors."""

from __future__ import annotations

import random
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from kerac.ir.errors import CompileError
from kerac.saving.limits import MEBI, Limits
from kerac.saving.model_file import read_model_file
from tests.saving.models import Node

MUTANTS = 300
LIMITS = Limits(weights_bytes=64 * MEBI, expansion_floor=MEBI)


def mutant(data: bytes, seed: int) -> bytes:
    """A copy that is cut, shortened, or changed in a few places."""
    pick = random.Random(seed)
    changed = bytearray(data)
    position = pick.randrange(len(data))
    if seed % 10 == 0:
        return bytes(changed[:position])
    if seed % 10 == 1:
        del changed[position : position + pick.randrange(1, 64)]
        return bytes(changed)
    for _ in range(pick.choice([1, 1, 2, 4, 16])):
        position = pick.randrange(len(data))
        match pick.randrange(4):
            case 0:
                changed[position] = pick.randrange(256)
            case 1:
                changed[position] ^= 1 << pick.randrange(8)
            case 2:
                number = pick.choice(
                    [0, 1, 1 << 32, 1 << 63, (1 << 64) - 1, pick.randrange(len(data))]
                )
                changed[position : position + 8] = number.to_bytes(8, "little")
            case _:
                other = pick.randrange(len(data))
                changed[position : position + 16] = data[other : other + 16]
    return bytes(changed)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.clear_session()
    return keras.Sequential(
        [layers.Input((4, 4, 1)), layers.Conv2D(2, 2), layers.BatchNormalization(), layers.Dense(3)]
    )


@pytest.fixture(scope="module")
def files(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("files")
    for name in ("model.keras", "model.h5"):
        model.save(folder / name)
    with (
        h5py.File(folder / "model.h5") as source,
        h5py.File(folder / "new.h5", "w", libver="latest") as target,
    ):
        target.attrs.update(source.attrs)
        source.copy("model_weights", target)
        target["model_weights"].attrs.update({f"extra{i}": f"{i}" for i in range(20)})
    with h5py.File(folder / "model.h5", "a") as file:
        array = np.arange(100, dtype="f4").reshape(10, 10)
        options = {"chunks": (3, 7), "compression": "gzip", "shuffle": True, "fletcher32": True}
        group = file["model_weights/dense/sequential/dense"]
        del group["kernel"]
        group.create_dataset("kernel", data=array[:2, :3], **{**options, "chunks": (2, 2)})
        file.create_dataset("chunked", data=array, **options)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def outcome(source: bytes | Path, model: keras.Model) -> CompileError | None:
    """None where the file is read; any error but ours goes through."""
    try:
        list(read_model_file(source, LIMITS).weights.values(Node(model)))
    except CompileError as error:
        return error
    return None


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "new.h5"])
def test_damage_is_never_more_than_an_error(
    name: str, files: dict[str, bytes], model: keras.Model
) -> None:
    assert outcome(files[name], model) is None
    outcomes = [outcome(mutant(files[name], seed), model) for seed in range(MUTANTS)]
    assert 0 < outcomes.count(None) < MUTANTS
    assert not [error for error in outcomes if error and "\n" in error.fact]


def test_errors_name_the_file(files: dict[str, bytes], model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    for seed in range(100):
        path.write_bytes(mutant(files["model.h5"], seed))
        error = outcome(path, model)
        assert error is None or str(path) in error.fact
