"""What training recorded, epoch by epoch."""

from __future__ import annotations

from typing import Any

from kerac.callbacks.base import Callback, Logs


class Records(dict[str, list[Any]]):
    """Lists by name, one entry an epoch. What Keras once called `acc` is `accuracy`, and back."""

    def __missing__(self, name: str) -> list[Any]:
        short, long = name.replace("accuracy", "acc"), name.replace("accuracy", "acc")
        long = long.replace("acc", "accuracy")
        for other in (short, long):
            if other in self:
                return self[other]
        raise KeyError(name)


class History(Callback):
    """`history` has a list for each name, and `epoch` the numbers of the epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.history = Records()
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            if name not in self.history:
                self.history[name] = []
            self.history[name].append(value)
        self.model.history = self

    def plot(self, path: Any = None) -> Any:
        """Curves of all records, those of validation beside those of training.

        Returns matplotlib's figure; writes a picture where a path is given.
        """
        from matplotlib.figure import Figure

        names = [name for name in self.history if not name.startswith("val_")]
        figure = Figure(figsize=(5 * max(len(names), 1), 4), layout="constrained")
        for place, name in enumerate(names, 1):
            axes = figure.add_subplot(1, len(names), place)
            epochs = [number + 1 for number in self.epoch]
            for label, key in (("training", name), ("validation", f"val_{name}")):
                if key in self.history:
                    values = self.history[key]
                    axes.plot(epochs[-len(values) :], values, label=label, marker=".")
            axes.set(title=name, xlabel="epoch")
            axes.legend()
        if path is not None:
            figure.savefig(path)
        return figure
