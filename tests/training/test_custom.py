"""What users write themselves: layers, losses, metrics, regularizers, constraints."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.optimizers.rate import LearningRate, rate
from kerac.optimizers.slots import Slot
from tests.compare import assert_close

GENERATOR = np.random.default_rng(2)
X = GENERATOR.normal(size=(40, 6)).astype("float32")
Y = GENERATOR.integers(0, 3, 40)


def classes(library: Any) -> dict[str, Any]:
    """The same classes, written once, for either library."""
    ops = library.ops

    class Scaled(library.layers.Layer):  # type: ignore[misc,name-defined]
        def build(self, shape: Any) -> None:
            self.w = self.add_weight(name="w", shape=(6, 5), initializer="ones")
            self.b = self.add_weight(name="b", shape=(5,), initializer="zeros")

        def call(self, x: Any) -> Any:
            self.add_loss(0.01 * ops.sum(ops.square(self.w)))
            return ops.tanh(x @ self.w + self.b)[:, 1:] * 2.0

    class Squares(library.regularizers.Regularizer):  # type: ignore[misc,name-defined]
        def __init__(self, strength: float = 0.1) -> None:
            self.strength = strength

        def __call__(self, x: Any) -> Any:
            return self.strength * ops.sum(ops.square(x))

        def get_config(self) -> dict[str, Any]:
            return {"strength": self.strength}

    class Positive(library.constraints.Constraint):  # type: ignore[misc,name-defined]
        def __call__(self, w: Any) -> Any:
            return ops.relu(w)

    return {cls.__name__: cls for cls in (Scaled, Squares, Positive)} | measures(library)


def measures(library: Any) -> dict[str, Any]:
    """A metric and a loss, written once, for either library."""
    ops = library.ops

    class Low(library.metrics.Metric):  # type: ignore[misc,name-defined]
        """The share of labels that are 0 or 1, times a prediction."""

        def __init__(self, name: str = "low", **keywords: Any) -> None:
            super().__init__(name=name, **keywords)
            self.total = self.add_variable(shape=(), initializer="zeros", name="total")
            self.count = self.add_variable(shape=(), initializer="zeros", name="count")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            low = ops.cast(ops.less(ops.cast(y_true, "float32"), 1.5), "float32")
            self.total.assign_add(ops.sum(low * y_pred[:, 0]))
            self.count.assign_add(ops.sum(ops.ones_like(low)))

        def result(self) -> Any:
            return self.total / self.count

    class Distance(library.losses.Loss):  # type: ignore[misc,name-defined]
        def call(self, y_true: Any, y_pred: Any) -> Any:
            wanted = ops.one_hot(ops.cast(y_true, "int32"), 3)
            return ops.mean(ops.square(y_pred - wanted), axis=-1)

    return {cls.__name__: cls for cls in (Low, Distance)}


def network(library: Any, made: dict[str, Any]) -> Any:
    library.utils.clear_session()
    dense = {"kernel_regularizer": made["Squares"](0.2), "kernel_constraint": made["Positive"]()}
    model = library.Sequential(
        [
            library.Input((6,)),
            made["Scaled"](),
            library.layers.Dense(3, activation="softmax", **dense),
        ]
    )
    model.compile(library.optimizers.SGD(0.1), made["Distance"](), metrics=[made["Low"]()])
    return model


def test_classes_of_users_train_as_in_keras() -> None:
    theirs, ours = (network(library, classes(library)) for library in (keras, kerac))
    ours.set_weights(theirs.get_weights())
    told = [m.fit(X, Y, 8, epochs=2, shuffle=False, verbose=0).history for m in (theirs, ours)]
    assert told[1].keys() == told[0].keys()
    for name, values in told[0].items():
        np.testing.assert_allclose(told[1][name], values, rtol=1e-4, err_msg=name)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert ours.get_weights()[2].min() >= 0


def test_a_metric_of_users_counts_arrays() -> None:
    metric = classes(kerac)["Low"]()
    metric.update_state(np.array([0, 2]), np.array([[0.5, 1], [0.25, 1]], "float32"))
    assert float(metric.result()) == pytest.approx(0.25)
    metric.reset_state()
    metric.update_state(np.array([0]), np.array([[1.0]], "float32"))
    assert float(metric.result()) == 1


def test_files_name_what_is_given_in_code(tmp_path: Path) -> None:
    made = classes(kerac)
    model = network(kerac, made)
    model.save(tmp_path / "m.keras")
    with pytest.raises(UnsupportedError, match="Scaled"):
        kerac.models.load_model(tmp_path / "m.keras", compile=False)
    with kerac.utils.custom_object_scope(made):
        again = kerac.models.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    registered = kerac.utils.get_custom_objects()
    before = dict(registered)
    try:
        for given in made.values():
            kerac.utils.register_keras_serializable("mine")(given)
        assert kerac.utils.get_registered_name(made["Scaled"]) == "mine>Scaled"
        assert kerac.models.load_model(tmp_path / "m.keras").compiled
    finally:
        registered.clear()
        registered.update(before)


def test_steps_of_users_are_refused() -> None:
    class Own(kerac.Model):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            return {}

    with pytest.raises(CompileError, match="Own: defines train_step, but a step is compiled as"):
        Own().compile("sgd", "mse")


class Halving(kerac.optimizers.Optimizer):  # type: ignore[misc]
    """Weights lose half of their gradient, and remember the last one."""

    learning_rate: LearningRate = rate(1.0)

    def slots(self) -> Any:
        return [[Slot("last")]]

    def step(self, weight: Any, gradient: Any, slots: Any, now: Any) -> Any:
        slots["last"] = gradient
        return weight - 0.5 * gradient


def test_optimizers_of_users_state_a_step() -> None:
    models = [kerac.Sequential([kerac.Input((6,)), kerac.layers.Dense(1)]) for _ in range(2)]
    models[1].set_weights(models[0].get_weights())
    for model, optimizer in zip(models, (Halving(), kerac.optimizers.SGD(0.5)), strict=True):
        model.compile(optimizer, "mse")
        model.fit(X, X[:, :1], shuffle=False, verbose=0)
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)

    class Assigning(kerac.optimizers.SGD):  # type: ignore[misc,name-defined]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            variable.assign_sub(gradient)

    with pytest.raises(CompileError, match="Assigning: changes weights in update_step, but"):
        models[0].compile(Assigning(), "mse")


OPERATIONS: list[tuple[str, Any]] = [
    ("mean", lambda ops, x: ops.mean(x, axis=-1, keepdims=True)),
    ("where", lambda ops, x: ops.where(x > 0, x, 0.0)),
    ("concatenate", lambda ops, x: ops.concatenate([x, 2 * x], axis=1)),
    ("cast", lambda ops, x: ops.cast(x, "int32")),
    ("clip", lambda ops, x: ops.clip(x, -0.5, 0.5)),
    ("reshape", lambda ops, x: ops.reshape(x, (-1, 2, 3))),
    ("part", lambda ops, x: ops.expand_dims(x, 1)[:, 0, ::2] @ np.ones((3, 2), "float32")),
    ("softmax", lambda ops, x: ops.log_softmax(x, axis=-1) + ops.softmax(x)),
]


@pytest.mark.parametrize(("name", "function"), OPERATIONS)
def test_operations_are_those_of_keras(name: str, function: Any) -> None:
    wanted = np.asarray(function(keras.ops, keras.ops.convert_to_tensor(X)))
    np.testing.assert_allclose(function(kerac.ops, X), wanted, rtol=1e-5, atol=1e-6)
    symbol = kerac.Input((6,))
    model = kerac.Model(symbol, function(kerac.ops, symbol))
    np.testing.assert_allclose(model.predict(X, verbose=0), wanted, rtol=1e-5, atol=1e-6)
    if name == "mean":
        with pytest.raises(AttributeError, match=r"kerac.ops has no 'maen'. Did you mean 'mean'"):
            kerac.ops.maen(X)


class Plain(kerac.optimizers.Optimizer):
    learning_rate: float = 0.5
    power: float = 1.0

    def step(self, weight: Any, gradient: Any, slots: Any, now: Any) -> Any:
        return weight - now.learning_rate * gradient


class Undeclared(kerac.optimizers.Optimizer):
    def step(self, weight: Any, gradient: Any, slots: Any, now: Any) -> Any:
        return weight - now.learning_rate * gradient


@pytest.mark.parametrize(
    ("optimizer", "start"), [(Plain(), 0.5), (Plain(0.25, 2.0), 0.25), (Undeclared(), 0.001)]
)
def test_a_learning_rate_may_be_declared_as_a_number(optimizer: Any, start: float) -> None:
    assert float(optimizer.learning_rate) == pytest.approx(start)
    assert optimizer.get_config()["learning_rate"] == pytest.approx(start)
    weight = kerac.Variable("ones", (2,), name="w")
    optimizer.learning_rate = 0.125
    optimizer.apply([np.ones(2, "float32")], [weight])
    np.testing.assert_array_equal(weight.numpy(), [0.875, 0.875])
    schedule = kerac.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    assert float(type(optimizer)(learning_rate=schedule).learning_rate) == pytest.approx(0.1)


def test_a_limit_for_trying_a_script(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    model = kerac.Sequential([kerac.Input((6,)), kerac.layers.Dense(1)])
    model.compile("sgd", "mse")
    batches: list[int] = []
    count = kerac.callbacks.LambdaCallback(on_train_batch_end=lambda n, _: batches.append(n))
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "2")
    kerac.config.set_max_steps_per_epoch(3)
    kerac.config.disable_interactive_logging()
    try:
        with pytest.warns(UserWarning, match="epochs is 5, but is limited to 2"):
            model.fit(X, Y[:, None] * 1.0, epochs=5, batch_size=10, callbacks=[count])
        assert batches == [0, 1, 2] * 2
        assert len(capsys.readouterr().out.splitlines()) == 4
        assert model.predict(X, batch_size=10, verbose=0).shape == (30, 1)
        kerac.config.set_max_steps_per_epoch(30)
        assert model.predict(X, batch_size=10, verbose=0).shape == (40, 1)
    finally:
        kerac.config.set_max_steps_per_epoch(None)
        kerac.config.enable_interactive_logging()
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "many")
    with pytest.raises(CompileError, match="KERAS_MAX_EPOCHS is 'many', but a positive integer"):
        kerac.config.max_epochs()


def distiller(library: Any) -> Any:
    """A student that learns from labels and from a teacher, by a loss of its own."""
    layers, ops = library.layers, library.ops

    class Distiller(library.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__(name="distiller")
            self.teacher = library.Sequential([layers.Dense(8, "tanh"), layers.Dense(3)])
            self.student = library.Sequential(
                [layers.Dense(3, kernel_regularizer=library.regularizers.L2(0.1))]
            )
            self.teacher.trainable = False

        def call(self, x: Any) -> Any:
            return self.student(x)

        def compute_loss(
            self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
            training: bool = True,
        ) -> Any:  # fmt: skip
            taught = self.teacher(x, training=False)
            apart = ops.mean(ops.square(taught - y_pred), axis=-1)
            own = super().compute_loss(x, y, y_pred, sample_weight)
            return 0.3 * own + 0.7 * ops.mean(apart)

    model = Distiller()
    model.teacher(X[:1])
    model.compile(
        library.optimizers.SGD(0.1),
        library.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def test_a_loss_of_the_model_itself_is_part_of_the_step() -> None:
    x, labels = X, Y
    theirs, ours = distiller(keras), distiller(kerac)
    theirs(x[:1])
    ours(x[:1])
    ours.set_weights(theirs.get_weights())
    histories = [
        m.fit(x, labels, epochs=2, batch_size=8, shuffle=False, verbose=0).history
        for m in (theirs, ours)
    ]
    for name, values in histories[0].items():
        assert histories[1][name] == pytest.approx(values, rel=1e-4), name
    for one, other in zip(theirs.get_weights(), ours.get_weights(), strict=True):
        assert_close(other, one)
    assert ours.evaluate(x, labels, verbose=0) == pytest.approx(
        theirs.evaluate(x, labels, verbose=0), rel=1e-4
    )


def test_a_loss_of_the_model_itself_must_be_a_tensor() -> None:
    class Own(kerac.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

        def compute_loss(self, **parts: Any) -> Any:
            return None

    model = Own(name="own")
    model.compile("sgd")
    with pytest.raises(CompileError, match="own: compute_loss returned None, but a tensor is"):
        model.fit(X, X, verbose=0)
