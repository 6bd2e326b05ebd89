"""Tensors made, arranged, put in order, multiplied and taken apart."""

from __future__ import annotations

import numpy as np

from tests.frontend.ops.case import Fixed, case, loosely, on_arrays, stepwise
from tests.frontend.ops.cases_of_elements import between, normal, truth, whole

X, Y, Z, V, W = normal(3, 4), normal(3, 4), normal(2, 3, 4), normal(5), normal(6)
N, B = whole(-9, 9, 3, 4), truth(3, 4)
S = np.sort(normal(9))
A = normal(2, 4, 4)
POSITIVE = (A @ np.swapaxes(A, -1, -2) + 3 * np.eye(4)).astype("float32")

CREATION = [
    *(stepwise(name, (2, 3)) for name in ("zeros", "ones", "empty")), stepwise("zeros", 3, "int32"),
    stepwise("ones", [2], dtype="bool"), stepwise("full", (2, 3), 1.5), stepwise("full", (2,), 3),
    stepwise("full", (2,), 3, "int32"), case("full", (2, 4), X[0]), stepwise("full_like", X, 3),
    stepwise("full_like", N, 2.5), stepwise("full_like", X, 1, "int32"), stepwise("empty_like", N),
    stepwise("zeros_like", X), stepwise("ones_like", N), stepwise("ones_like", X, "int32"),
    stepwise("zeros_like", B, dtype="float32"), stepwise("arange", 5), stepwise("arange", 1, 9, 2),
    stepwise("arange", 0.0, 2.0, 0.5), stepwise("arange", 3, dtype="float32"), stepwise("eye", 3),
    stepwise("eye", 3, 4, 1, "int32"), stepwise("identity", 3), stepwise("tri", 3, 4, 1),
    stepwise("linspace", 0, 1, 5), stepwise("linspace", 0, 10, 4, endpoint=False),
    case("linspace", X[0], Y[0], 5, axis=1), stepwise("linspace", 1, 2, 3, retstep=True),
    stepwise("linspace", 0, 9, 4, dtype="int32"), stepwise("logspace", 0, 2, 5),
    stepwise("geomspace", 1, 100, 5), stepwise("geomspace", -1, -8, 4),
    *(stepwise(name, 7) for name in ("bartlett", "blackman", "hamming", "hanning")),
    stepwise("kaiser", 7, 5.0), stepwise("array", X), stepwise("array", N, "float32"),
    stepwise("size", X), stepwise("meshgrid", V, W), stepwise("meshgrid", V, W, indexing="ij"),
]  # fmt: skip

ARRANGED = [
    case("ravel", Z), case("append", X, Y), case("append", X, Y, axis=1), case("roll", X, 2),
    case("roll", X, -1, axis=1), case("roll", X, (1, 2), axis=(0, 1)), case("fliplr", X),
    case("flipud", X), case("flip", Z, axis=(0, 2)), *(case("rot90", X, k) for k in range(4)),
    case("rot90", Z, 1, axes=(1, 2)), case("vstack", [V, V]), case("hstack", [X, Y]),
    case("hstack", [V, W]), case("dstack", [X, Y]), case("dstack", [V, V]),
    case("stack", [X, Y], axis=1), stepwise("concatenate", [X, N], axis=0),
    case("concatenate", [X, Y], axis=-1), case("split", X, 2, axis=1),
    case("split", X, [1, 2], axis=1), case("array_split", V, 3), case("hsplit", X, 2),
    case("vsplit", X, 3), case("dsplit", Z, [1, 3]), case("hsplit", V, [2]),
    case("unstack", X, axis=1), case("tril", X), case("triu", Z, 1), case("tril", X, -1),
    case("diagonal", Z, 1, 1, 2), case("diagonal", X), case("diagonal", X, -1), case("diag", V),
    case("diag", V, 1), case("diag", X, -1), case("diagflat", X, 1), case("trace", Z, 1, 1, 2),
    stepwise("trace", N), case("select", [B, ~B], [X, Y], 0.5), stepwise("select", [B], [N], 0),
    case("vander", V), case("vander", V, 3, increasing=True), stepwise("vander", N[0]),
    stepwise("unravel_index", whole(0, 12, 5), (3, 4)),
    case("depth_to_space", normal(2, 3, 2, 8), 2), case("space_to_depth", normal(2, 4, 6, 3), 2),
    case("depth_to_space", normal(2, 8, 3, 2), 2, "channels_first"),
    case("space_to_depth", normal(2, 3, 4, 6), 2, data_format="channels_first"),
    case("reshape", Z, (4, 6)), case("reshape", Z, (-1, 2)), case("reshape", Z, 24),
    case("transpose", Z), case("transpose", Z, (1, 2, 0)), case("expand_dims", X, 1),
    case("expand_dims", X, (0, -1)), case("squeeze", normal(1, 3, 1)),
    case("squeeze", normal(3, 1), axis=-1), case("swapaxes", Z, 0, 2), case("moveaxis", Z, 0, -1),
    case("moveaxis", Z, (0, 1), (1, 2)), case("repeat", X, 2, axis=1), case("repeat", X, 2),
    stepwise("repeat", N, Fixed(np.array([1, 0, 2])), axis=0), case("tile", X, 2),
    case("tile", X, (2, 1, 2)), case("broadcast_to", X, (2, 3, 4)), case("pad", X, 1),
    case("pad", X, [[1, 2], [0, 3]], constant_values=2.5), stepwise("pad", N, ((1, 0), (0, 1))),
    *(case("pad", X, ((1, 2), (2, 1)), mode=m) for m in ("edge", "reflect", "symmetric", "wrap")),
    case("rearrange", normal(2, 6, 4), "b (h c) w -> b h (w c)", c=3),
    case("rearrange", Z, "a b c -> c (b a)"), case("get_item", Z, (0, slice(1, 3))),
    case("get_item", X, (slice(None), -1)), case("get_item", X, slice(None, None, -1)),
]  # fmt: skip

