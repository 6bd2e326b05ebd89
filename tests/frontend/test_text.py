"""Layers that read text or numbers of categories.

Keras's need TensorFlow. What they gave is kept in a file, which kerac is compared with; where
TensorFlow is installed, Keras is compared with it as well.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError, ShapeError, UnsupportedError
from tests.everywhere import run_onnx, run_passes
from tests.frontend.checking import check_layer

TEXTS = ["The cat sat.", "A dog, the DOG!", "cat & mouse\tcat  ", "", "Über-straße; l'été"]
WORDS = [["a", "b"], ["b", "c"], ["", "b"], ["d", "a"]]
NUMBERS = [[4, 9], [9, 3], [7, 9], [-5, 4]]
MANY = [[round((n * 37 % 1000) ** 1.5 / 100, 3)] for n in range(3000)]
LONG = ["".join(chr(97 + (n * k) % 26) for k in range(n)) for n in range(0, 150, 3)]

Case = tuple[str, dict[str, Any], Any, Any]
"""A layer, its arguments, what it adapts to, and its input."""
VECTORIZATIONS: list[dict[str, Any]] = [
    {},
    {"max_tokens": 6, "output_sequence_length": 3},
    {"standardize": "lower", "split": "character", "max_tokens": 9},
    {"standardize": None, "ngrams": 2},
    {"standardize": "strip_punctuation", "ngrams": (2, 3), "output_mode": "count"},
    {"output_mode": "multi_hot"},
    {"output_mode": "tf_idf"},
    {"output_mode": "count", "max_tokens": 20, "pad_to_max_tokens": True},
]
STRINGS: list[tuple[dict[str, Any], Any]] = [
    ({}, WORDS),
    ({"mask_token": "", "max_tokens": 4}, WORDS),
    ({"vocabulary": ["a", "b"], "num_oov_indices": 3}, None),
    ({"vocabulary": ["a", "b"], "num_oov_indices": 3, "salt": 7}, None),
    ({"output_mode": "one_hot", "vocabulary": ["c", "a"]}, None),
    ({"output_mode": "multi_hot", "mask_token": ""}, WORDS),
    ({"output_mode": "count"}, WORDS),
    ({"output_mode": "tf_idf"}, WORDS),
    ({"output_mode": "tf_idf", "vocabulary": ["a", "b"], "idf_weights": [0.5, 2.0]}, None),
]
INTEGERS: list[tuple[dict[str, Any], Any]] = [
    ({}, NUMBERS),
    ({"mask_token": 9, "max_tokens": 4}, NUMBERS),
    ({"vocabulary": [4, 9], "num_oov_indices": 3}, None),
    ({"vocabulary": list(range(0, 300, 3))}, None),
    ({"output_mode": "multi_hot", "mask_token": 9}, NUMBERS),
    ({"output_mode": "count", "num_oov_indices": 2}, NUMBERS),
    ({"output_mode": "tf_idf"}, NUMBERS),
]
CASES: list[Case] = [
    *(("Discretization", {"num_bins": n, "epsilon": 0.02}, MANY, MANY[:20]) for n in (1, 3, 7)),
    *(("TextVectorization", arguments, TEXTS, TEXTS) for arguments in VECTORIZATIONS),
    *(("StringLookup", arguments, data, WORDS) for arguments, data in STRINGS),
    ("StringLookup", {"invert": True, "mask_token": ""}, WORDS, [[0, 1], [3, 4]]),
    *(("IntegerLookup", arguments, data, NUMBERS) for arguments, data in INTEGERS),
    ("IntegerLookup", {"invert": True, "mask_token": 0}, NUMBERS, [[0, 1], [3, 2]]),
    ("Hashing", {"num_bins": 3}, None, WORDS),
    ("Hashing", {"num_bins": 2**40}, None, LONG),
    ("Hashing", {"num_bins": 2**40, "salt": [133, 2**50]}, None, LONG),
    ("Hashing", {"num_bins": 5, "mask_value": "b", "output_mode": "count"}, None, WORDS),
    ("Hashing", {"num_bins": 7, "mask_value": 9}, None, NUMBERS),
    ("Hashing", {"num_bins": 4, "output_mode": "one_hot"}, None, [["a"], ["b"]]),
    ("HashedCrossing", {"num_bins": 9}, None, [["a", "b"], ["c", "d"]]),
    ("HashedCrossing", {"num_bins": 2**40}, None, [[1, -2], [5, 6], [7, 8]]),
    ("HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"}, None, [[[1], [2]], [[5], [6]]]),
]


def plain(value: Any) -> Any:
    """Nested lists of texts and of numbers, whole ones as integers."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes | str):
        return value.decode() if isinstance(value, bytes) else str(value)
    number = round(float(value), 4)
    return int(number) if number.is_integer() else number


