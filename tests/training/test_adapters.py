"""Data as other libraries hold it: tables of pandas, tensors and loaders of torch, tf.data."""

from typing import Any

import numpy as np
import pytest

import kerac

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(50, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
WEIGHTS = GENERATOR.uniform(0.5, 1.5, 50).astype("float32")


def made() -> Any:
    """A small compiled model, with the same weights each time."""
    kerac.utils.set_random_seed(1)
    layers = [kerac.layers.Dense(3, activation="relu"), kerac.layers.Dense(1)]
    model = kerac.Sequential([kerac.Input((4,)), *layers])
    model.compile("sgd", "mse")
    return model


def losses(*data: Any, **keywords: Any) -> list[float]:
    history = made().fit(*data, epochs=2, verbose=0, **keywords).history
    return [*history["loss"], *history.get("val_loss", ())]


def wanted(*data: Any, **keywords: Any) -> list[float]:
    return losses(*data, batch_size=8, shuffle=False, **keywords)


def test_tables_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    columns = ["a", "b", "c", "d"]
    table, series = pandas.DataFrame(X, columns=columns), pandas.Series(Y[:, 0])
    order = {"batch_size": 8, "shuffle": False}
    assert losses(table, series, **order) == wanted(X, Y[:, 0])
    assert losses(table, pandas.DataFrame(Y), **order) == wanted(X, Y)
    mixed = table.astype({"a": "float64"})
    np.testing.assert_array_equal(made().predict(mixed), made().predict(X))
    weights = pandas.Series(WEIGHTS)
    found = losses(table, series, sample_weight=weights, **order)
    assert found == wanted(X, Y[:, 0], sample_weight=WEIGHTS)


def test_tensors_and_loaders_of_torch() -> None:
    torch = pytest.importorskip("torch")
    data = torch.utils.data
    x, y = torch.tensor(X), torch.tensor(Y)
    assert losses(x, y, batch_size=8, shuffle=False) == wanted(X, Y)
    loader = data.DataLoader(data.TensorDataset(x, y), batch_size=8)
    expected = wanted(X, Y, validation_data=(X, Y), validation_batch_size=8)
    assert losses(loader, validation_data=loader) == expected
    model = made()
    assert model.evaluate(loader, verbose=0) == model.evaluate(X, Y, batch_size=8, verbose=0)
    only = data.DataLoader(x, batch_size=8)
    np.testing.assert_array_equal(model.predict(only, verbose=0), model.predict(X))


def test_datasets_of_tensorflow() -> None:
    tensorflow = pytest.importorskip("tensorflow")
    from_slices = tensorflow.data.Dataset.from_tensor_slices
    dataset = from_slices((X, Y)).batch(8)
    expected = wanted(X, Y, validation_data=(X, Y), validation_batch_size=8)
    assert losses(dataset, validation_data=dataset) == expected
    weighted = from_slices((X, Y, WEIGHTS)).batch(8).prefetch(2)
    assert losses(weighted) == wanted(X, Y, sample_weight=WEIGHTS)
    model = made()
    assert model.evaluate(dataset, verbose=0) == model.evaluate(X, Y, batch_size=8, verbose=0)
    np.testing.assert_array_equal(model.predict(dataset, verbose=0), model.predict(X))
    endless = from_slices((X, Y)).batch(8).repeat()
    assert len(losses(endless, steps_per_epoch=3)) == 2
    by_name = from_slices(({"x": X}, Y)).batch(8)
    inputs = kerac.Input((4,), name="x")
    named = kerac.Model(inputs, kerac.layers.Dense(1)(inputs))
    named.compile("sgd", "mse")
    assert len(named.fit(by_name, epochs=2, verbose=0).history["loss"]) == 2
    tensors = (tensorflow.constant(X), tensorflow.constant(Y))
    assert losses(*tensors, batch_size=8, shuffle=False) == wanted(X, Y)
