"""Layers and models against Keras."""
