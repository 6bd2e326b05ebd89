"""Training that goes on after its process was ended."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from kerac.callbacks.base import Callback, Logs
from kerac.ir.errors import CompileError


class BackupAndRestore(Callback):
    """Keeps a backup of training in a folder; `fit` that finds one goes on where it was made.

    A backup is made after each epoch or every `save_freq` batches. It holds weights, the state of
    the optimizer, sums of metrics, the order of the data and the random numbers, so that training
    which was killed ends in the same weights as one that was not, bit for bit: in the middle of an
    epoch, too, of which only the batches that are left are taken. Other callbacks begin anew. The
    model must be built.

    With `double_checkpoint` the backup before the last is kept, for the case that the last one
    cannot be read. When training ends the backups are removed, unless `delete_checkpoint=False`.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not os.fspath(backup_dir):
            raise CompileError("BackupAndRestore: backup_dir is empty, but a folder is needed")
        is_count = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
        if save_freq != "epoch" and save_freq is not False and not is_count:
            raise CompileError(
                f"BackupAndRestore: save_freq is {save_freq!r:.40}, but must be 'epoch' or a "
                "positive number of batches"
            )
        self.backup_dir, self.save_freq = os.fspath(backup_dir), save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._path = Path(self.backup_dir) / "latest.npz"
        self._previous = Path(self.backup_dir) / "previous.npz"
        self._epoch = self._seen = self._last = 0

    def listens_to(self, hook: str) -> bool:
        if hook == "on_train_batch_end":
            return self._counts
        return super().listens_to(hook)

    @property
    def _counts(self) -> bool:
        return self.save_freq not in ("epoch", False)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        from kerac.training.backup import restore_backup

        if not self.model.built:
            raise CompileError(
                f"{self.model.name}: is not built, but BackupAndRestore restores weights",
                remedy="Give the model an Input, or call it on data first.",
            )
        if not self._path.exists() and not self._previous.exists():
            return
        try:
            restore_backup(self._path, self.model)
        except CompileError:
            if not self._previous.exists():
                raise
            restore_backup(self._previous, self.model)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch, self._last = epoch, -1

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        # one call may stand for several batches
        self._seen += batch - self._last if self._last >= 0 else 1
        self._last = batch
        if self._seen >= int(self.save_freq):
            self._seen = 0
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch + 1, 0)

    def _save(self, epoch: int, batch: int) -> None:
        from kerac.training.backup import write_backup
        from kerac.training.loops import Position

        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self._path.exists():
            self._path.replace(self._previous)
        write_backup(self._path, self.model, Position(epoch, batch))

    def on_train_end(self, logs: Logs | None = None) -> None:
        if not self.delete_checkpoint or not self._path.parent.exists():
            return
        folder = self._path.parent
        for path in (self._path, self._previous, *folder.glob(".*.partial")):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # whatever else is in the folder stays
            folder.rmdir()
