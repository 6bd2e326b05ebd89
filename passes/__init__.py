"""Passes: functions from graph to graph that keep its meaning; a tuple of them is the compiler."""

from kerac.passes.base import Pass
from kerac.passes.pipeline import INFERENCE, run_pipeline
from kerac.passes.trace import PassRecord, Trace

__all__ = ["INFERENCE", "Pass", "PassRecord", "Trace", "run_pipeline"]