PRODUCTS = [
    case("dot", X, normal(4, 2)), case("dot", V, V), case("dot", Z, normal(4)),
    case("dot", Z, normal(2, 4, 3)), stepwise("dot", N, N.T.copy()), stepwise("dot", X, 2),
    case("inner", X, Y), case("inner", V, V), case("vdot", X, Y), case("outer", V, W),
    stepwise("outer", N[0], N[1]), case("kron", X, normal(2, 3)), case("kron", V, X),
    case("cross", normal(2, 3), normal(2, 3)), case("cross", normal(3, 2), normal(3, 2)),
    case("cross", normal(3, 4), normal(3, 4), axis=0), case("cross", normal(2, 2), normal(2, 3)),
    case("matmul", X, Y.T.copy()), case("matmul", Z, normal(2, 4, 2)),
    stepwise("matmul", N, N.T.copy()),
    stepwise("matmul", whole(-9, 9, 2, 3, dtype="int8"), whole(-9, 9, 3, 2, dtype="int8")),
    case("matmul", Z, V[:4]), case("einsum", "ij,kj->ik", X, Y),
    stepwise("einsum", "ij,ij->i", N, N), case("einsum", "ijk,ijk->jk", Z, Z),
    case("tensordot", X, normal(4, 3), 1), case("tensordot", Z, X, 2),
    case("tensordot", Z, X, axes=[[1, 2], [0, 1]]), case("trapezoid", X),
    case("trapezoid", X, dx=0.5, axis=0), case("trapezoid", X, Y, axis=1),
    *(case("correlate", V, W[:3], mode=m) for m in ("valid", "same", "full")),
    case("correlate", W[:3], V, mode="same"), case("correlate", W[:4], V, mode="full"),
    case("cdist", X, normal(5, 4)), case("normalize", X), case("normalize", X, axis=0, order=1),
    case("normalize", X, order=3),
]  # fmt: skip

ORDER = [
    case("sort", X), case("sort", X, axis=0), case("sort", X, axis=None), stepwise("sort", N),
    stepwise("sort", B), stepwise("argsort", X), stepwise("argsort", N, axis=0),
    stepwise("argsort", X, axis=None), case("top_k", X, 2), stepwise("top_k", N, 3),
    stepwise("in_top_k", whole(0, 4, 3), X, 2),
    *(stepwise(name, X, axis=1) for name in ("argmax", "argmin")), stepwise("argmax", N),
    stepwise("argmin", B), stepwise("argmax", X, axis=0, keepdims=True),
    stepwise("argmax", X, keepdims=True),
    stepwise("nanargmax", np.array([[np.nan, 1, 3], [np.nan] * 3], "float32"), axis=1),
    stepwise("nanargmin", np.array([[np.nan, 1, 3], [2, np.nan, 1]], "float32")),
    stepwise("searchsorted", S, X), stepwise("searchsorted", S, S[::2].copy(), side="right"),
    stepwise("isin", N, N[0]), stepwise("isin", N, N[0], invert=True),
]  # fmt: skip

