"""The profile of a step of training."""

from __future__ import annotations

import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError


def test_profile_of_a_step() -> None:
    model = kerac.Sequential(
        [kerac.Input((6,)), kerac.layers.Dense(5, "relu", name="hidden"), kerac.layers.Dense(3)]
    )
    model.compile("adam", "mse")
    x, y = np.ones((7, 6), "f"), np.zeros((7, 3), "f")
    before = [weight.numpy().copy() for weight in model.weights]
    profile = model.profile_step(x, y, seconds=0.01)
    for weight, old in zip(model.weights, before, strict=True):
        assert (weight.numpy() == old).all()
    # forward products, and the gradients of kernels and of what the second one reads
    assert sum(row.flops for row in profile.rows) == 2 * 7 * (2 * 6 * 5 + 3 * 5 * 3)
    assert all(row.seconds > 0 for row in profile.rows)
    assert sum(row["share"] for row in profile.as_data()) == pytest.approx(1)
    first, *_, last, roof = str(profile).splitlines()
    assert first.startswith("layers")
    assert last.startswith("all")
    assert roof.startswith("roof")
    names = " ".join(row.layers for row in profile.rows)
    assert "hidden" in names
    assert "momentum" in names
    assert len(profile.slowest(2)) == 2


def test_a_step_needs_a_compiled_model() -> None:
    model = kerac.Sequential([kerac.Input((2,)), kerac.layers.Dense(1)])
    with pytest.raises(CompileError, match="profile_step is called, but the model is not"):
        model.profile_step(np.ones((1, 2), "f"), np.ones((1, 1), "f"))
