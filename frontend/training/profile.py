"""Where the time of a step of training goes."""

from __future__ import annotations

from typing import Any

from kerac.runtime.arguments import bind_dims
from kerac.timing.profile import Profile, measure_roof, profile_rows
from kerac.training.sources import array_batch


def profile_step(
    model: Any, x: Any, y: Any = None, sample_weight: Any = None, seconds: float = 1.0
) -> Profile:
    """What each kernel of a step on one batch takes, on one thread; the model stays as it is."""
    from kerac.backends.llvm.target import find_target
    from kerac.backends.llvm.timing import time_launches

    session = model._compiled_session("profile_step")
    batch = array_batch(x, y, sample_weight)
    program, arrays = session.program(batch, True, batch)
    inputs = program.inputs(arrays, session.key)
    info = program.executable.info
    lengths = dict(zip(info.dim_names, bind_dims(info, inputs), strict=True))
    plan = program.executable.trace.plans["kernels"]
    roof = measure_roof()
    times = time_launches(plan, find_target(), inputs, seconds)
    return Profile(program.step.graph.name, profile_rows(times, lengths, roof), roof)
