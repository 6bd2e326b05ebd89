"""Records in files."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from kerac.callbacks.base import Callback, Logs


class CSVLogger(Callback):
    """Writes one line an epoch."""

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        super().__init__()
        self.filename, self.separator, self.append = filename, separator, append
        self._file: Any = None
        self._writer: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        path = Path(self.filename)
        self._has_header = self.append and path.exists() and path.stat().st_size > 0
        self._file = path.open("a" if self.append else "w", encoding="utf-8", newline="")
        self._writer = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        known = logs or {}
        if self._writer is None:
            names = list(known)
            if not any(name.startswith("val_") for name in names):
                names += [f"val_{name}" for name in names if name != "learning_rate"]
            names = ["epoch", *sorted(names)]
            self._writer = csv.DictWriter(
                self._file, names, restval="NA", extrasaction="ignore", delimiter=self.separator
            )
            if not self._has_header:
                self._writer.writeheader()
        self._writer.writerow({"epoch": epoch} | known)
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._file.close()
        self._writer = None
