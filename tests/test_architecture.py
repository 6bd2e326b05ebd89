"""The walls of the house: who imports whom, how long things are, what is installed."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS: dict[str, str] = PROJECT["tool"]["setuptools"]["package-dir"]

# What each folder may import of ours, itself aside.
ARROWS = {
    "frontend": {"ir", "passes", "backends", "runtime"},
    "passes": {"ir"},
    "backends": {"ir", "runtime"},
    "ir": set(),
    "runtime": set(),
}
# Libraries that stay behind one wall, so that they can be replaced there.
ONLY_IN = {
    "llvmlite": "backends/llvm",
    "onnx": "backends/onnx",
    "h5py": "frontend/saving",
    "pyfive": "frontend/saving",
    "click": "frontend/command_line",
}
# Not needed to run; used where installed: to check and time exports, to link, to fetch data...
OPTIONAL = {"onnxruntime", "openvino", "ziglang", "pooch", "requests", "PIL", "matplotlib"}
SLOW_TO_IMPORT = {
    "llvmlite", "onnx", "h5py", "pyfive", "networkx", "rich", "click", "keras", "onnxruntime",
    "pooch", "requests", "PIL", "matplotlib",
}  # fmt: skip

SOURCES = sorted(path for folder in ARROWS for path in (ROOT / folder).rglob("*.py"))
OTHERS = sorted(p for f in ("tests", "examples", "benchmarks") for p in (ROOT / f).rglob("*.py"))
TEXTS = sorted(
    path
    for folder in (*ARROWS, "tests", "examples", "benchmarks", "docs", ".ci")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".c", ".h", ".md", ".txt", ".html", ".css", ".js", ".toml", ""}
    and path.is_file()
)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, at its top or inside functions, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if module == "kerac":    # `from kerac import ir` reads a package, not a name of it
                yield from ((node.lineno, f"kerac.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def home(module: str) -> str:
    """The folder at the root that a module of ours lives in."""
    package = max((p for p in FOLDERS if f"{module}.".startswith(f"{p}.")), key=len)
    return FOLDERS[package]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_follow_the_arrows(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    for line, module in imports(path):
        if module.split(".")[0] == "kerac":
            target = home(module)
            allowed = target == folder or target in ARROWS[folder]
            assert allowed, f"{name(path)}:{line}: {folder} must not import {module}"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_are_absolute_declared_and_behind_their_walls(path: Path) -> None:
    declared = {re.match(r"\w+", entry)[0] for entry in PROJECT["project"]["dependencies"]}
    known = set(sys.stdlib_module_names) | declared | OPTIONAL | {"kerac"}
    for line, module in imports(path):
        library = module.split(".")[0]
        where = f"{name(path)}:{line}"
        assert library in known, f"{where}: {module} is relative, or no dependency of kerac"
        wall = ONLY_IN.get(library, "")
        assert name(path).startswith(wall), f"{where}: {library} is imported in {wall} alone"
        if path.is_relative_to(ROOT / "runtime") and library in declared:
            assert library == "numpy", f"{where}: runtime imports numpy alone, not {library}"


@pytest.mark.parametrize("path", SOURCES + OTHERS, ids=name)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    assert lines <= 400, f"{name(path)} has {lines} lines, but 400 is the limit"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            place = f"{name(path)}:{node.lineno}: {node.name}"
            assert length <= 50, f"{place} has {length} lines, but 50 is the limit"


def test_every_package_is_installed() -> None:
    found = {
        ".".join([package, *init.parent.relative_to(ROOT / folder).parts])
        for package, folder in FOLDERS.items()
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert PROJECT["tool"]["setuptools"]["packages"] == sorted(found)


def test_every_folder_of_modules_is_a_package() -> None:
    loose = {name(path.parent) for path in SOURCES if not (path.parent / "__init__.py").exists()}
    assert not loose, f"folders that hold modules but no __init__.py: {sorted(loose)}"


@pytest.mark.parametrize("path", [p for p in TEXTS if "golden" not in p.parts], ids=name)
def test_nothing_names_a_machine_or_is_left_for_later(path: Path) -> None:
    unwanted = re.compile(r"(?<![\w.])/(work|root|home|Users)/\w|\b(TOD[O]|FIXM[E])\b")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = unwanted.search(line)
        assert not found, f"{name(path)}:{number}: {line.strip()}"


def test_importing_kerac_imports_nothing_slow() -> None:
    program = f"import sys, kerac; print(*sorted({SLOW_TO_IMPORT!r} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
