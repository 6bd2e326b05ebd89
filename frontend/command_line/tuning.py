"""The option `--tune`, and what is said of its finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kerac.backends.llvm.tuning import Find

tune_option = click.option(
    "--tune",
    is_flag=True,
    help="Time several kernels for each convolution and product on this machine and take the "
    "fastest; what is found is kept, so that it is not measured again.",
)


def finds_table(finds: Sequence[Find]) -> str:
    """A row for each kernel, and how many became faster."""
    from kerac.timing.table import columns

    rows = [("kernel", "default", "found", "gain")]
    for find in finds:
        rows.append((find.kernel, find.default, find.found, f"{find.gain - 1:.0%}"))
    faster = sum(find.found != find.default for find in finds)
    return f"{columns(rows)}\n{faster} of {len(finds)} faster than by default"
