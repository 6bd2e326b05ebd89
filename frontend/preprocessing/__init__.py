"""Texts and sequences made ready for a model, as older scripts do it."""

from kerac.preprocessing import sequence, text

__all__ = ["sequence", "text"]
