"""Texts as numbers, beside Keras's own functions."""

import numpy as np
import pytest
from keras.src.legacy.preprocessing import text as reference

from kerac.ir.errors import CompileError, FormatError
from kerac.preprocessing import text

WORDS = ["the", "a", "film", "was", "good", "Not,", "really?", "MY", "wife's", "sat;", "on\tit."]


def random_texts(seed: int, count: int = 8) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS, draw.integers(0, 12))) for _ in range(count)]


ARGUMENTS = [
    {},
    {"num_words": 5},
    {"num_words": 5, "oov_token": "<OOV>"},
    {"oov_token": "<OOV>"},
    {"char_level": True, "num_words": 9},
    {"lower": False, "filters": "?"},
    {"split": "a"},
    {"analyzer": lambda line: line.split("o")},
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
@pytest.mark.parametrize("seed", range(3))
def test_tokenizer(arguments: dict, seed: int) -> None:
    ours, theirs = text.Tokenizer(**arguments), reference.Tokenizer(**arguments)
    for part in (random_texts(seed), [["the", "Film"], ["x"]]):
        ours.fit_on_texts(part)
        theirs.fit_on_texts(part)
    for name in ("word_index", "index_word", "word_counts", "word_docs", "index_docs"):
        assert dict(getattr(ours, name)) == dict(getattr(theirs, name))
    unseen = [*random_texts(seed + 100), "unseen words", ["the", "unseen"]]
    sequences = ours.texts_to_sequences(unseen)
    assert sequences == theirs.texts_to_sequences(unseen)
    longer = [*sequences, [1, 500, 3]]
    assert ours.sequences_to_texts(longer) == theirs.sequences_to_texts(longer)
    for mode in text.MODES:
        np.testing.assert_allclose(
            ours.texts_to_matrix(unseen, mode), theirs.texts_to_matrix(unseen, mode)
        )


def test_tokenizers_travel_both_ways() -> None:
    ours, theirs = text.Tokenizer(9, oov_token="?"), reference.Tokenizer(9, oov_token="?")
    texts = random_texts(5)
    ours.fit_on_texts(texts)
    theirs.fit_on_texts(texts)
    ours.fit_on_sequences([[1, 2, 2], [2]])
    theirs.fit_on_sequences([[1, 2, 2], [2]])
    here, there = (
        text.tokenizer_from_json(theirs.to_json()),
        reference.tokenizer_from_json(ours.to_json()),
    )
    for mode in text.MODES:
        expected = theirs.texts_to_matrix(texts, mode)
        np.testing.assert_allclose(here.texts_to_matrix(texts, mode), expected)
        np.testing.assert_allclose(there.texts_to_matrix(texts, mode), expected)


@pytest.mark.parametrize("json", ["", "[]", "{}", '{"config": {"word_counts": "[]"}}', "[" * 9999])
def test_what_is_no_tokenizer(json: str) -> None:
    with pytest.raises(FormatError, match="no tokenizer"):
        text.tokenizer_from_json(json)


@pytest.mark.parametrize("hash_function", [None, "md5", len])
def test_hashing(hash_function: object) -> None:
    line = random_texts(3)[0]
    assert text.hashing_trick(line, 20, hash_function) == reference.hashing_trick(
        line, 20, hash_function
    )
    assert text.one_hot(line, 20) == reference.one_hot(line, 20)


def test_mistakes() -> None:
    with pytest.raises(CompileError, match="has no argument 'words'"):
        text.Tokenizer(words=3)
    with pytest.raises(CompileError, match="mode is 'rare'"):
        text.Tokenizer(3).texts_to_matrix(["a"], "rare")
    with pytest.raises(CompileError, match="neither is num_words"):
        text.Tokenizer().texts_to_matrix(["a"])
    with pytest.raises(CompileError, match="no texts were counted"):
        text.Tokenizer(3).texts_to_matrix(["a"], "tfidf")
    with pytest.raises(CompileError, match="hash_function is 'sha1'"):
        text.hashing_trick("a", 3, "sha1")
    with pytest.warns(DeprecationWarning, match="num_words"):
        assert text.Tokenizer(nb_words=4).num_words == 4
