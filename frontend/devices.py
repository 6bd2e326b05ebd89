"""Where models run, for scripts that say so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from kerac.ir.errors import UnsupportedError


@contextmanager
def device(device_name: str) -> Iterator[None]:
    """Run what is in the block on a device, which is the processor: `cpu`, `cpu:0`."""
    if not re.fullmatch(r"/?(device:)?cpu(:0)?", str(device_name).lower()):
        raise UnsupportedError(f"device: is {device_name!r:.40}, but models run on 'cpu'")
    yield
