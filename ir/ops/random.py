"""Random numbers by counting: each element is a function of key, stream and its own number.

The bits are those of Threefry-2x32 with 20 rounds (Salmon et al., 2011) for the counter
(number of the element, stream). They are the same on every backend, in every order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np

from kerac.ir.errors import InternalError, ShapeError
from kerac.ir.graph import Value
from kerac.ir.mathematics import NUMPY, Mathematics
from kerac.ir.op import Array, Op
from kerac.ir.types import Shape, TensorType, known_shape

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
KEY = TensorType("u32", (2,))


def threefry(
    key: tuple[Any, Any],
    counter: tuple[Any, Any],
    xor: Callable[[Any, Any], Any],
    rotate: Callable[[Any, int], Any],
) -> tuple[Any, Any]:
    """Two random u32 for a key and a counter of two; sums wrap around."""
    keys = (*key, xor(xor(key[0], key[1]), PARITY))
    x, y = counter[0] + keys[0], counter[1] + keys[1]
    for block in range(5):
        for distance in ROTATIONS[block % 2]:
            x = x + y
            y = xor(rotate(y, distance), x)
        x = x + keys[(block + 1) % 3]
        y = y + keys[(block + 2) % 3] + (block + 1)
    return x, y


@dataclass(frozen=True)
class Random(Op, abstract=True):
    """key: u32[2] -> f32[*shape]; uses with different `stream` are independent."""

    shape: Shape
    stream: int = 0

    def infer(self, key: TensorType) -> TensorType:
        if key != KEY:
            raise ShapeError(f"key must be {KEY}, but is {key}")
        if not 0 <= self.stream < 2**32:
            raise ShapeError(f"stream must fit 32 bits, but is {self.stream}")
        return TensorType("f32", self.shape)

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        """An element from two numbers in [0, 1)."""
        raise InternalError(f"{self.text_name} has no formula")

    def evaluate(self, key: Array) -> Array:
        shape = known_shape(self.shape)
        count = int(np.prod(shape))
        numbers = np.arange(count, dtype=np.uint32)
        streams = np.full(count, self.stream, np.uint32)
        words = threefry(
            (key[:1], key[1:]), (numbers, streams), lambda x, y: x ^ np.uint32(y), _rotate
        )
        x, y = (_fraction(word) for word in words)
        return np.asarray(self.formula(NUMPY, x, y), np.float32).reshape(shape)


def _rotate(x: Array, distance: int) -> Array:
    return (x << np.uint32(distance)) | (x >> np.uint32(32 - distance))


def _fraction(word: Array) -> Array:
    """The upper 23 bits as a number in [0, 1)."""
    return ((word >> np.uint32(9)) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)


class RandomUniform(Random):
    """Equally likely in [0, 1)."""

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        return x


class RandomNormal(Random):
    """Normally distributed with mean 0 and variance 1 (Box and Muller, 1958)."""

    def formula(self, m: Mathematics, x: Any, y: Any) -> Any:
        return m.sqrt(m.log(1.0 - x) * -2.0) * m.cos(y * (2 * pi))


def random_uniform(key: Value, shape: Shape, stream: int) -> Value:
    """f32 in [0, 1), a function of `key`: u32[2] and `stream` alone."""
    return RandomUniform(tuple(shape), stream)(key)


def random_normal(key: Value, shape: Shape, stream: int) -> Value:
    """f32 of a normal distribution, a function of `key`: u32[2] and `stream` alone."""
    return RandomNormal(tuple(shape), stream)(key)