def results(layers: Any, case: Case) -> dict[str, Any]:
    """What a layer gives, and its vocabulary, as JSON holds it."""
    name, arguments, data, inputs = case
    layer = getattr(layers, name)(**arguments)
    if data is not None:
        array = np.array(data)
        # batches for one kind of data, a whole array for the others
        layer.adapt(iter(np.split(array, 4)) if data is MANY else array)
    crossing = name == "HashedCrossing"
    output = layer([np.array(x) for x in inputs] if crossing else np.array(inputs))
    known = {"output": plain(np.asarray(output).tolist())}
    if hasattr(layer, "get_vocabulary"):
        known["vocabulary"] = plain(list(layer.get_vocabulary()))
    if hasattr(layer, "bin_boundaries"):
        known["boundaries"] = plain([round(x, 1) for x in layer.bin_boundaries])
    return known


def written(layers: Any) -> str:
    """One line a case."""
    rows = [json.dumps(results(layers, case), ensure_ascii=False) for case in CASES]
    return "\n".join(rows) + "\n"


def test_text_layers(golden: Any) -> None:
    golden("text.jsonl", written(kerac.layers))


def test_keras_gives_the_same(golden: Any) -> None:
    pytest.importorskip("tensorflow")
    golden("text.jsonl", written(keras.layers))


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(3, 4), (3, 1), (3,), (2, 3, 4)])
def test_category_encoding(mode: str, shape: tuple[int, ...]) -> None:
    if len(shape) == 2 or mode == "one_hot":
        check_layer(
            lambda layers: layers.CategoryEncoding(6, mode), shape, dtype="int32", high=6
        )
    numbers = np.random.default_rng(2).integers(0, 6, shape)
    theirs = np.asarray(keras.layers.CategoryEncoding(6, mode)(numbers))
    np.testing.assert_array_equal(kerac.layers.CategoryEncoding(6, mode)(numbers), theirs)


def test_category_encoding_with_weights() -> None:
    numbers, weights = np.array([[0, 1, 1], [2, 0, 2]]), np.array([[0.5, 1, 2], [3, 4, 5]])
    theirs = keras.layers.CategoryEncoding(4, "count")(numbers, count_weights=weights)
    ours = kerac.layers.CategoryEncoding(4, "count")(numbers, count_weights=weights)
    np.testing.assert_allclose(ours, np.asarray(theirs))
    with pytest.raises(CompileError, match="output_mode is 'multi_hot'"):
        kerac.layers.CategoryEncoding(4)(numbers, count_weights=weights)


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
def test_discretization(mode: str) -> None:
    bounds = [-0.5, 0.1, 0.7]
    check_layer(lambda layers: layers.Discretization(bounds, output_mode=mode), (4, 3))


@pytest.mark.parametrize("arguments", [a for a, data in INTEGERS if data is None], ids=str)
@pytest.mark.parametrize("mode", ["int", "multi_hot"])
def test_integers_are_looked_up_natively(arguments: dict[str, Any], mode: str) -> None:
    layer = kerac.layers.IntegerLookup(output_mode=mode, **arguments)
    image = kerac.Input((5,), dtype="int64")
    model = kerac.Model(image, layer(image))
    numbers = np.random.default_rng(3).integers(-20, 320, (40, 5))
    expected = layer(numbers)
    np.testing.assert_array_equal(model.predict(numbers), expected)
    for backend in (run_passes, run_onnx):
        np.testing.assert_array_equal(backend(model.trace(), [numbers])[0], expected)


