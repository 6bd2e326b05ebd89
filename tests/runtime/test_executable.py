"""Calling compiled models: what is accepted, what is refused and how."""

import re
import threading

import numpy as np
import pytest

from kerac.runtime import Executable, InputError, LibraryError
from tests.runtime.in_memory import executable, tensor

N, T = -1, -2
DERIVED = -(2**63)


def double() -> Executable:
    return executable([tensor("x", "f32", N, 3)], [tensor("y", "f32", N, 3)], lambda x: [2 * x])


def echo(dtype: str) -> Executable:
    return executable([tensor("x", dtype, N)], [tensor("y", dtype, N)], lambda x: [x])


def message(error: pytest.ExceptionInfo[Exception]) -> str:
    return str(error.value)


def test_one_output_is_an_array_and_several_are_a_tuple() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(double()(x), 2 * x)
    both = executable(
        [tensor("x", "f32", N, 3)],
        [tensor("y", "f32", N, 3), tensor("s", "f32", N)],
        lambda x: [x + 1, x.sum(axis=1)],
    )
    y, s = both(x)
    np.testing.assert_array_equal(y, x + 1)
    np.testing.assert_array_equal(s, [3, 12])


@pytest.mark.parametrize(
    "x",
    [
        [[1, 2, 3]],
        ((1.0, 2.0, 3.0),),
        np.array([[1, 2, 3]]),
        np.array([[1, 2, 3]], np.uint8),
        np.array([[1, 2, 3]], np.float64),
        np.array([[1, 2, 3]], np.float16),
        np.array([[1, 2, 3]], ">f4"),
        np.array([[1, 2, 3]], np.float32).T.copy().T,
        np.array([[1, 9, 2, 9, 3, 9]], np.float32)[:, ::2],
        np.frombuffer(b"." + np.array([1, 2, 3], np.float32).tobytes(), np.float32, 3, 1)[None],
        np.array([[[1, 2, 3]]], np.float32)[0].view(np.matrix),
        [np.array([[1, 2, 3]], np.float32)],
    ],
)
def test_what_numpy_users_have_is_accepted(x: object) -> None:
    np.testing.assert_array_equal(double()(x), [[2, 4, 6]])


def test_truth_values_become_floats() -> None:
    np.testing.assert_array_equal(double()([[True, False, True]]), [[2, 0, 2]])


def test_inputs_by_position_sequence_and_name() -> None:
    subtract = executable(
        [tensor("a", "f32", N), tensor("b", "f32", N)],
        [tensor("y", "f32", N)],
        lambda a, b: [a - b],
    )
    a, b = np.array([5, 6], np.float32), np.array([1, 2], np.float32)
    for result in (subtract(a, b), subtract([a, b]), subtract((a, b)), subtract({"b": b, "a": a})):
        np.testing.assert_array_equal(result, [4, 4])


def test_arrays_without_axes_and_models_without_inputs() -> None:
    scale = executable([tensor("x", "f32")], [tensor("y", "f32", 2)], lambda x: [[x, 2 * x]])
    np.testing.assert_array_equal(scale(3), [3, 6])
    np.testing.assert_array_equal(scale(np.array(3, np.float32)), [3, 6])
    constant = executable([], [tensor("y", "i64", 2)], lambda: [[7, 8]])
    np.testing.assert_array_equal(constant(), [7, 8])


@pytest.mark.parametrize(
    "dtype", ["f16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"]
)
def test_every_dtype(dtype: str) -> None:
    run = echo(dtype)
    x = np.array([0, 1, 127], run.inputs[0].numpy_dtype)
    np.testing.assert_array_equal(run(x), x)
    assert run(x).dtype == x.dtype


@pytest.mark.parametrize(
    ("dtype", "given"),
    [
        ("i32", np.array([1, -2], np.int64)),
        ("i32", np.array([1.0, -2.0])),
        ("i64", np.array([1, 2], np.uint8)),
        ("u8", np.array([0, 255], np.int64)),
        ("bool", np.array([0, 1])),
        ("i32", np.array([True, False])),
        ("u64", np.array([2**64 - 1], np.uint64)),
    ],
)
def test_integers_are_accepted_where_none_changes(dtype: str, given: np.ndarray) -> None:
    np.testing.assert_array_equal(echo(dtype)(given), given)


