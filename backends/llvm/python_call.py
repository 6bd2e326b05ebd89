"""A compiled model as a function of Python's own: from arrays to new arrays without ctypes between.

A call through ctypes costs two microseconds, more than a small network takes. `bind_call` makes a
builtin function for inputs of given shapes, which declines others by `None`. It reads arrays where
NumPy's header `ndarraytypes.h` says that their fields lie; where they lie elsewhere, as in builds
of Python that have other objects, there is no such function.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from kerac.backends.llvm.target import find_target
from kerac.runtime import BoundShapes, aligned_bytes
from kerac.runtime.arguments import DENSE_AND_ALIGNED

FUNCTION = "kerac_python_call"

# byte offsets in objects of CPython, and in those of NumPy
_TYPE, _DATA, _NDIM, _LENGTHS, _DTYPE, _FLAGS = 8, 16, 24, 32, 56, 64
_EMPTY = 184  # the place of PyArray_Empty in NumPy's table of functions
_FASTCALL = 0x80  # METH_FASTCALL: self, the arguments, and how many they are

# words of the state: a call holds it from its first check until its run is over
_STATE = (
    "busy", "run", "dims", "workspace", "parallel", "addresses_in", "addresses_out",
    "input_count", "inputs", "output_count", "outputs", "results",
    "array_type", "make_empty", "none", "incref", "decref", "release", "acquire",
    "make_tuple", "set_item",
)  # fmt: skip
_RECORD = 3  # words that describe an array: dtype, number of axes, where their lengths are


def _load(name: str, kind: str = "ptr") -> str:
    """Lines that read a word of the state."""
    return (
        f"  %{name}.place = getelementptr i64, ptr %state, i64 {_STATE.index(name)}\n"
        f"  %{name} = load {kind}, ptr %{name}.place, align 8"
    )


TEXT = f"""
define ptr @{FUNCTION}(ptr %self, ptr %arguments, i64 %count) {{
entry:
  %state.place = getelementptr i8, ptr %self, i64 {_DATA}
  %state = load ptr, ptr %state.place, align 8
{_load("busy", "i64")}
{_load("input_count", "i64")}
{_load("none")}
{_load("incref")}
{_load("decref")}
{_load("array_type")}
{_load("inputs")}
{_load("addresses_in")}
  %is_free = icmp eq i64 %busy, 0
  %is_count = icmp eq i64 %count, %input_count
  %may_start = and i1 %is_free, %is_count
  br i1 %may_start, label %check, label %decline
decline:
  call void %incref(ptr %none)
  ret ptr %none

check:
  %i = phi i64 [ 0, %entry ], [ %i.next, %checked ]
  %all_checked = icmp eq i64 %i, %input_count
  br i1 %all_checked, label %start, label %check_type
check_type:
  %argument.place = getelementptr ptr, ptr %arguments, i64 %i
  %argument = load ptr, ptr %argument.place, align 8
  %type.place = getelementptr i8, ptr %argument, i64 {_TYPE}
  %type = load ptr, ptr %type.place, align 8
  %is_array = icmp eq ptr %type, %array_type
  br i1 %is_array, label %check_form, label %decline
check_form:
  %record.first = mul i64 %i, {_RECORD}
  %record = getelementptr i64, ptr %inputs, i64 %record.first
  %dtype.wanted = load ptr, ptr %record, align 8
  %dtype.place = getelementptr i8, ptr %argument, i64 {_DTYPE}
  %dtype = load ptr, ptr %dtype.place, align 8
  %is_dtype = icmp eq ptr %dtype, %dtype.wanted
  %flags.place = getelementptr i8, ptr %argument, i64 {_FLAGS}
  %flags = load i32, ptr %flags.place, align 4
  %flags.needed = and i32 %flags, {DENSE_AND_ALIGNED}
  %is_dense = icmp eq i32 %flags.needed, {DENSE_AND_ALIGNED}
  %axes.wanted.place = getelementptr i64, ptr %record, i64 1
  %axes.wanted = load i64, ptr %axes.wanted.place, align 8
  %axes.place = getelementptr i8, ptr %argument, i64 {_NDIM}
  %axes = load i32, ptr %axes.place, align 4
  %axes.long = sext i32 %axes to i64
  %is_axes = icmp eq i64 %axes.long, %axes.wanted
  %is_readable = and i1 %is_dtype, %is_dense
  %is_form = and i1 %is_readable, %is_axes
  br i1 %is_form, label %check_lengths, label %decline
check_lengths:
  %lengths.wanted.place = getelementptr i64, ptr %record, i64 2
  %lengths.wanted = load ptr, ptr %lengths.wanted.place, align 8
  %lengths.place = getelementptr i8, ptr %argument, i64 {_LENGTHS}
  %lengths = load ptr, ptr %lengths.place, align 8
  br label %check_axis
check_axis:
  %axis = phi i64 [ 0, %check_lengths ], [ %axis.next, %check_length ]
  %is_shape = icmp eq i64 %axis, %axes.wanted
  br i1 %is_shape, label %checked, label %check_length
check_length:
  %length.wanted.place = getelementptr i64, ptr %lengths.wanted, i64 %axis
  %length.wanted = load i64, ptr %length.wanted.place, align 8
  %length.place = getelementptr i64, ptr %lengths, i64 %axis
  %length = load i64, ptr %length.place, align 8
  %is_length = icmp eq i64 %length, %length.wanted
  %axis.next = add i64 %axis, 1
  br i1 %is_length, label %check_axis, label %decline
checked:
  %data.place = getelementptr i8, ptr %argument, i64 {_DATA}
  %data = load ptr, ptr %data.place, align 8
  %address.place = getelementptr ptr, ptr %addresses_in, i64 %i
  store ptr %data, ptr %address.place, align 8
  %i.next = add i64 %i, 1
  br label %check

start:
{_load("output_count", "i64")}
{_load("outputs")}
{_load("results")}
{_load("addresses_out")}
{_load("make_empty")}
  store i64 1, ptr %busy.place, align 8
  br label %make
make:
  %o = phi i64 [ 0, %start ], [ %o.next, %made ]
  %all_made = icmp eq i64 %o, %output_count
  br i1 %all_made, label %run_it, label %make_one
make_one:
  %output.first = mul i64 %o, {_RECORD}
  %output = getelementptr i64, ptr %outputs, i64 %output.first
  %output.dtype = load ptr, ptr %output, align 8
  %output.axes.place = getelementptr i64, ptr %output, i64 1
  %output.axes.long = load i64, ptr %output.axes.place, align 8
  %output.axes = trunc i64 %output.axes.long to i32
  %output.lengths.place = getelementptr i64, ptr %output, i64 2
  %output.lengths = load ptr, ptr %output.lengths.place, align 8
  call void %incref(ptr %output.dtype)
  %new = call ptr %make_empty(i32 %output.axes, ptr %output.lengths, ptr %output.dtype, i32 0)
  %is_new = icmp ne ptr %new, null
  br i1 %is_new, label %made, label %undo
made:
  %result.place = getelementptr ptr, ptr %results, i64 %o
  store ptr %new, ptr %result.place, align 8
  %new.data.place = getelementptr i8, ptr %new, i64 {_DATA}
  %new.data = load ptr, ptr %new.data.place, align 8
  %new.address.place = getelementptr ptr, ptr %addresses_out, i64 %o
  store ptr %new.data, ptr %new.address.place, align 8
  %o.next = add i64 %o, 1
  br label %make

run_it:
{_load("run")}
{_load("dims")}
{_load("workspace")}
{_load("parallel")}
{_load("release")}
{_load("acquire")}
  %thread = call ptr %release()
  %code = call i32 %run(ptr %addresses_in, ptr %addresses_out, ptr %dims, ptr %workspace,
                        ptr %parallel)
  call void %acquire(ptr %thread)
  %is_ok = icmp eq i32 %code, 0
  br i1 %is_ok, label %hand_out, label %undo
hand_out:
  %is_one = icmp eq i64 %output_count, 1
  br i1 %is_one, label %hand_out_one, label %hand_out_all
hand_out_one:
  %only = load ptr, ptr %results, align 8
  store i64 0, ptr %busy.place, align 8
  ret ptr %only
hand_out_all:
{_load("make_tuple")}
{_load("set_item")}
  %tuple = call ptr %make_tuple(i64 %output_count)
  %is_tuple = icmp ne ptr %tuple, null
  br i1 %is_tuple, label %fill, label %undo
fill:
  %f = phi i64 [ 0, %hand_out_all ], [ %f.next, %fill_one ]
  %all_filled = icmp eq i64 %f, %output_count
  br i1 %all_filled, label %filled, label %fill_one
fill_one:
  %item.place = getelementptr ptr, ptr %results, i64 %f
  %item = load ptr, ptr %item.place, align 8
  %is_set = call i32 %set_item(ptr %tuple, i64 %f, ptr %item)
  %f.next = add i64 %f, 1
  br label %fill
filled:
  store i64 0, ptr %busy.place, align 8
  ret ptr %tuple

undo:
  %failed = phi i1 [ true, %make_one ], [ false, %run_it ], [ true, %hand_out_all ]
  %left.first = phi i64 [ %o, %make_one ], [ %output_count, %run_it ],
                        [ %output_count, %hand_out_all ]
  br label %undo_next
undo_next:
  %left = phi i64 [ %left.first, %undo ], [ %left.next, %undo_one ]
  %all_undone = icmp eq i64 %left, 0
  br i1 %all_undone, label %undone, label %undo_one
undo_one:
  %left.next = sub i64 %left, 1
  %old.place = getelementptr ptr, ptr %results, i64 %left.next
  %old = load ptr, ptr %old.place, align 8
  call void %decref(ptr %old)
  br label %undo_next
undone:
  store i64 0, ptr %busy.place, align 8
  br i1 %failed, label %raise, label %decline
raise:
  ret ptr null
}}
"""


def make_binder() -> Callable[[BoundShapes], Callable[..., Any]] | None:
    """`bind_call`, its code made; or none where this Python has other objects."""
    if not _objects_are_known():
        return None
    _definition()
    return bind_call


def bind_call(shapes: BoundShapes) -> Callable[..., Any]:
    """A function of arrays of just these shapes.

    It answers `None`, for the usual way to see to it, where arguments are anything else, while it
    runs in another thread, and where the run fails.
    """
    inputs = _describe(shapes.inputs)
    outputs = _describe(shapes.outputs)
    addresses_in = np.zeros(len(shapes.inputs), np.int64)
    addresses_out = np.zeros(len(shapes.outputs), np.int64)
    results = np.zeros(len(shapes.outputs), np.int64)
    workspace = aligned_bytes(max(shapes.workspace_size, 1))
    words = {
        **_functions(),
        "busy": 0,
        "run": shapes.run,
        "dims": shapes.dims,
        "workspace": workspace.ctypes.data,
        "parallel": shapes.parallel,
        "addresses_in": addresses_in.ctypes.data,
        "addresses_out": addresses_out.ctypes.data,
        "input_count": len(shapes.inputs),
        "inputs": inputs[0].ctypes.data,
        "output_count": len(shapes.outputs),
        "outputs": outputs[0].ctypes.data,
        "results": results.ctypes.data,
    }
    state = np.array([words[name] for name in _STATE], np.int64)
    keep = (inputs, outputs, addresses_in, addresses_out, results, workspace, shapes)
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, *[ctypes.py_object] * 2]
    function: Callable[..., Any] = make(ctypes.addressof(_definition()), state, keep)
    return function


def _describe(arrays: Sequence[tuple[tuple[int, ...], np.dtype[Any]]]) -> tuple[Any, ...]:
    """The records of arrays, and what they point to."""
    lengths = [np.array(shape or (0,), np.int64) for shape, _ in arrays]
    rows = [
        (id(dtype), len(shape), row.ctypes.data)
        for (shape, dtype), row in zip(arrays, lengths, strict=True)
    ]
    return np.array(rows, np.int64), lengths, arrays


class _Definition(ctypes.Structure):
    """`PyMethodDef`."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


