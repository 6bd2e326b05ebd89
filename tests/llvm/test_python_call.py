"""The builtin function of a compiled model: what it answers, what it declines, what it keeps."""

import ctypes
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kerac.backends.llvm.python_call import make_binder
from kerac.compile import compile
from kerac.ir import parse
from kerac.runtime import BoundShapes, Executable
from kerac.runtime.abi import RunFunction

FLOAT = np.dtype(np.float32)
TEXT = """
def pair(x: f32[N, 3], y: f32[N, 1]):
    total: f32[N, 3] = add(x, y)
    product: f32[N, 3] = multiply(x, y)
    return total, product
"""
X, Y = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones((4, 1), np.float32)


def bound(executable: Executable, *arrays: Any) -> Callable[..., Any]:
    """The builtin function that two calls in a row have made."""
    for _ in range(2):
        executable(*arrays)
    return executable._bound


@pytest.fixture(scope="module")
def pair() -> Executable:
    return compile(parse(TEXT), threads=1)


def bind(run: Callable[..., int], outputs: int) -> tuple[Callable[..., Any], Any]:
    """A bound function of one array of two numbers over `run`, and what keeps it alive."""
    function = RunFunction(run)
    dims = (ctypes.c_int64 * 1)()
    binder = make_binder()
    assert binder
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    shapes = BoundShapes(
        run=address,
        inputs=[((2,), FLOAT)],
        outputs=[((2,), FLOAT)] * outputs,
        dims=ctypes.addressof(dims),
        workspace_size=100,
        parallel=0,
    )
    return binder(shapes), (function, dims)


def test_shapes_that_repeat_get_a_builtin_function(pair: Executable) -> None:
    function = bound(pair, X, Y)
    assert type(function) is type(len)
    total, product = function(X, Y)
    np.testing.assert_array_equal(total, X + Y)
    np.testing.assert_array_equal(product, X * Y)
    assert total.dtype is X.dtype
    assert total.flags.owndata
    assert total.flags.writeable
    again, _ = pair(X, Y)
    assert again is not total


def test_one_output_is_no_tuple_and_an_array_without_axes_is_one() -> None:
    total = compile(parse("def f(x: f32[2]):\n    return reduce_sum(x, axes=[0])\n"), threads=1)
    x = np.array([1.0, 2.0], np.float32)
    found = bound(total, x)(x)
    assert found.shape == ()
    assert found == 3


@pytest.mark.parametrize(
    "arguments",
    [
        (X,),
        (X, Y, Y),
        (X[:3], Y[:3]),
        (X.astype(np.float64), Y),
        (np.asfortranarray(X), Y),
        (X[:, ::-1], Y),
        (X.tolist(), Y),
        ({"x": X, "y": Y}, None),
        (X.ravel(), Y),
        (X.view(np.recarray), Y),
    ],
    ids=[
        *("too few", "too many", "other shape", "other dtype", "other order"),
        *("a view", "a list", "a dict", "other axes", "a subclass"),
    ],
)
def test_other_arguments_are_declined(pair: Executable, arguments: tuple[Any, ...]) -> None:
    assert bound(pair, X, Y)(*arguments) is None


def test_the_usual_way_serves_what_is_declined(pair: Executable) -> None:
    bound(pair, X, Y)
    total, _ = pair(X[:, ::-1], Y.tolist())
    np.testing.assert_array_equal(total, X[:, ::-1] + Y)
    total, _ = pair({"y": Y[:1], "x": X[:1]})
    np.testing.assert_array_equal(total, X[:1] + Y[:1])


def test_equal_dtypes_that_are_other_objects_are_served(pair: Executable) -> None:
    other = X.view(np.dtype(np.float32, copy=True))
    bound(pair, X, Y)
    np.testing.assert_array_equal(pair(other, Y)[0], X + Y)


def test_references_are_given_back(pair: Executable) -> None:
    function = bound(pair, X, Y)
    counted = (X, Y, FLOAT, None)
    before = [sys.getrefcount(thing) for thing in counted]
    for _ in range(1000):
        function(X, Y)
        function(X, X)
    after = [sys.getrefcount(thing) for thing in counted]
    assert all(abs(new - old) < 100 for new, old in zip(after, before, strict=True))


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_run_that_fails_is_declined_and_can_be_called_again(outputs: int) -> None:
    codes = [3, 0]
    function, _keep = bind(lambda *_: codes.pop(0), outputs)
    x = np.zeros(2, np.float32)
    assert function(x) is None
    assert function(x) is not None


def test_a_call_inside_a_call_is_declined() -> None:
    seen: list[Any] = []
    x = np.zeros(2, np.float32)

    def run(*_: Any) -> int:
        seen.append(function(x) if not seen else None)
        return 0

    function, _keep = bind(run, 1)
    assert function(x) is not None
    assert seen == [None]


def test_other_threads_go_on_during_a_run() -> None:
    entered, left = threading.Event(), threading.Event()

    def run(*_: Any) -> int:
        entered.set()
        return 0 if left.wait(10) else 1

    function, _keep = bind(run, 1)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function(np.zeros(2, np.float32))))
    thread.start()
    assert entered.wait(10)
    left.set()
    thread.join(10)
    assert found[0] is not None


def test_threads_that_share_a_model_get_their_own_results() -> None:
    model = compile(parse("def f(x: f32[N]):\n    return multiply(x, x)\n"), threads=1)
    wrong: list[float] = []

    def work(number: int) -> None:
        x = np.full(1000, number, np.float32)
        wrong.extend(number for _ in range(300) if not np.all(model(x) == number * number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
