"""Tests of kerac."""
