"""A compiler for Keras models."""
