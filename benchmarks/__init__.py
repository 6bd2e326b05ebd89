"""Benchmarks of kerac, and the models that they and the tests share."""