@pytest.mark.parametrize(
    ("dtype", "given", "found"),
    [
        ("i32", np.array([1.0, 2.5]), "holds 2.5, which is no whole number"),
        ("i32", np.array([np.nan]), "holds nan, which is no whole number"),
        ("i32", np.array([np.inf]), "holds inf, which is no whole number"),
        ("i32", np.array([2**31]), "holds 2147483648, which is above 2147483647"),
        ("i32", np.array([2.0**31], np.float32), "holds 2147483648, which is above 2147483647"),
        ("u8", np.array([-1]), "holds -1, which is below 0"),
        ("i64", np.array([2**63], np.uint64), "holds 9223372036854775808, which is above"),
        ("bool", np.array([2]), "holds 2, which is above 1"),
        ("f32", np.array([1j]), "holds complex128"),
        ("f32", np.array(["a"]), "holds <U1"),
        ("f32", np.array([None]), "holds object"),
    ],
)
def test_numbers_that_would_change_are_refused(dtype: str, given: np.ndarray, found: str) -> None:
    with pytest.raises(InputError) as error:
        echo(dtype)(given)
    assert message(error).startswith(f"model: input x {found}")
    assert f"expected: {dtype}[N]" in message(error)


def test_wrong_shape_names_input_found_and_expected() -> None:
    with pytest.raises(InputError) as error:
        double()(np.zeros((2, 4)))
    assert message(error) == (
        "model: input x has length 4 on axis 1, but 3 is expected\n"
        "    found:    shape (2, 4)\n"
        "    expected: f32[N, 3]"
    )


def test_a_missing_batch_axis_gets_its_remedy() -> None:
    with pytest.raises(InputError, match=r"add the axis of the batch: x\[None\]"):
        double()(np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "takes 2 inputs, but got 0"),
        ((np.zeros((1, 3)),), "takes 2 inputs, but got 1"),
        (({"a": np.zeros((1, 3))},), "needs the input b"),
        (({"a": 1, "c": 2},), "has no input c and needs the input b"),
        ((np.zeros((2, 3)), np.zeros((1, 4))), "input b sets N to 1, but it is 2 in a, axis 0"),
        (
            (np.zeros((0, 3)), np.zeros((0, 4))),
            "input a is empty on axis 0, but N must be positive",
        ),
        (([[1, 2, 3], [4]], np.zeros((1, 4))), "input a is no array"),
    ],
)
def test_inputs_that_do_not_fit_together(arguments: tuple[object, ...], text: str) -> None:
    run = executable(
        [tensor("a", "f32", N, 3), tensor("b", "f32", N, 4)],
        [tensor("y", "f32", N)],
        lambda a, b: [0],
    )
    with pytest.raises(InputError, match=re.escape(text)):
        run(*arguments)


def test_several_dims() -> None:
    run = executable(
        [tensor("x", "f32", N, T, 2), tensor("m", "f32", N, T)],
        [tensor("y", "f32", T, N)],
        lambda x, m: [(x.sum(axis=2) * m).T],
    )
    x, m = np.random.default_rng(0).random((3, 5, 2)), np.ones((3, 5))
    np.testing.assert_allclose(run(x, m), x.sum(axis=2).T, rtol=1e-6)
    with pytest.raises(InputError, match="sets T to 4, but it is 5 in x, axis 1"):
        run(x, m[:, :4])


def test_dense_arrays_are_read_where_they_lie() -> None:
    seen: list[int] = []

    def compute(x: np.ndarray) -> list[np.ndarray]:
        seen.append(x.ctypes.data)
        return [x]

    run = executable([tensor("x", "f32", N, 3)], [tensor("y", "f32", N, 3)], compute)
    x = np.zeros((2, 3), np.float32)
    frozen = x.copy()
    frozen.flags.writeable = False
    run(x)
    run(frozen)
    run([x])
    run(x[1:])
    assert seen == [x.ctypes.data, frozen.ctypes.data, x.ctypes.data, x[1:].ctypes.data]


