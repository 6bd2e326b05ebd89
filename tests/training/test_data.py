"""Batches from every kind of data that `fit` takes."""

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError
from kerac.training.arrays import ArrayBatches, split_off, weights_of_classes
from kerac.training.batches import Batch, Epochs
from kerac.training.sources import array_batch, batches_of
from kerac.training.streams import PyDataset, read_ahead

X = np.arange(20, dtype="float32").reshape(10, 2)
Y = np.arange(10)


def rows(batches: Any, number: int = 0) -> list[list[float]]:
    return [batch.x[:, 0].tolist() for batch in batches.epoch(number)]


def test_the_last_batch_of_arrays_is_smaller() -> None:
    batches = batches_of(X, Y, batch_size=4)
    found = list(batches.epoch())
    assert batches.count == len(found) == 3
    assert [len(batch.y) for batch in found] == [4, 4, 2]
    assert np.concatenate([batch.x for batch in found]).tolist() == X.tolist()


def test_structures_of_arrays_stay_structures() -> None:
    x = {"a": X, "b": [[1.0], [2]] * 5}
    (batch,) = batches_of(x, [Y, (Y, Y)], batch_size=10).epoch()
    assert batch.x["b"].shape == (10, 1)
    assert batch.y[1][0].tolist() == Y.tolist()


@pytest.mark.parametrize("shuffle", [True, "batch"])
def test_an_epoch_has_an_order_of_its_own_that_can_be_had_again(shuffle: bool | str) -> None:
    batches = ArrayBatches(array_batch(X, Y), 4, shuffle, seed=3)
    first = rows(batches)
    assert rows(batches) == first
    assert len({str(rows(batches, number)) for number in range(5)}) > 1
    assert sorted(itertools.chain(*first)) == X[:, 0].tolist()
    assert [len(batch) for batch in first] == [4, 4, 2]
    if shuffle == "batch":
        assert first[2] == [16, 18]


def test_inputs_and_labels_are_shuffled_alike() -> None:
    for batch in batches_of(X, Y, batch_size=3, shuffle=True).epoch():
        assert (batch.x[:, 0] == 2 * batch.y).all()


def test_a_seed_repeats_the_order() -> None:
    found = []
    for _ in range(2):
        kerac.utils.set_random_seed(5)
        found.append(rows(batches_of(X, Y, batch_size=3, shuffle=True)))
    assert found[0] == found[1]


