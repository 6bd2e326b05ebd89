"""Functions of single elements, of pairs of them, and statistics."""

from __future__ import annotations

import numpy as np

from tests.frontend.ops.case import Case, case, loosely, on_arrays, stepwise

G = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return G.normal(size=shape).astype(np.float32)


def between(low: float, high: float, *shape: int) -> np.ndarray:
    return G.uniform(low, high, shape).astype(np.float32)


def whole(low: int, high: int, *shape: int, dtype: str = "int32") -> np.ndarray:
    return G.integers(low, high, shape).astype(dtype)


def truth(*shape: int) -> np.ndarray:
    return G.random(shape) < 0.5


def holes(*shape: int) -> np.ndarray:
    x = normal(*shape)
    x[G.random(shape) < 0.3] = np.nan
    return x


X, Y, P = normal(3, 4), normal(3, 4), between(0.1, 3, 3, 4)
N, M, B = whole(-9, 9, 3, 4), whole(1, 9, 3, 4), truth(3, 4)
U = between(-0.9, 0.9, 3, 4)
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.5, 3.0], np.float32)
H = holes(4, 5)

RANGES = {
    "arccosh": between(1.1, 5, 3, 4), "arcsin": U, "arccos": U, "arctanh": U, "erfinv": U,
    "log2": P, "log10": P, "log": P, "log1p": P, "sqrt": P, "rsqrt": P,
    "reciprocal": P, "cbrt": P,
}  # fmt: skip
SMOOTH = (
    *("arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "sin", "cos", "tan", "sinh"),
    *("cosh", "tanh", "log", "log2", "log10", "log1p", "exp", "exp2", "expm1", "sqrt", "cbrt"),
    *("rsqrt", "reciprocal", "square", "erf", "erfc", "erfinv", "i0", "sinc", "deg2rad"),
    *("rad2deg", "abs", "absolute", "fabs", "negative", "real", "conj", "conjugate", "copy"),
    *("relu", "relu6", "sigmoid", "silu", "swish", "softplus", "softsign", "hard_sigmoid"),
    *("hard_silu", "hard_swish", "hard_tanh", "log_sigmoid", "selu", "tanh_shrink"),
    *("sparse_plus", "sparse_sigmoid", "hard_shrink", "soft_shrink", "squareplus", "elu"),
    *("celu", "gelu", "leaky_relu", "glu", "softmax", "log_softmax"),
)
STEPS = (
    *("floor", "ceil", "trunc", "round", "sign", "isnan", "isinf", "isposinf", "isneginf"),
    *("isfinite", "isreal", "angle", "nan_to_num"),
)
OF_INTEGERS = (
    *("sin", "exp", "sqrt", "log", "arctan", "abs", "negative", "square", "sign", "floor", "ceil"),
    *("trunc", "round", "isnan", "isfinite", "signbit", "copy", "real", "imag"),
    *("nan_to_num", "reciprocal", "angle"),
)
UNARY = [
    *(case(name, RANGES.get(name, X * 2)) for name in SMOOTH),
    *(stepwise(name, ODD) for name in STEPS),
    *(stepwise(name, X * 3) for name in ("floor", "ceil", "trunc", "round", "sign", "signbit")),
    *(stepwise(name, M) for name in OF_INTEGERS),
    *(stepwise(name, B) for name in ("logical_not", "bitwise_not", "abs", "exp", "isnan")),
    stepwise("imag", X), stepwise("logical_not", X), stepwise("signbit", ODD),
    stepwise("bitwise_not", N), stepwise("bitwise_invert", N),
    stepwise("bitwise_not", whole(0, 99, 5, dtype="uint8")), stepwise("round", X, 2),
    stepwise("round", N * 17, -1), case("nan_to_num", H),
    stepwise("nan_to_num", ODD, 1.0, 2.0, -3.0), case("hard_shrink", X, 0.3),
    case("soft_shrink", X, 0.3), case("squareplus", X, 2), case("threshold", X, 0.2, -1.0),
    case("sparsemax", X), case("sparsemax", X, 0), case("gelu", X, approximate=False),
    case("leaky_relu", X, 0.1), case("elu", X, 0.5), case("celu", X, 0.5), case("glu", X, axis=1),
    case("softmax", X, axis=0), on_arrays("angle", (X + 1j * Y)), on_arrays("conj", (X + 1j * Y)),
    on_arrays("real", (X + 1j * Y)), on_arrays("imag", (X + 1j * Y)),
    on_arrays("isreal", np.array([1 + 0j, 1j], "complex64")), on_arrays("view", X, "int32"),
    on_arrays("polar", P, U), on_arrays("view_as_complex", X[:, :2]),
    on_arrays("view_as_real", (X + 1j * Y)), stepwise("saturate_cast", X * 200, "uint8"),
    stepwise("saturate_cast", N, "uint8"), stepwise("cast", X, "float16"),
    stepwise("cast", X * 3, "int32"), stepwise("cast", B, "float32"),
]  # fmt: skip
# those of complex numbers are refused in another way
UNARY = [
    c if c.in_graphs or c.arrays()[0].dtype.kind != "c" else Case(c.name, c.args, in_graphs=False)
    for c in UNARY
]

SMOOTH_PAIRS = (
    *("add", "subtract", "multiply", "maximum", "minimum", "fmax", "fmin", "hypot", "arctan2"),
    *("logaddexp", "logaddexp2", "divide_no_nan", "divide", "true_divide"),
)
COMPARED = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
LOGIC = ("logical_and", "logical_or", "logical_xor")
DIVISION = ("floor_divide", "mod", "fmod")
BITS = ("bitwise_and", "bitwise_or", "bitwise_xor")
SHIFTS = ("bitwise_left_shift", "left_shift", "bitwise_right_shift", "right_shift")
PAIRS = [
    *(case(name, X, Y) for name in SMOOTH_PAIRS),
    *(case(name, X, Y[0]) for name in ("add", "hypot", "arctan2", "logaddexp")),
    *(stepwise(name, N, M) for name in (*SMOOTH_PAIRS, *COMPARED, *DIVISION, "power")),
    *(stepwise(name, X, 2) for name in ("add", "power", "maximum", *COMPARED, *DIVISION)),
    *(stepwise(name, N, 2.5) for name in ("add", "multiply", "mod", "equal", "floor_divide")),
    *(stepwise(name, N, 3) for name in ("add", "multiply", *DIVISION, *BITS, *LOGIC)),
    *(stepwise(name, B, B[::-1].copy()) for name in (*LOGIC, *BITS, "add", "multiply", "maximum")),
    *(stepwise(name, X, N) for name in ("add", "equal", "less", "mod", *LOGIC)),
    *(stepwise(name, X * 5, P) for name in DIVISION), *(stepwise(name, N, M) for name in BITS),
    *(stepwise(name, M * 40, whole(0, 5, 4)) for name in SHIFTS),
    *(stepwise(name, 3, X) for name in ("subtract", "divide", "power", "mod")),
    stepwise("add", N.astype("int8"), M.astype("int32")), stepwise("add", N.astype("int8"), 3),
    stepwise("add", X.astype("float16"), X), stepwise("add", X.astype("float16"), N),
    stepwise("multiply", whole(0, 9, 4, dtype="uint8"), whole(0, 9, 4, dtype="int8")),
    case("power", P, Y), stepwise("heaviside", ODD[3:], 0.5), stepwise("heaviside", N, M),
    stepwise("arctan2", ODD, np.float32(1) * ODD[::-1].copy()), stepwise("arctan2", 1, -1),
    stepwise("gcd", N * 6, M * 4), stepwise("lcm", N, M), stepwise("ldexp", X, whole(-3, 4, 3, 4)),
    stepwise("divide_no_nan", X, np.where(X > 0, 0, X)), stepwise("fmax", H, normal(4, 5)),
    stepwise("isclose", X, X + 1e-6), stepwise("isclose", ODD, ODD, equal_nan=True),
    stepwise("allclose", X, X + 1e-9), stepwise("allclose", X, Y), stepwise("allclose", N, N),
    on_arrays("nextafter", X, Y), case("where", B, X, Y), stepwise("where", B, N, 0.5),
    stepwise("where", B, N, 0), case("clip", X, -0.5, 0.5), stepwise("clip", N, -2, 3),
    on_arrays("where", B),
]  # fmt: skip

STATISTICS = [
    *(case(name, X, axis=1) for name in ("mean", "sum", "max", "min", "var", "std", "prod")),
    *(
         case(name, X)
        for name in ("amax", "amin", "ptp", "median", "average", "nansum", "logsumexp")
    ),
    *(stepwise(name, N, axis=0) for name in ("mean", "sum", "max", "min", "var", "std", "prod")),
    *(stepwise(name, N.astype("int8")) for name in ("sum", "prod", "max", "mean", "nansum")),
    *(stepwise(name, B, axis=1) for name in ("sum", "mean", "max", "min", "all", "any", "prod")),
    *(stepwise(name, N, axis=1) for name in ("all", "any", "amax", "ptp", "median", "logsumexp")),
    *(
         case(name, H, axis=1, keepdims=True)
        for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin")
    ),
    *(stepwise(name, H, axis=(0, 1)) for name in ("nansum", "nanmean", "nanmedian", "nanmax")),
    *(stepwise(name, N) for name in ("nansum", "nanprod", "nanmean", "nanmax", "nanmedian")),
    case("sum", X, axis=(0, 1), keepdims=True), stepwise("prod", X, axis=1, dtype="float16"),
    case("max", X, axis=0, keepdims=True, initial=0.5), stepwise("min", N, initial=-20),
    case("average", X, axis=1, weights=P), case("average", X, axis=1, weights=P[0]),
    stepwise("average", N), case("moments", X, axes=[0], keepdims=True), case("moments", X, [0, 1]),
    stepwise("count_nonzero", N, axis=1), stepwise("count_nonzero", X), case("ptp", X, axis=1),
    case("median", X, axis=1, keepdims=True), case("nanmedian", H, axis=1),
    case("quantile", X, np.array([0.25, 0.6], np.float32), axis=1),
    *(
         stepwise("quantile", X, 0.3, axis=0, method=method, keepdims=True)
        for method in ("lower", "higher", "nearest", "midpoint", "linear")
    ),
    stepwise("quantile", H, 0.5, axis=1), stepwise("nanquantile", H, 0.4, axis=1),
    stepwise("percentile", X, 30), case("nanpercentile", H, 70, axis=0),
    stepwise("histogram", normal(50), bins=7),
    stepwise("histogram", N.ravel(), bins=4, range=(-8, 8)),
    stepwise("bincount", whole(0, 6, 20), minlength=6),
    stepwise("bincount", whole(0, 5, 3, 9), minlength=8),
    case("bincount", whole(0, 6, 20), weights=normal(20), minlength=7),
    case("corrcoef", normal(3, 6)), case("cumsum", X, axis=1), case("cumsum", X),
    stepwise("cumsum", B, axis=0), stepwise("cumsum", N.astype("int8")), case("cumprod", X, axis=0),
    stepwise("cumprod", N[:, :3], axis=1), stepwise("cumsum", N, dtype="float32"),
    case("nancumsum", H, axis=1), case("nancumprod", H, axis=0), case("diff", X, 2, axis=0),
    stepwise("diff", N), stepwise("digitize", X, np.array([-1.0, 0.0, 0.5], np.float32)),
    *(case(f"nn.{name}", X) for name in ("relu", "softmax")), case("linalg.norm", X),
    case("norm", X, axis=1), case("norm", X, 1, axis=0),
    case("norm", X, np.inf, axis=1, keepdims=True), case("norm", X, 3, axis=1),
    case("norm", X, "fro"), case("norm", X, 1, axis=(0, 1)),
    case("norm", normal(2, 3, 4), -np.inf, axis=(2, 0)), stepwise("norm", N),
    stepwise("norm", X, 0, axis=1),
]  # fmt: skip

ELEMENTS = (*UNARY, *PAIRS, *STATISTICS)
__all__ = ["loosely"]
