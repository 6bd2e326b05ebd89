"""Object code is kept by content, and never trusted blindly."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kerac
from kerac.backends.llvm import object_code, worker
from kerac.backends.llvm.code_cache import CodeCache, key_of
from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.module import build_modules
from kerac.backends.llvm.target import find_target
from kerac.ir import Graph, parse

TEXT = """
def net(x: f32[N, 3]):
    kernel: f32[3, 2] = constant([[1.0, -1.0], [0.5, 2.0], [-1.0, {last}]])
    return dense(x, kernel, activation="tanh")
"""
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def graph(last: float = 0.25) -> Graph:
    return parse(TEXT.format(last=last))


def expected(last: float = 0.25) -> np.ndarray:
    return np.tanh(X @ np.array([[1, -1], [0.5, 2], [-1, last]], np.float32))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CodeCache:
    monkeypatch.setenv("KERAC_CACHE", str(tmp_path / "cache"))
    return CodeCache.of_user()


@pytest.fixture
def forbid_llvm(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called, it lets no more code be made."""

    def refuse(*arguments: object) -> bytes:
        raise AssertionError("code was made anew")

    def forbid() -> None:
        monkeypatch.setattr(object_code, "emit_object", refuse)
        monkeypatch.setattr(worker, "_emit_in_child", refuse)

    return forbid


def test_code_is_made_once(cache: CodeCache, forbid_llvm: Callable[[], None]) -> None:
    np.testing.assert_allclose(kerac.compile(graph())(X), expected(), rtol=1e-5)
    forbid_llvm()
    # weights are no part of code
    np.testing.assert_allclose(kerac.compile(graph(7.0))(X), expected(7.0), rtol=1e-5)
    with pytest.raises(AssertionError, match="anew"):
        kerac.compile(parse(TEXT.format(last=1).replace("tanh", "relu")))


def test_libraries_share_code(
    cache: CodeCache, forbid_llvm: Callable[[], None], tmp_path: Path
) -> None:
    for folder, last in (("a", 0.25), ("b", 3.0)):
        (tmp_path / folder).mkdir()
        kerac.compile_library(graph(last), tmp_path / folder / "net.so", target="native")
        loaded = kerac.load(tmp_path / folder / "net.so")
        np.testing.assert_allclose(loaded(X), expected(last), rtol=1e-5)
        forbid_llvm()


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 5000])
def test_damaged_entries_are_made_anew(cache: CodeCache, damage: bytes) -> None:
    kerac.compile(graph())
    paths = [Path(entry.path) for entry in cache.entries()]
    whole = {path: path.read_bytes() for path in paths}
    assert paths
    for path in paths:
        path.write_bytes(damage)
    np.testing.assert_allclose(kerac.compile(graph())(X), expected(), rtol=1e-5)
    assert all(path.read_bytes() == content for path, content in whole.items() if path.exists())


def test_an_entry_under_another_name_is_not_taken(cache: CodeCache) -> None:
    cache.put("a" * 64, b"code")
    assert cache.folder is not None
    os.replace(cache.folder / ("a" * 64), cache.folder / ("b" * 64))
    assert cache.get("b" * 64) is None


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_folders_that_others_can_open_are_not_used(cache: CodeCache) -> None:
    cache.put("key", b"code")
    assert cache.folder is not None
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert cache.get("key") == b"code"
    cache.folder.chmod(0o750)
    assert cache.get("key") is None
    cache.put("other", b"code")
    assert not (cache.folder / "other").exists()


def test_the_oldest_make_room(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path / "code", largest=400)
    for number in range(3):
        cache.put(f"key{number}", b"x" * 100)
        os.utime(tmp_path / "code" / f"key{number}", (number, number))
    assert cache.get("key0") is not None  # used now, so key1 is the oldest
    cache.put("key3", b"x" * 100)
    assert cache.get("key1") is None
    assert all(cache.get(key) for key in ("key0", "key2", "key3"))
    assert cache.size <= cache.largest
    cache.put("huge", b"x" * 401)
    assert cache.get("huge") is None
    assert cache.clear() == 3
    assert cache.size == 0


def test_many_writers(tmp_path: Path) -> None:
    code = os.urandom(100_000)

    def use(number: int) -> bool:
        cache = CodeCache(tmp_path / "code", largest=1_000_000)
        key = f"key{number % 15}"
        cache.put(key, code)
        return cache.get(key) in (None, code)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(200)))
    assert CodeCache(tmp_path / "code").size <= 1_000_000


def test_off_and_folders_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAC_CACHE", "off")
    assert CodeCache.of_user().folder is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAC_CACHE", str(tmp_path / "file"))
    np.testing.assert_allclose(kerac.compile(graph())(X), expected(), rtol=1e-5)
    monkeypatch.setenv("KERAC_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert CodeCache.of_user().folder == tmp_path / "kerac" / "code"


def test_keys_say_what_code_follows_from() -> None:
    target = find_target()
    keys = {
        key_of("text", target),
        key_of("text ", target),
        key_of("text", replace(target, cpu="another")),
        key_of("text", replace(target, features="")),
    }
    assert len(keys) == 4


PROGRAM = f"""
from kerac.backends.llvm.code_cache import key_of
from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.module import build_modules
from kerac.backends.llvm.target import find_target
from kerac.ir import parse
target = find_target()
plan = lower_graph(parse({TEXT.format(last=0.5)!r}), target)
print(key_of(build_modules({{target: plan}}, "net", in_memory=True).texts[target], target))
"""


def test_texts_are_the_same_in_every_process() -> None:
    target = find_target()
    modules = build_modules({target: lower_graph(graph(), target)}, "net", in_memory=True)
    for seed in "1", "2":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True
        )
        assert done.stdout.decode().strip() == key_of(modules.texts[target], target)
