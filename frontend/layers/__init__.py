"""Keras's layers; defining one puts it into the table of classes that files may name."""

from kerac.layers.base import Layer
from kerac.layers.dense import Dense

__all__ = ["Dense", "Layer"]
