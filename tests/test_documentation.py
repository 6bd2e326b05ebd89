"""The documentation is true: programs run, lists are complete, links lead somewhere."""

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kerac.layers.base import REGISTRY

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
# Models are layers too, and Layer's subclasses of tests and users are known by their module.
CONTAINERS = {"Functional", "Model", "Sequential"}


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(text: str = README) -> list[list[str]]:
    lines = [line for block in blocks("console", text) for line in block.splitlines()]
    return [shlex.split(line[2:].split(" | ")[0]) for line in lines if line.startswith("$ ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the examples lie as in the repository, and model.keras beside them."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shutil.copy(ROOT / "examples" / "digits" / "digits.keras", tmp_path / "model.keras")
    return tmp_path


def quotations() -> list[tuple[str, str]]:
    """Code on a page under a comment with the path of the file that it stands in."""
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    texts = [block for page in pages for block in blocks("python", page)]
    quoted = [re.match(r"# ([\w/]+\.py)\n(.*)", text, re.DOTALL) for text in texts]
    return [(found[1], found[2]) for found in quoted if found]


def require(program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [
        target
        for target in targets
        if target and "://" not in target and not (page.parent / target).exists()
    ]
    assert missing == []


@pytest.mark.parametrize(("path", "code"), quotations())
def test_quoted_code_stands_in_its_file(path: str, code: str) -> None:
    assert code in (ROOT / path).read_text(encoding="utf-8")


def test_the_table_of_layers_is_complete() -> None:
    table = README.partition("| kind | layers |")[2].partition("\n\n")[0]
    written = re.findall(r"`(\w+)`", table)
    own = {name for name, cls in REGISTRY.items() if cls.__module__.startswith("kerac.")}
    known = {name for name in own if not name.startswith("ops.")} - CONTAINERS
    assert sorted(written) == sorted(known)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda text: text.split()[1])
def test_python_runs(block: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})
    for said in re.findall(r"^print\(.*  # (.*[\])])$", block, re.MULTILINE):
        assert said in printed.getvalue()


@pytest.mark.slow
def test_the_commands_run(folder: Path) -> None:
    """All of the README's console blocks in their order, the C program between them."""
    require("cc")
    (folder / "example.c").write_text(blocks("c")[0], encoding="utf-8")
    for words in commands():
        if "custom.keras" in words:
            continue    # a model that this page does not make
        program = [sys.executable, "-m", "kerac"] if words[0] == "kerac" else [words[0]]
        done = subprocess.run(
            [*program, *words[1:]], cwd=folder, check=True, capture_output=True, text=True
        )
        if words == ["./example"]:
            assert f"$ ./example\n{done.stdout}" in README


def test_the_c_program_has_no_warnings(folder: Path) -> None:
    require("cc")
    import kerac

    kerac.compile_library(folder / "model.keras", folder / "digits.o")
    (folder / "example.c").write_text(blocks("c")[0], encoding="utf-8")
    strict = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    command = ["cc", *strict, "example.c", "digits.o", "-lm", "-o", "example"]
    subprocess.run(command, cwd=folder, check=True)
    output = subprocess.run(["./example"], cwd=folder, check=True, capture_output=True).stdout
    assert output == b"3: 1.000\n"
