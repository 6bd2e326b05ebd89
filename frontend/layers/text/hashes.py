"""Hashes of bytes that TensorFlow, and so Keras, spreads tokens by."""

from __future__ import annotations

import struct

MASK = 2**64 - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _rotate(x: int, distance: int) -> int:
    return (x >> distance | x << (64 - distance)) & MASK if distance else x


def _word(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<Q", data, at)[0])


def _half(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _mixed(x: int) -> int:
    return x ^ x >> 47


def _hash_16(u: int, v: int, factor: int) -> int:
    a = _mixed((u ^ v) * factor & MASK)
    b = _mixed((v ^ a) * factor & MASK)
    return b * factor & MASK


def farmhash64(data: bytes) -> int:
    """FarmHash's Fingerprint64 (Pike and Alakuijala, 2014)."""
    size = len(data)
    if size <= 16:
        return _up_to_16(data)
    factor = K2 + size * 2
    if size <= 32:
        a, b = _word(data, 0) * K1, _word(data, 8)
        c, d = _word(data, size - 8) * factor & MASK, _word(data, size - 16) * K2
        first = _rotate((a + b) & MASK, 43) + _rotate(c, 30) + d
        second = a + _rotate((b + K2) & MASK, 18) + c
        return _hash_16(first & MASK, second & MASK, factor)
    return _up_to_64(data, factor) if size <= 64 else _long(data)


def _up_to_16(data: bytes) -> int:
    size = len(data)
    if size >= 8:
        factor = K2 + size * 2
        a, b = _word(data, 0) + K2 & MASK, _word(data, size - 8)
        c = _rotate(b, 37) * factor + a & MASK
        d = (_rotate(a, 25) + b) * factor & MASK
        return _hash_16(c, d, factor)
    if size >= 4:
        factor = K2 + size * 2
        return _hash_16(size + (_half(data, 0) << 3) & MASK, _half(data, size - 4), factor)
    if size:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[-1] << 2)
        return _mixed(y * K2 & MASK ^ z * K0 & MASK) * K2 & MASK
    return K2


def _up_to_64(data: bytes, factor: int) -> int:
    size = len(data)
    a, b = _word(data, 0) * K2 & MASK, _word(data, 8)
    c, d = _word(data, size - 8) * factor & MASK, _word(data, size - 16) * K2 & MASK
    y = _rotate((a + b) & MASK, 43) + _rotate(c, 30) + d & MASK
    z = _hash_16(y, a + _rotate((b + K2) & MASK, 18) + c & MASK, factor)
    e, f = _word(data, 16) * factor & MASK, _word(data, 24)
    g = (y + _word(data, size - 32)) * factor & MASK
    h = (z + _word(data, size - 24)) * factor & MASK
    first = _rotate((e + f) & MASK, 43) + _rotate(g, 30) + h
    second = e + _rotate((f + a) & MASK, 18) + g
    return _hash_16(first & MASK, second & MASK, factor)


def _weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(data, at + 8 * place) for place in range(4))
    a = a + w & MASK
    b = _rotate((b + a + z) & MASK, 21)
    c = a
    a = a + x + y & MASK
    b = b + _rotate(a, 44) & MASK
    return a + z & MASK, b + c & MASK


def _long(data: bytes) -> int:
    seed = 81
    x, y = seed, seed * K1 + 113 & MASK
    z = _mixed(y * K2 + 113 & MASK) * K2 & MASK
    v, w = (0, 0), (0, 0)
    x = x * K2 + _word(data, 0) & MASK
    size = len(data)
    end = (size - 1) // 64 * 64
    last = end + ((size - 1) & 63) - 63
    for at in range(0, end, 64):
        x = _rotate(x + y + v[0] + _word(data, at + 8) & MASK, 37) * K1 & MASK
        y = _rotate(y + v[1] + _word(data, at + 48) & MASK, 42) * K1 & MASK
        x ^= w[1]
        y = y + v[0] + _word(data, at + 40) & MASK
        z = _rotate(z + w[0] & MASK, 33) * K1 & MASK
        v = _weak(data, at, v[1] * K1 & MASK, x + w[0] & MASK)
        w = _weak(data, at + 32, z + w[1] & MASK, y + _word(data, at + 16) & MASK)
        z, x = x, z
    factor = K1 + ((z & 0xFF) << 1) & MASK
    w = (w[0] + ((size - 1) & 63) & MASK, w[1])
    v = (v[0] + w[0] & MASK, v[1])
    w = (w[0] + v[0] & MASK, w[1])
    x = _rotate(x + y + v[0] + _word(data, last + 8) & MASK, 37) * factor & MASK
    y = _rotate(y + v[1] + _word(data, last + 48) & MASK, 42) * factor & MASK
    x ^= w[1] * 9 & MASK
    y = y + v[0] * 9 + _word(data, last + 40) & MASK
    z = _rotate(z + w[0] & MASK, 33) * factor & MASK
    v = _weak(data, last, v[1] * factor & MASK, x + w[0] & MASK)
    w = _weak(data, last + 32, z + w[1] & MASK, y + _word(data, last + 16) & MASK)
    first = _hash_16(v[0], w[0], factor) + _mixed(y) * K0 + x
    return _hash_16(first & MASK, _hash_16(v[1], w[1], factor) + z & MASK, factor)


def siphash24(data: bytes, first: int, second: int) -> int:
    """SipHash-2-4 (Aumasson and Bernstein, 2012) with a key of two numbers."""
    state = [
        first ^ 0x736F6D6570736575,
        second ^ 0x646F72616E646F6D,
        first ^ 0x6C7967656E657261,
        second ^ 0x7465646279746573,
    ]
    whole = len(data) // 8 * 8
    words = [_word(data, at) for at in range(0, whole, 8)]
    rest = data[whole:].ljust(7, b"\0") + bytes([len(data) & 0xFF])
    for word in (*words, _word(rest, 0)):
        state[3] ^= word
        _sip_rounds(state, 2)
        state[0] ^= word
    state[2] ^= 0xFF
    _sip_rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _sip_rounds(v: list[int], count: int) -> None:
    for _ in range(count):
        v[0] = v[0] + v[1] & MASK
        v[2] = v[2] + v[3] & MASK
        v[1] = _rotate(v[1], 51) ^ v[0]
        v[3] = _rotate(v[3], 48) ^ v[2]
        v[0] = _rotate(v[0], 32)
        v[2] = v[2] + v[1] & MASK
        v[0] = v[0] + v[3] & MASK
        v[1] = _rotate(v[1], 47) ^ v[2]
        v[3] = _rotate(v[3], 43) ^ v[0]
        v[2] = _rotate(v[2], 32)


CROSSING_SEED, CROSSING_FACTOR = 0xDECAFCAFFE, 0xC6A4A7935BD1E995


def crossed(fingerprints: list[int]) -> int:
    """One fingerprint of several, as TensorFlow crosses features."""
    result = CROSSING_SEED
    for fingerprint in fingerprints:
        mixed = _mixed((fingerprint & MASK) * CROSSING_FACTOR & MASK) * CROSSING_FACTOR & MASK
        result = (result ^ CROSSING_FACTOR ^ mixed) * CROSSING_FACTOR & MASK
        result = _mixed(_mixed(result) * CROSSING_FACTOR & MASK)
    return result