class Squares(PyDataset):
    """Batch i holds i."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.told: list[str] = []

    def __len__(self) -> int:
        return 25

    def __getitem__(self, index: int) -> Any:
        return np.full((2, 2), index), np.full(2, index**2)

    def on_epoch_begin(self) -> None:
        self.told.append("begin")

    def on_epoch_end(self) -> None:
        self.told.append("end")


@pytest.mark.parametrize("keywords", [{}, {"workers": 4}, {"workers": 3, "max_queue_size": 1}])
def test_datasets_give_batches_in_order(keywords: dict[str, int]) -> None:
    dataset = Squares(**keywords)
    epochs = Epochs(batches_of(dataset))
    assert epochs.count == 25
    assert [batch.y[0] for batch in epochs.epoch()] == [i**2 for i in range(25)]
    assert dataset.told == ["begin", "end"]


def test_datasets_of_keras_are_read_too() -> None:
    class Theirs(keras.utils.PyDataset):
        """Two batches."""

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Any:
            return X[index : index + 2], Y[index : index + 2]

    assert [batch.y.tolist() for batch in batches_of(Theirs()).epoch()] == [[0, 1], [1, 2]]


def generate() -> Iterator[Any]:
    for number in itertools.count():
        yield np.full((2, 2), number), np.full(2, number)


def test_a_generator_goes_on_in_the_next_epoch() -> None:
    epochs = Epochs(batches_of(generate()), steps=3)
    found = [[batch.y[0] for batch in epochs.epoch(number)] for number in range(3)]
    assert found == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_an_epoch_of_a_list_of_batches_is_the_list() -> None:
    source = [(X[:2], Y[:2]), (X[2:5], Y[2:5])]

    class Listed:
        """An iterable that is no list."""

        def __iter__(self) -> Iterator[Any]:
            return iter(source)

    epochs = Epochs(batches_of(Listed()))
    assert epochs.count is None
    for number in range(2):
        assert [len(batch.x) for batch in epochs.epoch(number)] == [2, 3]
    assert epochs.count == 2


@pytest.mark.filterwarnings("ignore:the data ended")
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
def test_epochs_of_some_steps_are_those_of_keras(steps: int) -> None:
    from keras.src.trainers.epoch_iterator import EpochIterator

    theirs = EpochIterator(X, Y, batch_size=3, steps_per_epoch=steps)
    ours = Epochs(batches_of(X, Y, batch_size=3), steps)
    for number in range(4):
        expected = []
        with theirs.catch_stop_iteration(), warnings.catch_warnings(action="ignore"):
            for _, _, (batch,) in theirs:
                expected.append(np.asarray(batch[1]).tolist())
        assert [batch.y.tolist() for batch in ours.epoch(number)] == expected


def test_an_error_of_a_generator_reaches_the_loop() -> None:
    def broken() -> Iterator[Any]:
        yield X, Y
        raise OSError("disk full")

    found = batches_of(broken()).epoch()
    next(found)
    with pytest.raises(OSError, match="disk full"):
        next(found)


def test_reading_ahead_ends_when_nobody_reads() -> None:
    made = []

    def count() -> Iterator[Batch]:
        for number in itertools.count():
            made.append(number)
            yield Batch(number)

    found = read_ahead(count(), size=2)
    assert next(found).x == 0
    found.close()
    before = len(made)
    assert before < 10


def test_splitting_off_the_last_samples() -> None:
    first, last = split_off(array_batch(X, Y), 0.25)
    assert (len(first.x), last.y.tolist()) == (7, [7, 8, 9])


LABELS = [np.array([0, 2, 1]), np.array([[0], [2], [1]]), np.eye(3)[[0, 2, 1]]]


@pytest.mark.parametrize("labels", LABELS)
def test_weights_of_classes(labels: np.ndarray) -> None:
    assert weights_of_classes(labels, {0: 0.5, 2: 4}).tolist() == [0.5, 4, 1]


MISTAKES: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((X, Y[:4]), {}, r"the same number of samples.*\n.*x: 10 samples\n.*y: 4 samples"),
    ((X[:0], Y[:0]), {}, "x has no samples"),
    ((X[:2], np.array(["a", "b"])), {}, "y holds <U1, but numbers"),
    (([[1, 2], [3]], Y[:2]), {}, "x is no array"),
    ((X, None), {"class_weight": {0: 1.0}}, "needs one array of labels"),
    ((X, Y, Y), {"class_weight": {0: 1.0}}, "only one of them"),
    ((X, Y), {"batch_size": 0}, "batch_size is 0, but must be positive"),
    ((X, Y), {"batch_size": 2.5}, "batch_size is 2.5, but an integer"),
    ((X, Y), {"shuffle": "sometimes"}, "shuffle is 'sometimes'"),
    ((generate(), Y), {}, "y is given, but x is a generator"),
    ((None,), {}, "x is None"),
    ((object(),), {}, "x is a object, but arrays"),
]


@pytest.mark.parametrize(("args", "keywords", "message"), MISTAKES)
def test_data_that_does_not_fit_together(
    args: tuple[Any, ...], keywords: dict[str, Any], message: str
) -> None:
    with pytest.raises(CompileError, match=message):
        batches_of(*args, **keywords)


@pytest.mark.parametrize("share", [-1, 0.95, 1, 2])
def test_shares_that_cannot_be_split_off(share: float) -> None:
    with pytest.raises(CompileError, match="validation_split"):
        split_off(array_batch(X, Y), share)
