"""Losses against Keras: values with weights and masks, by the reference and natively, configs."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import kerac
from kerac.ir import CompileError, Graph, TensorType, evaluate_graph, ops, symbol
from kerac.ir.types import type_of
from kerac.losses import CLASSES
from kerac.passes.differentiate import gradients

N = symbol("N")
REDUCTIONS = ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None]
# kind of labels and predictions, arguments of the class
CASES = [
    ("MeanSquaredError", "numbers", {}),
    ("MeanAbsoluteError", "numbers", {}),
    ("MeanAbsolutePercentageError", "numbers", {}),
    ("MeanSquaredLogarithmicError", "positive", {}),
    ("CosineSimilarity", "numbers", {}),
    ("CosineSimilarity", "numbers", {"axis": 1}),
    ("Huber", "numbers", {"delta": 0.5}),
    ("LogCosh", "numbers", {}),
    ("Hinge", "signs", {}),
    ("Hinge", "binary", {}),
    ("SquaredHinge", "signs", {}),
    ("CategoricalHinge", "classes", {}),
    ("KLDivergence", "classes", {}),
    ("Poisson", "positive", {}),
    ("BinaryCrossentropy", "binary", {}),
    ("BinaryCrossentropy", "binary logits", {"from_logits": True, "label_smoothing": 0.2}),
    ("BinaryFocalCrossentropy", "binary", {"apply_class_balancing": True, "gamma": 1.5}),
    ("BinaryFocalCrossentropy", "binary logits", {"from_logits": True, "label_smoothing": 0.1}),
    ("CategoricalCrossentropy", "classes", {}),
    ("CategoricalCrossentropy", "class logits", {"from_logits": True, "label_smoothing": 0.1}),
    ("CategoricalFocalCrossentropy", "classes", {"alpha": 0.3}),
    ("CategoricalFocalCrossentropy", "class logits", {"from_logits": True}),
    ("SparseCategoricalCrossentropy", "sparse", {}),
    ("SparseCategoricalCrossentropy", "sparse logits", {"from_logits": True}),
    ("SparseCategoricalCrossentropy", "sparse", {"ignore_class": 1}),
    ("CategoricalGeneralizedCrossEntropy", "sparse", {"q": 0.7}),
    ("Dice", "binary", {}),
    ("Dice", "binary", {"axis": (1, 2)}),
    ("Tversky", "binary", {"alpha": 0.3, "beta": 0.6}),
    ("Circle", "embeddings", {"gamma": 4.0}),
    ("Circle", "embeddings", {"gamma": 4.0, "margin": 0.3, "remove_diagonal": False}),
    ("CTC", "sequences", {}),
]


def data(kind, shape, generator):
    numbers = generator.normal(size=shape).astype(np.float32)
    shares = np.exp(numbers) / np.exp(numbers).sum(-1, keepdims=True)
    labels = generator.integers(shape[-1], size=shape[:-1]).astype(np.int32)
    binary = generator.integers(2, size=shape).astype(np.int32)
    hot = np.eye(shape[-1], dtype=np.float32)[labels]
    return {
        "numbers": lambda: (generator.normal(size=shape).astype(np.float32), numbers),
        "positive": lambda: (generator.random(shape).astype(np.float32), np.abs(numbers)),
        "signs": lambda: (2 * binary - 1, numbers),
        "binary": lambda: (binary, 1 / (1 + np.exp(-numbers))),
        "binary logits": lambda: (binary, numbers),
        "classes": lambda: (hot, shares),
        "class logits": lambda: (hot, 3 * numbers),
        "sparse": lambda: (labels, shares),
        "sparse logits": lambda: (labels, 3 * numbers),
        "embeddings": lambda: embeddings(generator),
        "sequences": lambda: sequences(generator),
    }[kind]()


def embeddings(generator):
    rows = generator.normal(size=(6, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.array([0, 1, 0, 2, 1, 0], np.int32), rows


def sequences(generator):
    labels = np.array([[1, 2, 2, 0], [3, 0, 0, 0], [1, 1, 0, 0]], np.int32)
    return labels, generator.normal(size=(3, 9, 5)).astype(np.float32)


def native(loss, arrays):
    """The loss compiled for any batch."""
    types = [
        TensorType(type_of(x).dtype, (N, *x.shape[1:])) if x is not None else None for x in arrays
    ]
    values = [t and ops.graph_input(f"x{i}", t) for i, t in enumerate(types)]
    graph = Graph("loss", tuple(v for v in values if v is not None), (loss(*values),))
    return kerac.compile(graph)(*(x for x in arrays if x is not None))


@pytest.mark.parametrize(("name", "kind", "options"), CASES, ids=str)
def test_losses_are_those_of_keras(name, kind, options):
    generator = np.random.default_rng(len(name) + len(kind))
    for round_, shape in enumerate([(7, 5), (4, 3, 5)]):
        if "axis" in options and len(shape) < 3:
            continue
        y_true, y_pred = data(kind, shape, generator)
        reduction = REDUCTIONS[(round_ + len(str(options))) % len(REDUCTIONS)]
        mine = getattr(kerac.losses, name)(**options, reduction=reduction)
        other = getattr(keras.losses, name)(**options, reduction=reduction)
        of_samples = other.call(y_true.astype("f4"), y_pred).shape
        weight = generator.random(of_samples).astype(np.float32)
        weight = None if round_ == 0 or not of_samples or name == "Circle" else weight
        expected = np.asarray(other(y_true, y_pred, sample_weight=weight))
        found = mine(y_true, y_pred, sample_weight=weight)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
        if round_ == 1 and "remove_diagonal" not in options:
            compiled = native(mine, [y_true, y_pred, weight])
            np.testing.assert_allclose(compiled, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("name", "kind", "options"), CASES, ids=str)
def test_gradients_are_those_of_jax(name, kind, options):
    shape = (4, 3, 5) if "axis" in options else (6, 5)
    y_true, y_pred = data(kind, shape, np.random.default_rng(8))
    other = getattr(keras.losses, name)(**options, reduction="sum")
    expected = jax.grad(lambda prediction: other(y_true, prediction).sum())(jnp.asarray(y_pred))
    labels, predictions = (
        ops.graph_input(n, type_of(x)) for n, x in zip("tp", (y_true, y_pred), strict=True)
    )
    loss = getattr(kerac.losses, name)(**options, reduction="sum")(labels, predictions)
    loss = ops.reduce_sum(loss, tuple(range(loss.ndim)))
    graph = Graph("gradient", (labels, predictions), tuple(gradients(loss, [predictions])))
    (found,) = evaluate_graph(graph, [y_true, y_pred])
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-4, atol=1e-6 * scale)


@pytest.mark.parametrize(("name", "kind", "options"), CASES, ids=str)
def test_configs_go_both_ways(name, kind, options):
    mine = getattr(kerac.losses, name)(**options, reduction="sum")
    other = getattr(keras.losses, name)(**options, reduction="sum")
    expected = other.get_config()
    if name not in ("Huber", "CosineSimilarity", "CategoricalGeneralizedCrossEntropy"):
        assert mine.get_config() == {k: v for k, v in expected.items() if k in mine.get_config()}
        written = keras.losses.deserialize(kerac.losses.serialize(mine))
        assert written.get_config() == expected
    read = kerac.losses.deserialize(keras.losses.serialize(other))
    unwritten = {"delta": 0, "axis": 0}
    assert read.get_config() | unwritten == mine.get_config() | unwritten


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_masks_weigh_as_in_keras(reduction, weighted):
    generator = np.random.default_rng(5)
    y_true, y_pred = (generator.normal(size=(4, 6, 3)).astype(np.float32) for _ in range(2))
    mask = generator.random((4, 6)) < 0.6
    weight = generator.random((4, 6)).astype(np.float32) if weighted else None
    tensor = keras.ops.convert_to_tensor(y_pred)
    keras.src.backend.set_keras_mask(tensor, keras.ops.convert_to_tensor(mask))
    other = keras.losses.MeanAbsoluteError(reduction=reduction)
    mine = kerac.losses.MeanAbsoluteError(reduction=reduction)
    expected = np.asarray(other(y_true, tensor, sample_weight=weight))
    found = mine(y_true, y_pred, sample_weight=weight, mask=mask)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_labels_with_an_axis_more_or_less():
    generator = np.random.default_rng(6)
    for true, pred in [((5,), (5, 1)), ((5, 1), (5,)), ((5, 3, 1), (5, 3)), ((5,), (5,))]:
        y_true, y_pred = generator.random(true), generator.random(pred)
        for name in ("MeanSquaredError", "BinaryCrossentropy"):
            expected = np.asarray(getattr(keras.losses, name)()(y_true, y_pred))
            found = getattr(kerac.losses, name)()(y_true, y_pred)
            np.testing.assert_allclose(found, expected, rtol=1e-5)
    labels, logits = generator.integers(4, size=(6, 1)), generator.normal(size=(6, 4))
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    found = kerac.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-5)


def test_names_are_those_of_keras():
    for name in ("mse", "MSE", "mae", "bce", "kld", "mape", "msle", "categorical_crossentropy"):
        assert kerac.losses.get(name).__name__ == keras.losses.get(name).__name__
    assert isinstance(kerac.losses.get("MeanSquaredError"), kerac.losses.MeanSquaredError)
    assert kerac.losses.get(None) is None
    wrapped = kerac.losses.LossFunctionWrapper(kerac.losses.huber, delta=0.5, name="h")
    given = np.ones((2, 3)), np.zeros((2, 3))
    assert wrapped(*given) == pytest.approx(0.375)
    assert kerac.losses.LossFunctionWrapper(lambda t, p: (t - p) ** 2)(*given) == 1.0


class Cubed(kerac.losses.Loss):
    def call(self, y_true, y_pred):
        return abs(y_true - y_pred) * (y_true - y_pred) ** 2


def test_losses_of_users():
    assert Cubed(name="cubed")(np.full((2, 3), 2.0), np.zeros((2, 3))) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kerac.losses.get("msee"), "there is no loss 'msee'"),
        (lambda: kerac.losses.get(3), "is no loss"),
        (lambda: kerac.losses.Huber(gamma=1), "has no argument 'gamma'"),
        (lambda: kerac.losses.Huber(reduction="max"), "reduction"),
        (
            lambda: kerac.losses.sparse_categorical_crossentropy(np.ones((2, 3)), np.ones((2, 3))),
            "without the classes",
        ),
        (
            lambda: kerac.losses.categorical_crossentropy(np.ones((2, 4)), np.ones((2, 3))),
            "must have one shape",
        ),
        (lambda: kerac.losses.CategoricalGeneralizedCrossEntropy(q=2.0), "must be in"),
    ],
)
def test_mistakes_have_one_message(make, message):
    with pytest.raises(CompileError, match=message):
        make()


def test_every_loss_is_tested():
    assert {cls.__name__ for cls in CLASSES} == {name for name, _, _ in CASES}
