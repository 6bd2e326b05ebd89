"""The progress bar, as Keras prints it."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from kerac.callbacks.base import Callback, Logs
from kerac.config import is_interactive_logging_enabled


class Progbar:
    """A bar of `target` steps with the values beside it, on one line that is written over.

    `verbose` is 0 for silence, 1 for the bar and 2 for one line at the end. Values are averaged
    over steps unless they are among `stateful_metrics`; with `stateless_metrics` those alone are.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        self.stateful_metrics = set(stateful_metrics or ())
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self._written_over = sys.stdout.isatty() or bool(
            {"ipykernel", "posix"} & sys.modules.keys() or "PYCHARM_HOSTED" in os.environ
        )
        self._values: dict[str, list[float]] = {}
        self._seen = 0
        self._start = time.time()
        self._last_update = 0.0
        self._after_first: float | None = None
        self._last_width = 0

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] = (), finalize: bool | None = None
    ) -> None:
        """Show that `current` steps are done."""
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values:
            self._record(name, value, max(current - self._seen, 1), finalize)
        self._seen = current
        now = time.time()
        per_step = self._step_duration(current, now)
        if self.verbose == 1:
            if now - self._last_update < self.interval and not finalize:
                return
            self._show(self._bar_line(current, now, per_step, finalize), finalize)
        elif self.verbose == 2 and finalize and self.target:
            count = f"{current:{len(str(self.target))}d}/{self.target}"
            took = f"{now - self._start:.0f}s -{self._duration(per_step)}"
            write(f"{count} - {took}{self._value_texts()}\n")
        self._last_update = now

    def add(self, n: int, values: Iterable[tuple[str, Any]] = ()) -> None:
        """Show that `n` more steps are done."""
        self.update(self._seen + n, values)

    def is_due(self) -> bool:
        """Whether an update now would be shown."""
        return self.verbose == 1 and time.time() - self._last_update >= self.interval

    def _record(self, name: str, value: Any, steps: int, finalize: bool) -> None:
        averaged = (
            name not in self.stateful_metrics
            if self.stateless_metrics is None
            else name in self.stateless_metrics
        )
        if not averaged or finalize:
            self._values[name] = [value, 1]
            return
        total, count = self._values.get(name, [0, 0])
        self._values[name] = [total + value * steps, count + steps]

    def _bar_line(self, current: int, now: float, per_step: float, finalize: bool) -> str:
        if self.target:
            count = f"{current:{len(str(self.target))}d}/{self.target}"
            filled = int(self.width * current / self.target)
            bar = f"\x1b[1m{count}\x1b[0m "
            bar += f"\33[32m{'━' * filled}\x1b[0m" if filled else ""
            bar += f"\33[37m{'━' * (self.width - filled)}\x1b[0m"
        else:
            bar = f"{current:7d}/Unknown"
        if self.target and not finalize:
            shown = clock(per_step * (self.target - current))
        else:
            shown = f"{now - self._start:.0f}s"
        return f"{bar} \x1b[1m{shown}\x1b[0m{self._duration(per_step)}{self._value_texts()}"

    def _show(self, line: str, finalize: bool) -> None:
        import re

        width = len(re.sub("\x1b\\[\\d+m", "", line))
        start = "\b" * self._last_width + "\r" if self._written_over else "\n"
        end = " " * (self._last_width - width) + ("\n" if finalize else "")
        write(f"{start}{line}{end}")
        self._last_width = width

    def _value_texts(self) -> str:
        return "".join(
            f" - {name}: {short(float(np.mean(total)) / max(1, count))}"
            for name, (total, count) in self._values.items()
        )

    def _duration(self, seconds: float) -> str:
        if seconds >= 1 or seconds == 0:
            return f" {seconds:.0f}s/{self.unit_name}"
        if seconds >= 1e-3:
            return f" {seconds * 1e3:.0f}ms/{self.unit_name}"
        return f" {seconds * 1e6:.0f}us/{self.unit_name}"

    def _step_duration(self, current: int, now: float) -> float:
        """Seconds a step; the first one, which compiles, does not count where there are more."""
        if not current:
            return 0
        found = (now - self._start) / current
        if self._after_first is not None and current > 1:
            found = (now - self._after_first) / (current - 1)
        if current == 1:
            self._after_first = now
        return found


class ProgbarLogger(Callback):
    """Prints the progress of the loop; validation inside training is silent."""

    def __init__(self) -> None:
        super().__init__()
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self.seen = 0
        self._in_fit = False

    def set_params(self, params: Logs) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        if verbose == "auto":
            verbose = 1 if is_interactive_logging_enabled() else 2
        self.verbose = int(verbose)
        self.epochs, self.target = params.get("epochs", 1), params.get("steps")

    def wants(self, phase: str) -> bool:
        """Whether the values of a batch would be shown now."""
        silent = phase == "test" and self._in_fit
        return not silent and self.progbar is not None and self.progbar.is_due()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_fit = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._begin()
        if self.verbose and self.epochs > 1:
            write(f"Epoch {epoch + 1}/{self.epochs}\n")

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._begin()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._begin()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._update(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._update(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._update(batch, None)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._end(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._end(logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._end(logs)

    def _begin(self) -> None:
        self.seen = 0
        self.progbar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())

    def _update(self, batch: int, logs: Logs | None) -> None:
        self.seen = batch + 1
        if self.verbose == 1 and self.progbar is not None:
            self.progbar.update(self.seen, (logs or {}).items(), finalize=False)

    def _end(self, logs: Logs | None) -> None:
        if self.progbar is None:
            return
        if self.target is None:
            self.target = self.progbar.target = self.seen
        self.progbar.update(self.target, (logs or {}).items(), finalize=True)


def short(value: float) -> str:
    """A number as it stands beside the bar."""
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def clock(seconds: float) -> str:
    """Seconds as a time that is left: 5s, 2:05, 1:00:05."""
    if not math.isfinite(seconds) or seconds <= 60:
        return f"{seconds:.0f}s" if not math.isfinite(seconds) else f"{int(seconds)}s"
    minutes, rest = divmod(int(seconds), 60)
    if seconds > 3600:
        return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}"


def write(text: str) -> None:
    """Print at once, also where the console knows no such letters."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()