def classifier() -> tuple[Any, Any]:
    """A model that reads texts, and its layer that does."""
    layer = kerac.layers.TextVectorization(max_tokens=20, output_sequence_length=5)
    layer.adapt(TEXTS)
    text = kerac.Input((1,), dtype="string", name="text")
    x = kerac.layers.Embedding(20, 4)(layer(text))
    x = kerac.layers.GlobalAveragePooling1D()(x)
    return kerac.Model(text, kerac.layers.Dense(1, "sigmoid")(x), name="classifier"), layer


def test_a_model_reads_texts() -> None:
    model, layer = classifier()
    texts, labels = np.array(TEXTS)[:, None], np.array([1, 0, 1, 0, 1.0])
    assert model.input_shape == (None, 1)
    network = model.functional()
    assert network.input_names == [layer.name]
    expected = network.predict(layer(texts))
    for given in (texts, np.array(TEXTS), texts.astype(object)):
        np.testing.assert_array_equal(model.predict(given), expected)
    np.testing.assert_allclose(model(texts), expected, atol=1e-6)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(texts, labels, epochs=30, batch_size=2, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert len(model.evaluate(texts, labels, verbose=0)) == 2
    with pytest.raises(CompileError, match="must be float32, but got <U"):
        kerac.Sequential([kerac.Input((1,)), kerac.layers.Dense(1)]).predict(texts)


def test_a_stack_that_begins_with_text() -> None:
    layer = kerac.layers.StringLookup(output_mode="multi_hot")
    layer.adapt(WORDS)
    model = kerac.Sequential([layer, kerac.layers.Dense(2)])
    words = np.array(WORDS)
    np.testing.assert_allclose(model(words), model.predict(words), atol=1e-6)
    assert model.output_shape == (None, 2)
    assert model.input_shape == (None, 2)


def test_texts_beside_numbers() -> None:
    words, number = kerac.Input((2,), dtype="string", name="words"), kerac.Input((3,), name="n")
    hashed = kerac.layers.Hashing(7, output_mode="count")(words)
    crossed = kerac.layers.HashedCrossing(5, "one_hot")([kerac.Input((1,), dtype="int64")] * 2)
    joined = kerac.layers.Concatenate()([hashed, number])
    model = kerac.Model([words, number], kerac.layers.Dense(2)(joined))
    x = {"words": np.array(WORDS), "n": np.ones((4, 3))}
    assert model.predict(x).shape == (4, 2)
    assert crossed.shape == (None, 5)


def test_what_takes_the_place_of_text_is_said(tmp_path: Path) -> None:
    model, layer = classifier()
    said = rf"its inputs are {layer.name}: i64\[N, 5\], what the layers of these names make"
    with pytest.warns(UserWarning, match=said):
        kerac.export_onnx(model, tmp_path / "classifier.onnx")
    with pytest.warns(UserWarning, match=said):
        kerac.compile_library(model, tmp_path / "classifier.so")
    texts = np.array(TEXTS)
    library = kerac.load(tmp_path / "classifier.so")
    np.testing.assert_allclose(library(layer(texts)), model.predict(texts), atol=1e-6)


def test_vocabularies_in_files(tmp_path: Path) -> None:
    model, layer = classifier()
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        name = "assets/layers/text_vectorization/vocabulary.txt"
        assert archive.read(name).decode().split("\n")[:2] == ["", "[UNK]"]
    again = kerac.models.load_model(tmp_path / "model.keras")
    assert again.get_layer(layer.name).get_vocabulary() == layer.get_vocabulary()
    texts = np.array(TEXTS)
    np.testing.assert_array_equal(again.predict(texts), model.predict(texts))


@pytest.mark.parametrize(
    ("name", "arguments", "data"),
    [
        ("StringLookup", {"output_mode": "tf_idf"}, WORDS),
        ("StringLookup", {"output_mode": "count"}, WORDS),
        ("IntegerLookup", {"output_mode": "multi_hot"}, NUMBERS),
        ("IntegerLookup", {}, NUMBERS),
        ("Discretization", {"num_bins": 2}, NUMBERS),
        ("Hashing", {"num_bins": 3, "output_mode": "count"}, None),
    ],
)
def test_lookups_in_files(name: str, arguments: Any, data: Any, tmp_path: Path) -> None:
    layer = getattr(kerac.layers, name)(**arguments)
    if data is not None:
        layer.adapt(np.array(data))
    inputs = np.array(WORDS if name in ("StringLookup", "Hashing") else NUMBERS)
    dtype = "string" if inputs.dtype.kind == "U" else "int64"
    given = kerac.Input((2,), dtype=dtype)
    model = kerac.Model(given, layer(given))
    model.save(tmp_path / "model.keras")
    again = kerac.models.load_model(tmp_path / "model.keras")
    if name in ("StringLookup", "Hashing"):
        output = again.layers[-1](inputs)
    else:
        output = again.predict(inputs)
    np.testing.assert_allclose(output, layer(inputs), atol=1e-6)


TF_IDF = ("TextVectorization", "StringLookup", "IntegerLookup")


def save_weighted(library: Any, name: str, path: Path) -> Any:
    """Save a model of a layer that adapted with tf_idf; what it gives."""
    data = np.array({"TextVectorization": TEXTS, "StringLookup": WORDS}.get(name, NUMBERS))
    layer = getattr(library.layers, name)(output_mode="tf_idf", name="lookup")
    layer.adapt(data)
    dtype = "int64" if name == "IntegerLookup" else "string"
    given = library.Input(data.shape[1:], dtype=dtype, name="given")
    model = library.Model(given, library.layers.Rescaling(2.0, name="twice")(layer(given)))
    model.save(path)
    return np.asarray(layer(data))


def output_of_file(library: Any, name: str, path: Path) -> Any:
    data = np.array({"TextVectorization": TEXTS, "StringLookup": WORDS}.get(name, NUMBERS))
    return np.asarray(library.models.load_model(path).get_layer("lookup")(data))


@pytest.mark.parametrize("name", TF_IDF)
def test_weights_of_tokens_in_files(name: str, tmp_path: Path) -> None:
    expected = save_weighted(kerac, name, tmp_path / "ours.keras")
    np.testing.assert_allclose(output_of_file(kerac, name, tmp_path / "ours.keras"), expected)
    # written by Keras with TensorFlow, whose other backends cannot hold such a layer in a model
    theirs = Path(__file__).parent / "golden" / f"{name}.keras"
    np.testing.assert_allclose(output_of_file(kerac, name, theirs), expected, rtol=1e-6)
    with (
        zipfile.ZipFile(theirs) as known,
        zipfile.ZipFile(tmp_path / "ours.keras") as written,
        h5py.File(io.BytesIO(known.read("model.weights.h5"))) as known_weights,
        h5py.File(io.BytesIO(written.read("model.weights.h5"))) as written_weights,
    ):
        assert sorted(written.namelist()) == sorted(known.namelist())
        for path in (p for p in known.namelist() if p.startswith("assets")):
            assert written.read(path) == known.read(path)
        assert set(contents(written_weights)) == set(contents(known_weights))


def contents(file: Any) -> list[str]:
    """The paths of all groups and arrays in an HDF5 file."""
    paths: list[str] = []
    file.visit(paths.append)
    return paths


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("StringLookup", {"max_tokens": 1}, "max_tokens is 1, but must exceed 1"),
    ("StringLookup", {"vocabulary": ["a", "a"]}, "holds 'a' more than once"),
    ("StringLookup", {"vocabulary": ["a", ""], "mask_token": ""}, "'' stands among the tokens"),
    ("StringLookup", {"vocabulary": ["a", "b"], "max_tokens": 2}, "has 3 tokens, but max_tokens"),
    ("StringLookup", {"invert": True, "output_mode": "count"}, "is inverted, but output_mode"),
    ("IntegerLookup", {"oov_method": "farmhash"}, "by a hash of their text"),
    ("TextVectorization", {"split": "words"}, "split is 'words', but one of"),
    ("TextVectorization", {"sparse": True}, "sparse=True is given"),
    ("Hashing", {"num_bins": 0}, "num_bins is 0, but must be positive"),
    ("Discretization", {}, "needs bin_boundaries, or num_bins"),
    ("CategoryEncoding", {"num_tokens": 0}, "num_tokens is 0"),
]