@cache
def _definition() -> _Definition:
    from kerac.backends.llvm.jit import lasting_code

    address = lasting_code(TEXT, FUNCTION, find_target()).address(FUNCTION)
    return _Definition(b"run", address, _FASTCALL, None)


@cache
def _functions() -> dict[str, int]:
    """Addresses of what the code calls, and of the objects that it knows."""
    python = ctypes.pythonapi
    names = {
        "incref": python.Py_IncRef,
        "decref": python.Py_DecRef,
        "release": python.PyEval_SaveThread,
        "acquire": python.PyEval_RestoreThread,
        "make_tuple": python.PyTuple_New,
        "set_item": python.PyTuple_SetItem,
    }
    addresses = {
        name: ctypes.cast(function, ctypes.c_void_p).value or 0 for name, function in names.items()
    }
    table = _capsule_pointer(np._core._multiarray_umath._ARRAY_API)  # type: ignore[attr-defined]
    make_empty = ctypes.c_void_p.from_address(table + _EMPTY * ctypes.sizeof(ctypes.c_void_p))
    return addresses | {
        "make_empty": make_empty.value or 0,
        "array_type": id(np.ndarray),
        "none": id(None),
    }


def _capsule_pointer(capsule: object) -> int:
    read = ctypes.pythonapi.PyCapsule_GetPointer
    read.restype, read.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(read(capsule, None))


@cache
def _objects_are_known() -> bool:
    """Whether an array's fields lie where this module reads them."""
    probe = np.zeros((3, 5), np.float32)
    if object.__basicsize__ != _DATA or np.ndarray.__basicsize__ < _FLAGS + 4:
        return False
    start = id(probe)

    def word(offset: int) -> int:
        return ctypes.c_int64.from_address(start + offset).value

    lengths = ctypes.c_int64 * 2
    return (
        word(_TYPE) == id(np.ndarray)
        and word(_DATA) == probe.ctypes.data
        and ctypes.c_int.from_address(start + _NDIM).value == 2
        and tuple(lengths.from_address(word(_LENGTHS))) == probe.shape
        and word(_DTYPE) == id(probe.dtype)
        and ctypes.c_int.from_address(start + _FLAGS).value == probe.flags.num
    )
