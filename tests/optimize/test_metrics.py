"""Metrics against Keras over several batches with weights, by the reference and natively."""

import keras
import numpy as np
import pytest

import kerac
from kerac.ir import CompileError, Graph, TensorType, ops, symbol, type_of
from kerac.metrics import CLASSES
from tests.optimize.test_losses import data

N = symbol("N")
CASES = [
    ("Accuracy", "labels", {}),
    ("BinaryAccuracy", "binary", {"threshold": 0.4}),
    ("CategoricalAccuracy", "classes", {}),
    ("SparseCategoricalAccuracy", "sparse", {}),
    ("TopKCategoricalAccuracy", "classes", {"k": 2}),
    ("SparseTopKCategoricalAccuracy", "sparse", {"k": 3}),
    ("SparseTopKCategoricalAccuracy", "ids", {"k": 2, "from_sorted_ids": True}),
    ("MeanSquaredError", "numbers", {}),
    ("RootMeanSquaredError", "numbers", {}),
    ("MeanAbsoluteError", "numbers", {}),
    ("MeanAbsolutePercentageError", "numbers", {}),
    ("MeanSquaredLogarithmicError", "positive", {}),
    ("LogCoshError", "numbers", {}),
    ("CosineSimilarity", "numbers", {}),
    ("R2Score", "numbers", {}),
    ("R2Score", "numbers", {"class_aggregation": "variance_weighted_average"}),
    ("R2Score", "numbers", {"class_aggregation": None, "num_regressors": 2}),
    ("PearsonCorrelation", "numbers", {}),
    ("ConcordanceCorrelation", "numbers", {}),
    ("Hinge", "signs", {}),
    ("SquaredHinge", "signs", {}),
    ("CategoricalHinge", "classes", {}),
    ("KLDivergence", "classes", {}),
    ("Poisson", "positive", {}),
    ("BinaryCrossentropy", "binary", {"label_smoothing": 0.1}),
    ("CategoricalCrossentropy", "class logits", {"from_logits": True}),
    ("SparseCategoricalCrossentropy", "sparse", {}),
    ("AUC", "binary", {}),
    ("AUC", "binary", {"curve": "PR", "num_thresholds": 50}),
    ("AUC", "binary", {"curve": "PR", "summation_method": "minoring"}),
    ("AUC", "binary", {"curve": "PRGAIN", "summation_method": "majoring"}),
    ("AUC", "binary", {"thresholds": [0.2, 0.3, 0.7]}),
    ("AUC", "binary", {"multi_label": True, "num_labels": 5, "num_thresholds": 20}),
    ("AUC", "binary logits", {"from_logits": True, "num_thresholds": 30}),
    ("TruePositives", "binary", {}),
    ("TrueNegatives", "binary", {"thresholds": [0.3, 0.6]}),
    ("FalsePositives", "binary", {"thresholds": 0.2}),
    ("FalseNegatives", "binary", {}),
    ("Precision", "binary", {}),
    ("Precision", "binary", {"thresholds": [0.2, 0.7], "class_id": 2}),
    ("Precision", "binary", {"top_k": 2}),
    ("Recall", "binary", {"thresholds": [0.0, 0.5, 1.0]}),
    ("Recall", "binary", {"top_k": 3, "class_id": 1}),
    ("SensitivityAtSpecificity", "binary", {"specificity": 0.5}),
    ("SpecificityAtSensitivity", "binary", {"sensitivity": 0.4, "num_thresholds": 30}),
    ("PrecisionAtRecall", "binary", {"recall": 0.5}),
    ("RecallAtPrecision", "binary", {"precision": 0.4, "class_id": 1}),
    ("FBetaScore", "classes", {"beta": 2.0}),
    ("FBetaScore", "binary", {"average": "micro", "threshold": 0.4}),
    ("F1Score", "classes", {"average": "macro"}),
    ("F1Score", "classes", {"average": "weighted"}),
    ("IoU", "labels", {"num_classes": 4, "target_class_ids": [0, 2]}),
    ("BinaryIoU", "binary", {"threshold": 0.4}),
    ("MeanIoU", "labels", {"num_classes": 4, "ignore_class": 1}),
    ("OneHotIoU", "classes", {"num_classes": 5, "target_class_ids": [1, 3]}),
    ("OneHotMeanIoU", "classes", {"num_classes": 5}),
]


def batch(kind, rows, generator):
    if kind == "labels":
        return (
            generator.integers(4, size=(rows, 5)).astype(np.float32),
            generator.integers(4, size=(rows, 5)).astype(np.float32),
        )
    if kind == "ids":
        ids = np.argsort(generator.random((rows, 5)), axis=1).astype(np.float32)
        return generator.integers(5, size=rows).astype(np.float32), ids
    return data(kind, (rows, 5), generator)