INDICES = np.array([[0, 1], [2, 3], [0, 1], [1, -1]], np.int32)
PARTS = [
    case("take", X, whole(-3, 3, 2, 2), axis=0), case("take", X, whole(0, 12, 5)),
    stepwise("take", N, 1, axis=1), case("take_along_axis", X, whole(0, 4, 3, 2), axis=1),
    case("take_along_axis", X, whole(-3, 3, 2, 4), axis=0),
    case("take_along_axis", X, whole(0, 12, 7)), case("slice", X, (1, 2), (2, 2)),
    case("slice", X, np.array([1, 0], np.int32), (2, 3)), case("slice", X, (1, 0), (-1, -1)),
    case("slice_update", X, (1, 2), normal(2, 2)),
    case("slice_update", X, np.array([5, 0], np.int32), normal(1, 4)),
    case("scatter", INDICES, normal(4), (3, 4)),
    case("scatter", INDICES[:, :1].copy(), normal(4, 4), (3, 4)),
    stepwise("scatter", INDICES, whole(0, 9, 4), (3, 4)),
    case("scatter_update", X, INDICES[1:].copy(), normal(3)),
    *(case("scatter_update", X, INDICES, normal(4), reduction=r) for r in ("add", "max", "min")),
    stepwise("scatter_update", X, INDICES, normal(4), reduction="mul"),
    stepwise("scatter_update", N, INDICES[1:].copy(), whole(0, 9, 3)),
    *(
         stepwise(f"segment_{name}", normal(7, 3), whole(0, 4, 7), 5)
        for name in ("sum", "max", "min", "prod")
    ),
    case("segment_sum", normal(7), whole(0, 4, 7), num_segments=4),
    stepwise("segment_max", whole(0, 9, 6), whole(0, 3, 6), 4), on_arrays("nonzero", N),
    on_arrays("unique", N),
    on_arrays("unique", N, return_index=True, return_inverse=True, return_counts=True),
    on_arrays("unique", N, axis=0), on_arrays("unique", N, size=12, fill_value=0),
    stepwise("argpartition", np.sort(V), 2),
]  # fmt: skip

ALGEBRA = [
    case("det", POSITIVE), case("slogdet", POSITIVE), case("logdet", POSITIVE),
    case("inv", POSITIVE), case("inv", normal(3, 3)), case("solve", POSITIVE, normal(2, 4, 3)),
    case("solve", POSITIVE[0], normal(4)), case("solve_triangular", POSITIVE, normal(2, 4, 3)),
    case("solve_triangular", POSITIVE[0], normal(4), lower=True), case("cholesky", POSITIVE),
    case("cholesky", POSITIVE, upper=True), case("cholesky_inverse", POSITIVE[0]),
    case("cholesky_inverse", POSITIVE[0], upper=True), case("lu_factor", normal(4, 4)),
    case("qr", normal(4, 3)), case("qr", normal(2, 3, 3)),
    case("qr", normal(4, 2), mode="complete"), loosely(1e-4, on_arrays("eigh", POSITIVE[0])),
    on_arrays("svd", normal(4, 3), compute_uv=False), loosely(1e-4, on_arrays("svd", normal(4, 3))),
    loosely(1e-4, on_arrays("pinv", normal(4, 3))),
    loosely(1e-4, on_arrays("lstsq", normal(4, 3), normal(4, 2))),
    on_arrays("matrix_rank", POSITIVE),
    loosely(1e-4, on_arrays("eig", np.diag([3.0, 2.0, 1.0]).astype("float32"))),
]  # fmt: skip

SIGNAL = normal(2, 40)
FOURIER = [
    case("fft", (X, Y)), case("fft", (normal(2, 150), normal(2, 150))),
    case("fft2", (Z, Z[::-1].copy())), case("ifft2", (Z, Z[::-1].copy())), case("rfft", SIGNAL),
    case("rfft", SIGNAL, 48), case("rfft", SIGNAL, 31), case("irfft", (normal(2, 9), normal(2, 9))),
    case("irfft", (normal(2, 9), normal(2, 9)), 15), case("extract_sequences", SIGNAL, 8, 5),
    case("stft", SIGNAL, 8, 4, 16), case("stft", SIGNAL, 8, 4, 8, window="hamming", center=False),
    case("stft", SIGNAL, 6, 3, 9, window=None),
    case("istft", (normal(2, 9, 9), normal(2, 9, 9)), 16, 4, 16),
    case("istft", (normal(2, 9, 9), normal(2, 9, 9)), 12, 4, 16, length=20, window="hamming"),
    case("istft", (normal(2, 9, 5), normal(2, 9, 5)), 8, 4, 8, window=None, center=False),
]  # fmt: skip
ARRAYS = (*CREATION, *ARRANGED, *PRODUCTS, *ORDER, *PARTS, *ALGEBRA, *FOURIER)
__all__ = ["between"]
