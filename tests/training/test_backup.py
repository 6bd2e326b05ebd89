"""Training that was killed ends in the same weights as training that was not."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError

PROGRAM = """
import os, signal, sys
import numpy as np
import kerac

folder, save_freq, how = sys.argv[1:4]
killed, steps = how == "killed", int(sys.argv[4])
# another seed in each process: what is restored does not depend on it
seed = {"first": 1, "killed": 1, "resumed": 2}[how]
generator = np.random.default_rng(0)
x = generator.normal(size=(70, 6)).astype("float32")
y = generator.integers(0, 3, 70)
kerac.utils.set_random_seed(1)
model = kerac.Sequential([
    kerac.Input((6,)),
    kerac.layers.Dense(9, activation="relu"),
    kerac.layers.BatchNormalization(),
    kerac.layers.Dropout(0.4),
    kerac.layers.Dense(3, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model._session.key[:] = [5, 0]
kerac.utils.set_random_seed(seed)
if how == "resumed":
    model.set_weights([w * 0 for w in model.get_weights()])
    model._session.key[:] = [6, 0]

class Killer(kerac.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if killed and (self.epoch, batch) == (2, 5):
            os.kill(os.getpid(), signal.SIGKILL)

save_freq = int(save_freq) if save_freq.isdigit() else save_freq
backup = kerac.callbacks.BackupAndRestore(folder, save_freq)
arguments = {"steps_per_epoch": steps} if steps else {}
history = model.fit(x, y, 8, epochs=4, verbose=0, callbacks=[backup, Killer()], **arguments)
np.savez(sys.argv[5], *model.get_weights(), *[v.numpy() for v in model.optimizer.variables],
         *[values[-1] for values in history.history.values()])
"""


def train(folder: Path, how: str, save_freq: str, steps: int) -> int:
    arguments = [str(folder / how), save_freq, how, str(steps), str(folder / f"{how}.npz")]
    if how == "resumed":
        (folder / "killed").rename(folder / "resumed")
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, check=False, cwd=folder).returncode


@pytest.mark.slow
@pytest.mark.parametrize(("save_freq", "steps"), [("4", 0), ("2", 9)])
def test_a_killed_run_ends_in_the_same_weights(save_freq: str, steps: int, tmp_path: Path) -> None:
    assert train(tmp_path, "first", save_freq, steps) == 0
    assert train(tmp_path, "killed", save_freq, steps) == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["latest.npz"]
    assert train(tmp_path, "resumed", save_freq, steps) == 0
    with np.load(tmp_path / "first.npz") as first, np.load(tmp_path / "resumed.npz") as resumed:
        assert first.files == resumed.files
        for name in first.files:
            np.testing.assert_array_equal(resumed[name], first[name], err_msg=name)
    assert not (tmp_path / "resumed").exists()


X = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
Y = X[:, :1]


def network(units: int = 3) -> Any:
    model = kerac.Sequential(
        [kerac.Input((4,)), kerac.layers.Dense(units), kerac.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    return model


class StoppedError(Exception):
    pass


def interrupted(folder: Path, **arguments: Any) -> Any:
    """A backup after the second epoch."""

    def stop(epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise StoppedError

    stopper = kerac.callbacks.LambdaCallback(on_epoch_begin=stop)
    backup = kerac.callbacks.BackupAndRestore(folder, **arguments)
    model = network()
    with pytest.raises(StoppedError):
        model.fit(X, Y, epochs=5, verbose=0, callbacks=[backup, stopper])
    return backup


def test_fit_goes_on_at_the_epoch_of_the_backup(tmp_path: Path) -> None:
    backup = interrupted(tmp_path / "b", delete_checkpoint=False)
    history = network().fit(X, Y, epochs=5, verbose=0, callbacks=[backup])
    assert history.epoch == [2, 3, 4]
    assert len(history.history["loss"]) == 3
    assert network().fit(X, Y, epochs=5, verbose=0, callbacks=[backup]).epoch == []


def test_an_unreadable_backup_is_told_or_replaced_by_the_one_before(tmp_path: Path) -> None:
    backup = interrupted(tmp_path, double_checkpoint=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest.npz", "previous.npz"]
    latest = tmp_path / "latest.npz"
    latest.write_bytes(latest.read_bytes()[:300])
    history = network().fit(X, Y, epochs=3, verbose=0, callbacks=[backup])
    assert history.epoch == [1, 2]
    interrupted(tmp_path)
    latest.write_bytes(latest.read_bytes()[:300])
    with pytest.raises(CompileError, match="is no backup of training, or damaged"):
        network().fit(X, Y, verbose=0, callbacks=[backup])


def test_the_backup_of_another_model_is_refused(tmp_path: Path) -> None:
    backup = interrupted(tmp_path)
    model = network(units=7)
    before = model.get_weights()
    with pytest.raises(CompileError, match="is the backup of another model or optimizer"):
        model.fit(X, Y, verbose=0, callbacks=[backup])
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("arguments", [{"backup_dir": ""}, {"backup_dir": "b", "save_freq": "day"}])
def test_wrong_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(CompileError, match="BackupAndRestore"):
        kerac.callbacks.BackupAndRestore(**arguments)