def test_a_model_that_reads_text_in_another(tmp_path: Path) -> None:
    inner, _ = classifier()
    text, number = kerac.Input((1,), dtype="string", name="text"), kerac.Input((2,), name="number")
    joined = kerac.layers.Concatenate()([inner(text), number])
    outer = kerac.Model([text, number], kerac.layers.Dense(2, name="end")(joined), name="outer")
    texts, numbers = np.array(TEXTS)[:, None], np.arange(10, dtype="float32").reshape(5, 2)
    assert [x.name for x in outer.layers if isinstance(x, kerac.Model)] == ["classifier"]
    first = inner.predict(texts, verbose=0)
    end = outer.get_layer("end")
    expected = np.concatenate([first, numbers], 1) @ end.kernel.numpy() + end.bias.numpy()
    np.testing.assert_allclose(outer.predict([texts, numbers], verbose=0), expected, atol=1e-5)
    outer.save(tmp_path / "outer.keras")
    again = kerac.models.load_model(tmp_path / "outer.keras")
    np.testing.assert_allclose(again.predict([texts, numbers], verbose=0), expected, atol=1e-5)
    outer.compile("adam", "mse")
    before = inner.get_weights()
    outer.fit([texts, numbers], np.zeros((5, 2), "float32"), verbose=0)
    assert not np.array_equal(before[0], inner.get_weights()[0])
    most = kerac.Model(outer.inputs, outer(outer.inputs)[:, :1] * 2.0)
    found = most.predict([texts, numbers], verbose=0)
    np.testing.assert_allclose(
        found, outer.predict([texts, numbers], verbose=0)[:, :1] * 2, atol=1e-5
    )


