"""Ahead of time: plans as object code with their weights inside, and linking."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kerac.backends.llvm.module import build_modules
from kerac.backends.llvm.plan import Plan
from kerac.backends.llvm.target import Target
from kerac.backends.llvm.weights_section import fill_section
from kerac.backends.llvm.worker import emit_in_children
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.runtime import ModelInfo

LARGEST_WEIGHTS = (1 << 31) - (1 << 24)  # bytes that code can reach around itself


class LinkError(CompileError):
    """No linker was found, or it failed."""


def write_objects(
    plans: Mapping[Target, Plan], name: str, folder: Path, threads: bool = True
) -> tuple[list[Path], ModelInfo]:
    """Object files in `folder` with functions that begin with `name`, and their description.

    There is one for each target; the first holds what all share, weights included.
    """
    modules = build_modules(plans, name, threads=threads)
    size = modules.weights.size
    if size > LARGEST_WEIGHTS:
        raise UnsupportedError(
            f"{name}: its weights have {size:,} bytes, but a library holds {LARGEST_WEIGHTS:,}"
        )
    objects = emit_in_children(modules.texts, folder, name)
    fill_section(objects[0], modules.weights)
    return objects, modules.information


def find_compiler() -> list[str]:
    """The command of a C compiler that can link: `$CC`, `cc`, or the one that ziglang carries."""
    chosen = os.environ.get("CC", "").split()
    if chosen and shutil.which(chosen[0]):
        return chosen
    for command in ("cc", "gcc", "clang"):
        if shutil.which(command):
            return [command]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise LinkError(
        "no linker was found: looked for $CC, cc, gcc, clang and the Python package ziglang",
        remedy="Install a C compiler, or: pip install 'kerac[cross]'. "
        "An object (.o) with one --target needs no linker.",
    )


def link_library(objects: Sequence[Path], output: Path, library_name: str) -> None:
    """Make the shared library `output` from objects; the loader knows it as `library_name`."""
    flags = ["-shared", f"-Wl,-soname,{library_name}", "-Wl,-z,noexecstack", "-Wl,--no-undefined"]
    parts = map(str, objects)
    _run([*find_compiler(), *flags, "-o", str(output), *parts, "-lm", "-pthread"], "link")


def join_objects(objects: Sequence[Path], output: Path) -> None:
    """Make one object of several."""
    if len(objects) == 1:
        shutil.copyfile(objects[0], output)
        return
    parts = map(str, objects)
    _run([*find_compiler(), "-r", "-nostdlib", "-o", str(output), *parts], "link")


def join_library(objects: Sequence[Path], output: Path, path: Path) -> None:
    """Make the library `output` of objects, of the kind that the ending of `path` says."""
    if path.suffix == ".so":
        link_library(objects, output, path.name)
    elif path.suffix == ".a":
        make_archive(objects, output)
    else:
        join_objects(objects, output)


def compile_c(source: Path, output: Path) -> None:
    """Make an object of a program in C."""
    flags = ["-std=gnu99", "-O2", "-fPIC", "-Wall", "-Wextra", "-c"]
    _run([*find_compiler(), *flags, "-o", str(output), str(source)], "compile")


def make_archive(objects: Sequence[Path], output: Path) -> None:
    """Make the static library `output` from object files."""
    archiver = os.environ.get("AR", "").split() or ["ar"]
    if not shutil.which(archiver[0]):
        if not importlib.util.find_spec("ziglang"):
            raise LinkError(
                "no archiver was found: looked for $AR, ar and the Python package ziglang",
                remedy="Install binutils, or: pip install 'kerac[cross]'. "
                "Objects (.o) need no archiver.",
            )
        archiver = [sys.executable, "-m", "ziglang", "ar"]
    output.unlink(missing_ok=True)
    _run([*archiver, "rcs", str(output), *map(str, objects)], "archive")


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise LinkError(
            f"{what}: {command[0]} failed with status {done.returncode}", details=tuple(said[:20])
        )
