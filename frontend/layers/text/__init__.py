"""Layers for words and other tokens."""

from kerac.layers.text.hashing import HashedCrossing, Hashing
from kerac.layers.text.lookups import IntegerLookup, StringLookup
from kerac.layers.text.vectorization import TextVectorization

__all__ = ["HashedCrossing", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"]
