"""Fetching files from a server in this process, and what may go wrong on the way."""

import functools
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import kerac
from kerac.ir.errors import CompileError, FormatError

pytest.importorskip("pooch", reason="pooch is not installed")
CONTENTS = bytes(range(256)) * 100
SHA256 = hashlib.sha256(CONTENTS).hexdigest()
MD5 = hashlib.md5(CONTENTS).hexdigest()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder; those called `short` end before their time."""

    def do_GET(self) -> None:
        self.server.served.append(self.path)
        if self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENTS)))
            self.end_headers()
            self.wfile.write(CONTENTS[:100])
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[http.server.HTTPServer]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "data.bin").write_bytes(CONTENTS)
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.served, running.folder = [], folder
        running.address = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize("digest", [SHA256, MD5, None])
def test_a_file_is_fetched_once(server: http.server.HTTPServer, home: Path, digest: str) -> None:
    for _ in range(2):
        path = kerac.utils.get_file("x.bin", f"{server.address}/data.bin", file_hash=digest)
        assert Path(path) == home / "datasets" / "x.bin"
        assert Path(path).read_bytes() == CONTENTS
    assert len(server.served) == 1
    kerac.utils.get_file(origin=f"{server.address}/data.bin", cache_dir=home, cache_subdir="a/b")
    assert (home / "a" / "b" / "data.bin").exists()


def test_a_damaged_file_in_the_cache_is_fetched_anew(
    server: http.server.HTTPServer, home: Path
) -> None:
    (home / "datasets").mkdir(parents=True)
    (home / "datasets" / "data.bin").write_bytes(b"old")
    path = kerac.utils.get_file(origin=f"{server.address}/data.bin", file_hash=SHA256)
    assert Path(path).read_bytes() == CONTENTS


@pytest.mark.parametrize(
    ("path", "digest", "message"),
    [
        ("data.bin", "0" * 64, "has another sha256 than expected"),
        ("short", SHA256, "cannot be fetched|has another sha256"),
        ("absent", SHA256, "cannot be fetched: the server says 404"),
    ],
)
def test_what_arrives_wrong_leaves_nothing(
    server: http.server.HTTPServer, home: Path, path: str, digest: str, message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        kerac.utils.get_file(origin=f"{server.address}/{path}", file_hash=digest)
    assert list((home / "datasets").iterdir()) == []


def test_no_network(home: Path) -> None:
    with pytest.raises(FormatError, match=r"cannot be fetched: .*\n.*put the file at"):
        kerac.utils.get_file(origin="http://127.0.0.1:9/data.bin", file_hash=SHA256)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs origin"),
        ({"origin": "file:///etc/hosts"}, "names 'file'"),
        ({"origin": "http://x/a", "fname": "../a"}, "the name of a file in the cache"),
        ({"origin": "http://x/a", "file_hash": "12"}, "file_hash has 2 digits"),
    ],
)
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        kerac.utils.get_file(**arguments)


def tar_of(name: str, contents: bytes, link: str = "") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = 0 if link else len(contents)
        if link:
            member.type, member.linkname = tarfile.SYMTYPE, link
        archive.addfile(member, io.BytesIO(contents))
    return file.getvalue()


def zip_of(name: str, contents: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, contents)
    return file.getvalue()


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_archives_are_unpacked(server: http.server.HTTPServer, home: Path, pack) -> None:
    (server.folder / "all.tgz").write_bytes(pack("inner/a.txt", b"hello"))
    folder = kerac.utils.get_file(origin=f"{server.address}/all.tgz", extract=True)
    assert (Path(folder) / "inner" / "a.txt").read_bytes() == b"hello"


@pytest.mark.parametrize(
    "contents",
    [
        tar_of("../a", b""), tar_of("a", b"", link="/etc"), zip_of("../a", b""), b"no archive",
    ],
    ids=["tar above", "tar link", "zip above", "no archive"],
)  # fmt: skip
def test_hostile_archives(server: http.server.HTTPServer, home: Path, contents: bytes) -> None:
    (server.folder / "all.tgz").write_bytes(contents)
    with pytest.raises(FormatError, match=r"all_archive: "):
        kerac.utils.get_file(origin=f"{server.address}/all.tgz", extract=True)
    assert [path.name for path in (home / "datasets").iterdir()] == ["all_archive"]
