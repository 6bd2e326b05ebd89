"""How tests compare numbers."""

import numpy as np
from numpy.typing import ArrayLike


def assert_close(actual: ArrayLike, expected: ArrayLike, tolerance: float = 1e-5) -> None:
    """Fail unless both have one shape and differ by at most tolerance × the largest |expected|.

    Infinities must stand in the same places with the same sign, and NaNs in the same places.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"shape {actual.shape}, but expected {expected.shape}"
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    if not finite.any():
        return
    wanted = expected[finite].astype(np.float64)
    error = np.abs(actual[finite].astype(np.float64) - wanted)
    scale = max(np.abs(wanted).max(), np.finfo(np.float32).tiny)
    worst = np.nan_to_num(error, nan=np.inf).max()
    assert worst <= tolerance * scale, (
        f"largest difference {worst:.3g} is {worst / scale:.3g} of the largest value {scale:.3g}, "
        f"but at most {tolerance:.3g} is allowed"
    )
