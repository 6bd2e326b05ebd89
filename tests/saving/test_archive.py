"""`.keras` archives: what is read, and what is refused with which words."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kerac.ir.errors import FormatError
from kerac.saving.archive import read_archive, read_folder
from kerac.saving.limits import KIBI, MEBI, Limits
from kerac.saving.source import Storage

MEMBERS = {
    "metadata.json": b'{"keras_version": "3.0.0"}',
    "config.json": b"{}",
    "model.weights.h5": bytes(range(256)) * 40,
}


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def refusal(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(FormatError) as caught:
        read_archive(data, limits or Limits())
    return str(caught.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_read(compression: int, tmp_path: Path) -> None:
    data = zipped({**MEMBERS, "assets/vocabulary.txt": b"a\nb"}, compression)
    path = tmp_path / "model.keras"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        archive = read_archive(source)
        assert archive.config == MEMBERS["config.json"]
        assert archive.metadata == MEMBERS["metadata.json"]
        stored = Storage(archive.weights)
        assert stored.read_at(0, stored.size) == MEMBERS["model.weights.h5"]
    assert read_archive(path).weights_label == f"{path}:model.weights.h5"


def test_weights_stay_in_the_file_while_it_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(zipped(MEMBERS))
    stored = Storage(read_archive(path).weights)
    whole = MEMBERS["model.weights.h5"]
    assert stored.read_at(1, 2) == whole[1:3]
    with pytest.raises(FormatError, match="truncated"):
        stored.read_at(1, len(whole))
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(FormatError, match="changed while it was read"):
        stored.read_at(0, 1)


def test_weights_in_the_file_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    data = zipped(MEMBERS)
    place = data.index(MEMBERS["model.weights.h5"])
    path.write_bytes(data[:place] + b"?" + data[place + 1 :])
    with pytest.raises(FormatError, match="CRC"):
        read_archive(path)


def test_metadata_may_be_missing() -> None:
    members = {name: data for name, data in MEMBERS.items() if name != "metadata.json"}
    assert read_archive(zipped(members)).metadata is None


@pytest.mark.parametrize("missing", ["config.json", "model.weights.h5"])
def test_a_missing_member_is_named(missing: str) -> None:
    members = {name: data for name, data in MEMBERS.items() if name != missing}
    message = refusal(zipped(members))
    assert message.startswith(f"the given bytes: has no {missing}\n    it has: ")
    assert all(name in message for name in members)


def test_weights_in_numpy_format_are_named() -> None:
    members = {**MEMBERS, "model.weights.npz": b""}
    del members["model.weights.h5"]
    assert "its weights are in NumPy's format (model.weights.npz)" in refusal(zipped(members))


def test_what_is_no_zip_says_so() -> None:
    assert "is not a zip file, but a .keras archive is one" in refusal(
        b"\x89HDF\r\n\x1a\n" + bytes(100)
    )
    assert "is not a zip file" in refusal(b"")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_archive_says_so(part: float) -> None:
    data = zipped(MEMBERS)
    message = refusal(data[: int(len(data) * part)])
    assert "begins as a zip file, but is truncated or damaged" in message


def test_damaged_data_is_found_by_its_checksum() -> None:
    data = bytearray(zipped(MEMBERS))
    data[data.index(bytes(range(200))) + 7] ^= 1
    assert "truncated or damaged" in refusal(bytes(data))


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a\\b",
        "C:/x",
        "./x",
        "a//b",
        "a/./b",
        "..",
        "\\\\host\\x",
    ],
)
def test_odd_names_are_refused(name: str) -> None:
    message = refusal(zipped({**MEMBERS, name: b""}))
    assert f"has a member named {name!r}, but names must be plain paths" in message


def test_names_with_a_zero_byte_are_refused() -> None:
    data = zipped({**MEMBERS, "config.jsonXevil": b"{}"}).replace(b"jsonXevil", b"json\0evil")
    assert "has a member named 'config.json\\x00evil'" in refusal(data)


def test_members_that_are_there_twice_are_refused() -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for _ in range(2):
            for name, data in MEMBERS.items():
                archive.writestr(name, data)
    message = refusal(buffer.getvalue())
    assert "has metadata.json, config.json, model.weights.h5 more than once" in message


def patched(data: bytes, change: Callable[[bytearray, int, int], None], name: bytes) -> bytes:
    """The archive with something changed in both headers of a member: (data, position, shift)."""
    changed = bytearray(data)
    change(changed, data.index(name) - 30, 0)
    change(changed, data.rindex(name) - 46, 2)
    return bytes(changed)


def test_encrypted_members_are_refused() -> None:
    def encrypt(data: bytearray, at: int, shift: int) -> None:
        data[at + 6 + shift] |= 1

    message = refusal(patched(zipped(MEMBERS), encrypt, b"config.json"))
    assert "config.json is encrypted, but a .keras archive is not" in message


def test_other_compressions_are_refused() -> None:
    message = refusal(zipped(MEMBERS, zipfile.ZIP_BZIP2))
    assert "config.json is compressed by method 12, but only deflate is read" in message


def test_bombs_are_refused_by_what_they_declare() -> None:
    bomb = zipped({**MEMBERS, "model.weights.h5": bytes(100 * MEBI)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < MEBI
    assert "model.weights.h5 grows from 99.5 KiB to 100 MiB" in refusal(bomb, Limits(expansion=100))
    message = refusal(bomb, Limits(weights_bytes=50 * MEBI))
    assert "model.weights.h5 has 100 MiB, but the limit is 50 MiB" in message


def test_bombs_are_stopped_where_they_declare_less() -> None:
    def shrink(data: bytearray, at: int, shift: int) -> None:
        struct.pack_into("<I", data, at + 22 + shift, 1000)

    bomb = zipped({**MEMBERS, "model.weights.h5": bytes(MEBI)}, zipfile.ZIP_DEFLATED)
    message = refusal(patched(bomb, shrink, b"model.weights.h5"))
    assert "truncated or damaged" in message or "is larger than the 1000 bytes" in message


def test_a_long_config_is_refused() -> None:
    message = refusal(
        zipped({**MEMBERS, "config.json": bytes(2 * KIBI)}), Limits(config_bytes=KIBI)
    )
    assert "config.json has 2 KiB, but the limit is 1 KiB" in message


def test_a_large_directory_is_refused() -> None:
    data = zipped({**MEMBERS, **{f"assets/{i:0200}": b"" for i in range(100)}})
    assert "its directory has" in refusal(data, Limits(members=10))
    assert read_archive(data).config == b"{}"


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"model\.keras: cannot be read: No such file"):
        read_archive(tmp_path / "model.keras")


def test_folders_are_read(tmp_path: Path) -> None:
    for name, data in MEMBERS.items():
        (tmp_path / name).write_bytes(data)
    assert read_folder(tmp_path).weights == MEMBERS["model.weights.h5"]
    with pytest.raises(FormatError, match=r"model\.weights\.h5 has 10 KiB, but the limit is 1 KiB"):
        read_folder(tmp_path, Limits(weights_bytes=KIBI))
    (tmp_path / "config.json").unlink()
    with pytest.raises(FormatError, match=r"has no config\.json"):
        read_folder(tmp_path)
    (tmp_path / "config.json").symlink_to(tmp_path / "metadata.json")
    with pytest.raises(FormatError, match=r"config\.json must be a file of this folder"):
        read_folder(tmp_path)
