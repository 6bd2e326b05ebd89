"""`compile`, `fit` and `evaluate`: loops over batches, each of which runs one native step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kerac.ir.errors import CompileError, UnsupportedError

if TYPE_CHECKING:
    from kerac.callbacks.base import CallbackList
    from kerac.callbacks.history import History
    from kerac.timing.profile import Profile
    from kerac.training.batches import Batch
    from kerac.training.session import Session


class Trainer:
    """What models have for training."""

    name: Any
    optimizer: Any = None
    loss: Any = None
    compiled = False
    stop_training = False
    steps_per_execution = 1
    history: Any = None
    _session: Any = None
    _fit: Any = None
    trainable_weights: Any
    dtype_policy: Any
    _compile_arguments: Mapping[str, Any]

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained; the steps are compiled when the first batch comes.

        `run_eagerly` and `jit_compile` change nothing. With `auto_scale_loss` the optimizer of a
        model whose policy is mixed_float16 scales the loss.
        """
        from kerac import optimizers
        from kerac.training.measures import checked_metrics

        _refuse_own_steps(type(self))
        from kerac.training.session import Session

        metrics = checked_metrics(metrics, "metrics")
        weighted_metrics = checked_metrics(weighted_metrics, "weighted_metrics")
        self.optimizer = optimizers.get(optimizer)
        _refuse_own_updates(type(self.optimizer))
        scales = isinstance(self.optimizer, optimizers.LossScaleOptimizer)
        if auto_scale_loss and not scales and self.dtype_policy.name == "mixed_float16":
            self.optimizer = optimizers.LossScaleOptimizer(
                self.optimizer, name="loss_scale_optimizer"
            )
        self.loss = loss
        self.steps_per_execution = steps_per_execution
        self._session = Session(
            self, self.optimizer, (loss, loss_weights), (metrics, weighted_metrics)
        )
        self._compile_arguments = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        self.compiled, self.stop_training = True, False

    def get_compile_config(self) -> dict[str, Any] | None:
        """What `compile` was given, as Keras writes it; None for a model that is not compiled."""
        from kerac.training.compile_config import write_compile_config

        if not self.compiled:
            return None
        return write_compile_config(self.optimizer, self._compile_arguments)

    def compile_from_config(self, config: Any) -> None:
        """`compile` with what `get_compile_config` or Keras wrote."""
        from kerac.training.compile_config import read_compile_config

        self.compile(**read_compile_config(config))

    def recompile(self, optimizer: Any = None, loss: Any = None, metrics: Any = None) -> None:
        """`compile` with what is given, and otherwise with what the model was compiled with."""
        if optimizer is None and loss is None and metrics is None:
            return
        arguments = dict(self._compile_arguments) if self.compiled else {}
        arguments["optimizer"] = optimizer or self.optimizer or "rmsprop"
        given = {"loss": loss, "metrics": metrics}
        arguments |= {name: value for name, value in given.items() if value is not None}
        self.compile(**arguments)

    @property
    def has_own_loss(self) -> bool:
        """Whether the class says in `compute_loss` what is made small."""
        return type(self).compute_loss is not Trainer.compute_loss

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The losses given to `compile` and all penalties, for tensors of a batch.

        A subclass states its own loss here with kerac.ops; it becomes part of the compiled step.
        """
        from kerac.structure import leaves
        from kerac.training.step import Parts

        del training
        session = self._compiled_session("compute_loss")
        outputs = leaves(y_pred)

        def of_outputs(given: Any) -> list[Any]:
            return [None] * len(outputs) if given is None else leaves(given)

        parts = Parts(leaves(x), of_outputs(y), of_outputs(sample_weight), outputs)
        return session.compiled_loss(parts)

    def _compiled_session(self, doing: str) -> Session:
        if self._session is None:
            raise CompileError(
                f"{self.name}: {doing} is called, but the model is not compiled",
                remedy="Call model.compile(optimizer, loss) first.",
            )
        session: Session = self._session
        return session

    def reset_metrics(self) -> None:
        """Forget the batches that records are means of."""
        self._compiled_session("reset_metrics").reset_metrics()

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train for `epochs` epochs; returns what was recorded of each."""
        from kerac.callbacks.history import History
        from kerac.config import limited_epochs
        from kerac.training import loops
        from kerac.training.arrays import split_off
        from kerac.training.batches import Epochs
        from kerac.training.sources import array_batch, batches_of

        session = self._compiled_session("fit")
        if validation_split and validation_data is None:
            first, last = split_off(array_batch(x, y, sample_weight), validation_split)
            (x, y, sample_weight), validation_data = first, tuple(last)
        batches = batches_of(x, y, sample_weight, batch_size, shuffle, class_weight)
        validation = None
        if validation_data is not None:
            size = validation_batch_size or batch_size
            validation = Epochs(loops.validation_batches(validation_data, size), validation_steps)
        data = Epochs(batches, steps_per_epoch)
        epochs = limited_epochs(epochs)
        hooks = self._hooks(callbacks, verbose, data.count, epochs, add_history=True)
        self.history = hooks.find(History)
        self._fit = loops.Fit(self, session, hooks, data, validation, validation_freq)
        try:
            self._fit.run(initial_epoch, epochs)
        finally:
            self._fit = None
        found: History = self.history
        return found

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data that nothing is learned from.

        A number where there is the loss alone, otherwise a list or, with `return_dict`, a
        dictionary by name.
        """
        from kerac.training.batches import Epochs
        from kerac.training.loops import evaluated
        from kerac.training.sources import batches_of

        session = self._compiled_session("evaluate")
        data = Epochs(batches_of(x, y, sample_weight, batch_size), steps)
        logs = evaluated(session, data, self._hooks(callbacks, verbose, data.count))
        return logs if return_dict else session.as_list(logs)

    def _hooks(
        self,
        callbacks: Any,
        verbose: Any,
        steps: int | None,
        epochs: int = 1,
        add_history: bool = False,
    ) -> CallbackList:
        """The callbacks of a loop; a list of them that Keras's class holds is used as it is."""
        from kerac.callbacks.base import CallbackList

        if isinstance(callbacks, CallbackList):
            return callbacks
        return CallbackList(
            callbacks,
            add_history=add_history,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
        )

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one step; returns loss and metrics of the batch, as `evaluate` does."""
        from kerac.training.arrays import weights_of_classes
        from kerac.training.sources import array_batch

        session = self._compiled_session("train_on_batch")
        batch = array_batch(x, y, sample_weight)
        if class_weight is not None:
            batch = batch._replace(sample_weight=weights_of_classes(batch.y, class_weight))
        return self._on_batch(session, batch, True, return_dict)

    def profile_step(
        self, x: Any, y: Any = None, sample_weight: Any = None, seconds: float = 1.0
    ) -> Profile:
        """What each kernel of a training step on one batch takes; print it for a table.

        The step runs for so many seconds, on one thread; weights stay as they are.
        """
        from kerac.training.profile import profile_step

        return profile_step(self, x, y, sample_weight, seconds)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch that nothing is learned from, as `evaluate` gives them."""
        from kerac.training.sources import array_batch

        session = self._compiled_session("test_on_batch")
        return self._on_batch(session, array_batch(x, y, sample_weight), False, return_dict)

    def _on_batch(self, session: Session, batch: Batch, training: bool, as_dict: bool) -> Any:
        from kerac.training.loops import numbers

        session.reset_metrics()
        logs = numbers(session.run([batch], training))
        return logs if as_dict else session.as_list(logs)


OWN_STEPS = ("train_step", "test_step", "predict_step", "compute_metrics")


def _refuse_own_steps(cls: type) -> None:
    """A step is one graph, so that a method with steps of its own would never be called."""
    found = [name for name in OWN_STEPS if hasattr(cls, name)]
    if found:
        raise UnsupportedError(
            f"{cls.__name__}: defines {' and '.join(found)}, but a step is compiled as one graph",
            remedy="State the loss as a Loss, a function, by add_loss in call or in compute_loss, "
            "and what is recorded as metrics.",
        )


def _refuse_own_updates(cls: type) -> None:
    """An optimizer's step is part of the graph, so that one by assignments would never be taken."""
    if hasattr(cls, "update_step"):
        raise UnsupportedError(
            f"{cls.__name__}: changes weights in update_step, but a step is compiled as one graph",
            remedy="State `slots` and `step`, which returns the new weight: see "
            "kerac.optimizers.SGD.",
        )