def test_one_reader_of_text_twice() -> None:
    inner, _ = classifier()
    texts = [kerac.Input((1,), dtype="string", name=name) for name in "ab"]
    pair = kerac.Model(texts, inner(texts[0]) - inner(texts[1]))
    arrays = [np.array(TEXTS)[:, None], np.array(TEXTS[::-1])[:, None]]
    found = pair.predict(arrays, verbose=0)
    expected = inner.predict(arrays[0], verbose=0) - inner.predict(arrays[1], verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_text_before_a_sequential_model() -> None:
    inner, _ = classifier()
    model = kerac.Sequential(
        [kerac.Input((1,), dtype="string"), inner, kerac.layers.Rescaling(3.0)]
    )
    texts = np.array(TEXTS)[:, None]
    found = model.predict(texts, verbose=0)
    np.testing.assert_allclose(found, inner.predict(texts, verbose=0) * 3, atol=1e-6)


@pytest.mark.parametrize(("name", "arguments", "message"), MISTAKES)
def test_mistakes(name: str, arguments: Any, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        getattr(kerac.layers, name)(**arguments)


def test_models_that_cannot_read_text() -> None:
    text = kerac.Input((1,), dtype="string")
    with pytest.raises(CompileError, match="has no vocabulary yet"):
        kerac.layers.StringLookup(output_mode="count")(text)
    lookup = kerac.layers.StringLookup(vocabulary=["a"], invert=True)
    number = kerac.Input((1,), dtype="int64")
    with pytest.raises(UnsupportedError, match="is text where the network reads or returns it"):
        kerac.Model(number, lookup(number))
    missing = kerac.layers.StringLookup(vocabulary=["a"], num_oov_indices=0)
    with pytest.raises(CompileError, match="meets 'b', but the vocabulary does not have it"):
        missing(np.array(["a", "b"]))
    with pytest.raises(ShapeError, match="reads one text a row"):
        kerac.layers.TextVectorization()(np.array(WORDS))
    layer = kerac.layers.TextVectorization(standardize=lambda x: x, vocabulary=["a"])
    with pytest.raises(UnsupportedError, match="a file holds no code"):
        layer.get_config()
