"""Loading libraries: a real one, files that only look like one, and one that was replaced."""

import ctypes
import re
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerac.runtime import InputError, LibraryError, load
from kerac.runtime.abi import ABI_VERSION
from tests.runtime.conftest import HAND

BIAS = np.array([1, -5, 0], np.float32)
Builder = Callable[..., Path]


def expected(x: np.ndarray) -> np.ndarray:
    return np.maximum(2 * x + BIAS, 0)


def test_a_library_runs(library: Path) -> None:
    model = load(library)
    x = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    y, flat = model(x, BIAS)
    np.testing.assert_array_equal(y, expected(x))
    np.testing.assert_array_equal(flat, expected(x).ravel())
    assert (flat.dtype, flat.shape) == (np.int32, (6,))


def test_a_library_describes_itself(library: Path) -> None:
    assert load(library).info == HAND


def test_errors_of_a_run_and_of_output_shape_arrive(library: Path) -> None:
    model = load(library)
    with pytest.raises(InputError, match="is empty on axis 0"):
        model(np.zeros((0, 3)), BIAS)


def test_the_exported_functions_check_their_arguments(library: Path) -> None:
    functions = ctypes.CDLL(str(library))
    functions.hand_workspace_size.restype = ctypes.c_size_t
    functions.hand_workspace_size.argtypes = [ctypes.c_int64]
    assert functions.hand_workspace_size(2) == 24
    assert functions.hand_workspace_size(0) == functions.hand_workspace_size(-1) == 0
    run = functions.hand_run
    run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    assert run(None, None, 1, None) == 1


def test_many_threads_share_one_library(library: Path) -> None:
    model, failures = load(library), []

    def work(seed: int) -> None:
        generator = np.random.default_rng(seed)
        for _ in range(50):
            x = generator.normal(size=(generator.integers(1, 200), 3)).astype(np.float32)
            if not np.array_equal(model(x, BIAS)[0], expected(x)):
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(model._free) <= 8


def test_a_replaced_file_is_loaded_anew(
    library: Path, compile_library: Builder, tmp_path: Path
) -> None:
    path = tmp_path / "model.so"
    path.write_bytes(library.read_bytes())
    first = load(path)
    for number in range(3):
        # the same model that says another producer, so that the two can be told apart
        changed = library.read_bytes().replace(b"a test\0", b"test %d\0" % number)
        (tmp_path / "new").write_bytes(changed)
        (tmp_path / "new").replace(path)
        assert load(path).info.producer == f"test {number}"
        assert load(path).info.producer == f"test {number}"
    assert first.info.producer == "a test"
    assert first(np.ones((1, 3)), BIAS)[0].shape == (1, 3)


def test_relative_paths_and_links(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(library.parent)
    assert load("hand.so").info == HAND
    link = tmp_path / "link.so"
    link.symlink_to(library)
    assert load(link).info == HAND


def test_files_that_are_no_libraries(tmp_path: Path) -> None:
    file = tmp_path / "model.so"
    with pytest.raises(LibraryError, match="cannot be read: No such file or directory"):
        load(file)
    with pytest.raises(LibraryError, match="cannot be read: Is a directory"):
        load(tmp_path)
    for content in (b"", b"\x7fEL", b"PK\3\4 a zip archive", b"\0" * 100):
        file.write_bytes(content)
        with pytest.raises(LibraryError, match="is not a shared library"):
            load(file)


def test_libraries_of_others(compile_library: Builder) -> None:
    with pytest.raises(LibraryError, match="not made by kerac: it exports no kerac_library_info"):
        load(compile_library("-DANONYMOUS"))


def test_libraries_of_other_versions(compile_library: Builder) -> None:
    path = compile_library("-DVERSION=7")
    with pytest.raises(LibraryError) as error:
        load(path)
    assert str(error.value) == (
        f"{path}: the library has version 7 of the interface, but {ABI_VERSION} is read here\n"
        "  Compile the model again with this version of kerac."
    )


@pytest.mark.parametrize(
    ("offset", "value", "text"),
    [
        (
            18,
            183 if sys.platform != "aarch64" else 62,
            "is a library for aarch64 with 64 bits, but",
        ),
        (18, 9999, "is a library for machine number 9999 with 64 bits, but"),
        (16, 2, "is an ELF file of type 2, but only a shared library"),
        (16, 1, "is an object file, but only a shared library"),
    ],
)
def test_headers_of_other_kinds(
    offset: int, value: int, text: str, library: Path, tmp_path: Path
) -> None:
    content = bytearray(library.read_bytes())
    struct.pack_into("<H", content, offset, value)
    (tmp_path / "model.so").write_bytes(content)
    with pytest.raises(LibraryError, match=re.escape(text)):
        load(tmp_path / "model.so")


def test_truncated_libraries_are_refused_and_do_not_crash(library: Path, tmp_path: Path) -> None:
    content, file = library.read_bytes(), tmp_path / "model.so"
    for size in [*range(4, 64, 7), *range(64, len(content), 997), len(content) - 1]:
        file.write_bytes(content[:size])
        with pytest.raises(LibraryError):
            load(file)
