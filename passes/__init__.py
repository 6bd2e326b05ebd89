"""Passes: functions from graph to graph that keep its meaning; a tuple of them is the compiler."""

from kerac.passes.base import Pass
from kerac.passes.pipeline import PASSES, run_pipeline
from kerac.passes.trace import PassRecord, Trace

__all__ = ["PASSES", "Pass", "PassRecord", "Trace", "run_pipeline"]