def native(metric, kind, generator, weighted):
    """One update compiled for any batch, and the result compiled."""
    arrays = [*batch(kind, 3, generator), np.ones(3, np.float32)][: 3 if weighted else 2]
    metric.build(*(type_of(x) for x in arrays[:2]))
    state = [ops.graph_input(v.name, v.type) for v in metric.variables]
    types = [TensorType(type_of(x).dtype, (N, *x.shape[1:])) for x in arrays]
    inputs = [ops.graph_input(f"x{i}", type_) for i, type_ in enumerate(types)]
    graph = Graph("update", (*state, *inputs), tuple(metric.update(state, *inputs)))
    update = kerac.compile(graph)
    result = kerac.compile(Graph("result", tuple(state), (metric.value(state),)))
    return update, result


# Keras asks jax for int64
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")
@pytest.mark.parametrize(("name", "kind", "options"), CASES, ids=str)
def test_metrics_are_those_of_keras(name, kind, options):
    generator = np.random.default_rng(len(name) + len(str(options)))
    mine = getattr(kerac.metrics, name)(**options)
    other = getattr(keras.metrics, name)(**options)
    weighted = len(name) % 2 == 0 and kind != "labels" and not name.endswith("IoU")
    compiled = native(mine, kind, np.random.default_rng(0), weighted)
    state = [v.array for v in mine.variables]
    for rows in (6, 6):
        y_true, y_pred = batch(kind, rows, generator)
        weight = generator.random(rows).astype(np.float32) if weighted else None
        mine.update_state(y_true, y_pred, weight)
        other.update_state(y_true, y_pred, sample_weight=weight)
        extra = [weight] if weighted else []
        state = compiled[0](*state, y_true, y_pred, *extra)
        state = list(state) if isinstance(state, tuple) else [state]
        expected = np.asarray(other.result())
        np.testing.assert_allclose(mine.result(), expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(compiled[1](*state), expected, rtol=1e-5, atol=1e-6)
    mine.reset_state()
    assert not any(v.array.any() for v in mine.variables)


@pytest.mark.parametrize(("name", "kind", "options"), CASES, ids=str)
def test_configs_go_both_ways(name, kind, options):
    mine = getattr(kerac.metrics, name)(**options, name="m")
    other = getattr(keras.metrics, name)(**options, name="m")
    expected = other.get_config()
    read = kerac.metrics.deserialize(keras.metrics.serialize(other))
    assert read.get_config() == mine.get_config()
    written = keras.metrics.deserialize(kerac.metrics.serialize(mine))
    found = written.get_config()
    assert {**found, "dtype": 0} == {**expected, "dtype": 0}


def test_sums_and_means():
    generator = np.random.default_rng(4)
    for name in ("Mean", "Sum"):
        mine, other = getattr(kerac.metrics, name)("m"), getattr(keras.metrics, name)("m")
        for shape, weight in [((4,), None), ((4, 3), (4,)), ((4, 3), (4, 3)), ((), None)]:
            values = generator.random(shape).astype(np.float32)
            weights = None if weight is None else generator.random(weight).astype(np.float32)
            expected = np.asarray(other(values, sample_weight=weights))
            np.testing.assert_allclose(mine(values, weights), expected, rtol=1e-6)


def test_accuracy_is_that_of_the_shapes():
    def kind(true, pred, name="accuracy"):
        types = [TensorType("f32", (N, *shape)) for shape in (true, pred)]
        return kerac.metrics.resolve(name, *types)

    assert type(kind((1,), (1,))).__name__ == "BinaryAccuracy"
    assert type(kind((), (10,))).__name__ == "SparseCategoricalAccuracy"
    assert type(kind((1,), (10,), "acc")).__name__ == "SparseCategoricalAccuracy"
    assert type(kind((10,), (10,))).__name__ == "CategoricalAccuracy"
    assert type(kind((10,), (10,), "ce")).__name__ == "CategoricalCrossentropy"
    assert kind((1,), (1,), "acc").name == "acc"
    assert kind((1,), (1,), "mse").name == "mse"
    own = kind((1,), (1,), lambda y_true, y_pred: abs(y_true - y_pred))
    assert own(np.ones((2, 1), np.float32), np.zeros((2, 1), np.float32)) == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kerac.metrics.get("acuracy"), "there is no metric 'acuracy'"),
        (lambda: kerac.metrics.get(3), "is no metric"),
        (lambda: kerac.metrics.Precision(thresholds=2.0).cuts(), "must be in"),
        (lambda: kerac.metrics.AUC(num_thresholds=1), "2 or more"),
        (lambda: kerac.metrics.AUC(num_labels=2), "multi_label"),
        (lambda: kerac.metrics.FBetaScore(beta=-1.0), "must be positive"),
        (lambda: kerac.metrics.PrecisionAtRecall(2.0), "must be in"),
        (lambda: kerac.metrics.IoU(2, [3]), "there are 2 classes"),
        (lambda: kerac.metrics.F1Score()(np.ones(3), np.ones(3)), "needs predictions"),
    ],
)
def test_mistakes_have_one_message(make, message):
    with pytest.raises(CompileError, match=message):
        make()


def test_every_metric_is_tested():
    names = {cls.__name__ for cls in CLASSES} - {"Mean", "Sum", "MeanMetricWrapper"}
    assert names == {name for name, _, _ in CASES}
