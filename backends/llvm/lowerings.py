"""The files that lower ops, one a family; importing them registers their functions."""

from __future__ import annotations

import importlib
import pkgutil

import kerac.backends.llvm as package

INFRASTRUCTURE = {"ahead_of_time", "kernel", "lowerings", "module", "worker"}


def register_all() -> None:
    """Import every lowering once."""
    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in INFRASTRUCTURE:
            importlib.import_module(f"kerac.backends.llvm.{module.name}")