def test_outputs_are_new_arrays_every_time() -> None:
    run, x = double(), np.ones((1, 3), np.float32)
    first = run(x)
    second = run(2 * x)
    np.testing.assert_array_equal(first, [[2, 2, 2]])
    np.testing.assert_array_equal(second, [[4, 4, 4]])


def test_run_into_writes_where_it_is_told() -> None:
    run, y = double(), np.empty((2, 3), np.float32)
    run.run_into([np.ones((2, 3), np.float32)], [y])
    np.testing.assert_array_equal(y, np.full((2, 3), 2))
    run.run_into({"x": np.zeros((2, 3))}, [y])
    np.testing.assert_array_equal(y, np.zeros((2, 3)))


def test_run_into_refuses_outputs_that_do_not_fit() -> None:
    run, x = double(), np.ones((2, 3), np.float32)
    frozen = np.empty((2, 3), np.float32)
    frozen.flags.writeable = False
    for outputs, text in [
        ([], "has 1 outputs, but got 0 arrays"),
        ([np.empty((2, 4), np.float32)], "is float32 (2, 4), but float32 (2, 3) is expected"),
        ([np.empty((2, 3))], "is float64 (2, 3), but float32 (2, 3) is expected"),
        ([[[0] * 3] * 2], "is list, but float32 (2, 3) is expected"),
        ([np.empty((2, 6), np.float32)[:, ::2]], "not dense"),
        ([frozen], "not dense, aligned and writeable"),
        ([x], "overlaps"),
    ]:
        with pytest.raises(InputError, match=re.escape(text)):
            run.run_into([x], outputs)


def test_error_codes_become_messages() -> None:
    run = executable([tensor("x", "f32", N)], [tensor("y", "f32", N)], lambda x: int(x[0]))
    for code, text in [
        (1, "a pointer is NULL"),
        (2, "not positive"),
        (3, "not aligned"),
        (9, "code 9"),
    ]:
        with pytest.raises(InputError, match=text):
            run([code])


def test_workspaces_are_shared_by_no_two_running_calls() -> None:
    barrier = threading.Barrier(4)

    def compute(x: np.ndarray) -> list[np.ndarray]:
        barrier.wait(30)
        return [x + 1]

    run = executable([tensor("x", "f32", N)], [tensor("y", "f32", N)], compute)
    results: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        results[number] = run(np.full(3, number, np.float32))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, result in results.items():
        np.testing.assert_array_equal(result, np.full(3, number + 1))
    assert len({frame.workspace_address for frame in run._free}) == 4


def test_many_shapes_do_not_pile_up() -> None:
    run = double()
    for rows in range(1, 600):
        assert run(np.ones((rows, 3), np.float32)).shape == (rows, 3)
    assert len(run._plans) <= 256


def test_it_says_what_it_is() -> None:
    run = double()
    assert [value.name for value in run.inputs] == ["x"]
    assert [value.type for value in run.outputs] == ["f32[N, 3]"]
    assert run.info.dim_names == ("N",)
    assert run.trace is None
    assert repr(run) == "<Executable model(x: f32[N, 3]) -> (y: f32[N, 3]) for memory>"


def test_a_loaded_model_cannot_be_saved() -> None:
    with pytest.raises(LibraryError, match="Copy the library"):
        double().save("elsewhere.so")


def test_the_driver_attaches_trace_and_save() -> None:
    run, saved = double(), []
    other = Executable(_address(run), run, trace="the trace", save=saved.append)
    other.save("a.so")
    assert (saved, other.trace) == (["a.so"], "the trace")


def test_models_that_cannot_be_bound_are_refused() -> None:
    with pytest.raises(LibraryError, match="inputs need plain axes"):
        executable([tensor("x", "f32", N, DERIVED)], [], lambda x: [])
    with pytest.raises(LibraryError, match="version 7 of the interface"):
        executable([], [], list, version=7)
    with pytest.raises(LibraryError, match="for memory, but this processor lacks instructions"):
        executable([], [], list, runs_here=False)
    with pytest.raises(LibraryError, match="holds f8"):
        executable([tensor("x", "f8", N)], [], lambda x: [])
    with pytest.raises(LibraryError, match="no description"):
        Executable(0)


def _address(run: Executable) -> int:
    import ctypes

    return ctypes.addressof(run._structure)
