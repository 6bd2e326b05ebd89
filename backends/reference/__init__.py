"""The reference: every op's own meaning in NumPy, called as a compiled model is."""

from kerac.backends.reference.executable import ReferenceExecutable

__all__ = ["ReferenceExecutable"]
