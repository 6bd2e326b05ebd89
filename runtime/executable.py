"""A compiled model that can be called, whether it lies in a library or was just made in memory."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kerac.runtime.abi import (
    DERIVED,
    RETURN_CODES,
    KeracParallel,
    ModelInfo,
    TensorInfo,
    info_at,
    read_info,
)
from kerac.runtime.arguments import (
    DENSE_AND_ALIGNED,
    Array,
    arrange,
    bind_dims,
    check_signature,
)
from kerac.runtime.errors import InputError, LibraryError
from kerac.runtime.frames import BoundShapes, Frame, Plan, Steps

addressof = ctypes.addressof
empty, ndarray = np.empty, np.ndarray
byte_in: Callable[[Any], ctypes.c_char] = ctypes.c_char.from_buffer

_PLAN_LIMIT = 256  # shapes remembered

Shapes = tuple[int, ...] | tuple[tuple[int, ...], ...]  # of one input, or of each
Bind = Callable[[BoundShapes], Callable[..., Any]]
# pointers made beforehand pass faster than addresses do
PointerFunction = ctypes.CFUNCTYPE(ctypes.c_int)


class Executable:
    """A compiled model: call it on arrays, one an input, or on a dict of them by name.

    Calls from several threads run side by side. Arrays of the right dtype that are dense are read
    where they lie.
    """

    def __init__(
        self,
        info_address: int,
        keepalive: object = None,
        *,
        threads: int | None = None,
        trace: Any = None,
        save: Callable[[str | os.PathLike[str]], Any] | None = None,
        bind: Bind | None = None,
    ) -> None:
        """Read the `kerac_info` at `info_address`, which lives as long as `keepalive`.

        Calls use at most so many `threads`, by default as many as the process may run on. Once
        shapes repeat, `bind` may make a faster function for them; it answers `None` where it cannot
        serve a call.
        """
        structure = info_at(info_address)
        self.info: ModelInfo = read_info(structure)
        check_signature(self.info)
        if not structure.variant():
            raise LibraryError(
                f"{self.info.name}: was compiled for {self.info.target}, "
                "but this processor lacks instructions of it",
                remedy="Compile the model with --target portable.",
            )
        self.trace = trace
        self._save = save
        self._keepalive = keepalive
        self._structure = structure
        self._function = PointerFunction(
            ctypes.cast(structure.run, ctypes.c_void_p).value or 0
        )
        self._input_dtypes = tuple(tensor.numpy_dtype for tensor in self.info.inputs)
        self._output_dtypes = tuple(tensor.numpy_dtype for tensor in self.info.outputs)
        self._parallel = KeracParallel()
        self._parallel_pointer = ctypes.byref(self._parallel)
        self.threads = available_threads() if threads is None else threads
        self._plans: dict[Shapes, Plan] = {}
        # output number -> number of the input that it is written over
        self._replaced = {
            number: tensor.replaces
            for number, tensor in enumerate(self.info.outputs)
            if tensor.replaces >= 0
        }
        # what a call needs for itself; as many as calls ever ran at the same time
        self._free: list[Frame] = []
        self._bind = None if self._replaced else bind
        self._bound: Callable[..., Any] = _decline
        self._bound_plan: Plan | None = None
        self._last_plan: Plan | None = None

    @property
    def threads(self) -> int:
        """At most so many threads work on a call; results are the same for any number."""
        return int(self._parallel.threads)

    @threads.setter
    def threads(self, threads: int) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise InputError(
                f"{self.info.name}: threads must be a positive integer, but is {threads!r}"
            )
        self._parallel.threads = min(threads, 2**31)

    @property
    def variant(self) -> str:
        """What the code is made for that runs here: of a library's variants, the one chosen."""
        return ctypes.string_at(self._structure.variant()).decode()

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """Names, dtypes and shapes of the inputs."""
        return self.info.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Names, dtypes and shapes of the outputs."""
        return self.info.outputs

    def __call__(self, *arguments: Any) -> Any:
        """The output for `arguments`, or a tuple where the model has several."""
        found = self._bound(*arguments)
        if found is not None:
            return found
        arrays = arguments if self._are_ready(arguments) else arrange(self.info, arguments)
        plan = self._plan(arrays)
        outputs = [empty(shape, dtype) for shape, dtype in plan.outputs]
        if self._replaced:
            arrays = list(arrays)
            for number, place in self._replaced.items():
                outputs[number] = arrays[place] = arrays[place].copy()
        self._run(plan, arrays, outputs)
        if self._bind and plan is not self._bound_plan:
            self._bind_repeated(plan, arrays, self._bind)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def run_into(self, inputs: Any, outputs: Sequence[Array], check: bool = True) -> None:
        """Write the outputs for `inputs` (a sequence or a dict) into the arrays `outputs`.

        The array for an output that replaces an input is that input's array itself. Without
        `check` outputs are taken to fit and to overlap nothing, as those of an earlier run.
        """
        arguments = (inputs,) if isinstance(inputs, Mapping) else tuple(inputs)
        arrays = arguments if self._are_ready(arguments) else arrange(self.info, arguments)
        plan = self._plan(arrays)
        outputs = list(outputs)
        if check:
            self._check_outputs(plan, arrays, outputs)
        self._run(plan, arrays, outputs)

    def run_steps(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        steps: Steps,
        check: bool = True,
    ) -> None:
        """`run_into` for several batches of one size, one after another, in one call.

        The first inputs hold all of them; the arrays must be dense and of the inputs' dtypes.
        """
        size = len(inputs[0]) // steps.count
        firsts = [array[:size] for array in inputs[: steps.moving]]
        arrays = (*firsts, *inputs[steps.moving :])
        if not self._are_ready(arrays):
            raise InputError(f"{self.info.name}: arrays for several steps must be used as they are")
        plan = self._plan(arrays)
        if check:
            self._check_outputs(plan, arrays, list(outputs))
        self._run(plan, arrays, outputs, steps)

    def save(self, path: str | os.PathLike[str]) -> Any:
        """Write the model as a library `.so`, an object `.o` or an archive `.a`, and its header."""
        if self._save is None:
            raise LibraryError(
                f"{self.info.name}: was loaded, but only a model compiled here can be saved",
                remedy="Copy the library, or compile the model file.",
            )
        return self._save(path)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{tensor.name}: {tensor.type}" for tensor in self.inputs)
        outputs = ", ".join(f"{tensor.name}: {tensor.type}" for tensor in self.outputs)
        return f"<Executable {self.info.name}({inputs}) -> ({outputs}) for {self.info.target}>"

    def _are_ready(self, arguments: tuple[Any, ...]) -> bool:
        """Whether the arguments can be read as they are; their shapes are checked by the plan."""
        dtypes = self._input_dtypes
        if len(arguments) != len(dtypes):
            return False
        for place, array in enumerate(arguments):
            if type(array) is not ndarray:
                return False
            dtype = array.dtype
            # arrays from files and other processes have equal dtypes that are other objects
            if dtype is not dtypes[place] and dtype != dtypes[place]:
                return False
            if array.flags.num & DENSE_AND_ALIGNED != DENSE_AND_ALIGNED:
                return False
        return True

    def _plan(self, arrays: Sequence[Array]) -> Plan:
        shapes = arrays[0].shape if len(arrays) == 1 else tuple([array.shape for array in arrays])
        plan = self._plans.get(shapes)
        if plan is None:
            plan = self._make_plan(arrays)
            if len(self._plans) >= _PLAN_LIMIT:
                self._plans.clear()
            self._plans[shapes] = plan
        return plan

    def _bind_repeated(
        self,
        plan: Plan,
        arrays: Sequence[Array],
        bind: Bind,
    ) -> None:
        """Have a function made for shapes that come a second time in a row."""
        if plan is not self._last_plan:
            self._last_plan = plan
            return
        shapes = BoundShapes(
            run=ctypes.cast(self._function, ctypes.c_void_p).value or 0,
            inputs=[(a.shape, d) for a, d in zip(arrays, self._input_dtypes, strict=True)],
            outputs=plan.outputs,
            dims=addressof(plan.dims),
            workspace_size=plan.workspace_size,
            parallel=addressof(self._parallel),
        )
        # a call in another thread keeps the function that it runs
        self._bound, self._bound_plan = bind(shapes), plan
        self._free.clear()

    def _make_plan(self, arrays: Sequence[Array]) -> Plan:
        bound = bind_dims(self.info, arrays)
        dims = (ctypes.c_int64 * max(len(bound), 1))(*bound)
        address = ctypes.addressof(dims)
        outputs = [
            (self._output_shape(index, tensor, bound, address), dtype)
            for index, (tensor, dtype) in enumerate(
                zip(self.outputs, self._output_dtypes, strict=True)
            )
        ]
        size = self._structure.workspace_size(address)
        return Plan(dims, ctypes.byref(dims), size, outputs)

    def _output_shape(
        self, index: int, tensor: TensorInfo, bound: tuple[int, ...], dims: int
    ) -> tuple[int, ...]:
        if DERIVED not in tensor.shape:
            return tuple(entry if entry >= 0 else bound[-1 - entry] for entry in tensor.shape)
        shape = (ctypes.c_int64 * len(tensor.shape))()
        self._check(self._structure.output_shape(index, dims, ctypes.addressof(shape)))
        if min(shape) < 0:
            raise InputError(
                f"{self.info.name}: output {tensor.name} would have shape {(*shape,)}, "
                "but no length can be negative",
                details=tuple(
                    f"{k} = {v}" for k, v in zip(self.info.dim_names, bound, strict=True)
                ),
                remedy="The input is too small for this model.",
            )
        return tuple(shape)

    def _run(
        self,
        plan: Plan,
        arrays: Sequence[Array],
        outputs: Sequence[Array],
        steps: Steps | None = None,
    ) -> None:
        try:
            frame = self._free.pop()
        except IndexError:
            frame = Frame(len(arrays), len(outputs))
        if frame.size < plan.workspace_size:
            frame.grow(plan.workspace_size)
        try:
            # a quarter of the time of array.ctypes.data
            for place, array in enumerate(arrays):
                frame.inputs[place] = addressof(byte_in(array))
            for place, array in enumerate(outputs):
                frame.outputs[place] = addressof(byte_in(array))
        except (TypeError, ValueError):  # read-only, empty, or of a dtype that buffers do not know
            frame.inputs[:] = [array.ctypes.data for array in arrays]
            frame.outputs[:] = [array.ctypes.data for array in outputs]
        if steps is None:
            code = self._function(
                frame.input_pointer,
                frame.output_pointer,
                plan.dims_pointer,
                frame.workspace_pointer,
                self._parallel_pointer,
            )
        else:
            code = self._run_steps(plan, frame, arrays, steps)
        self._free.append(frame)
        if code:
            self._check(code)

    def _run_steps(
        self, plan: Plan, frame: Frame, arrays: Sequence[Array], steps: Steps
    ) -> int:
        function = ctypes.cast(self._function, ctypes.c_void_p).value
        addresses = (
            addressof(frame.inputs),
            addressof(frame.outputs),
            addressof(plan.dims),
            frame.workspace_address,
            addressof(self._parallel),
        )
        return steps.run(function, addresses, [array.nbytes for array in arrays[: steps.moving]])

    def _check(self, code: int) -> None:
        if code:
            reason = RETURN_CODES.get(code, f"code {code}")
            raise InputError(f"{self.info.name}: the run failed: {reason}")

    def _check_outputs(self, plan: Plan, inputs: Sequence[Array], outputs: list[Array]) -> None:
        if len(outputs) != len(plan.outputs):
            raise InputError(
                f"{self.info.name}: has {len(plan.outputs)} outputs, but got {len(outputs)} arrays"
            )
        for number, (array, (shape, dtype)) in enumerate(zip(outputs, plan.outputs, strict=True)):
            name = f"{self.info.name}: array for output {self.outputs[number].name}"
            if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
                raise InputError(f"{name} is {_found(array)}, but {dtype} {shape} is expected")
            if not (array.flags.c_contiguous and array.flags.aligned and array.flags.writeable):
                raise InputError(f"{name} is a view that is not dense, aligned and writeable")
            place = self._replaced.get(number)
            if place is not None and array is not inputs[place]:
                raise InputError(
                    f"{name} must be that of input {self.inputs[place].name}, which it replaces"
                )
            others = [other for i, other in enumerate(inputs) if i != place]
            if any(np.may_share_memory(array, other) for other in (*others, *outputs[:number])):
                raise InputError(f"{name} overlaps an input or another output")


def _decline(*_: Any) -> None:
    """No bound function serves the call."""


def available_threads() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _found(array: Any) -> str:
    is_array = isinstance(array, np.ndarray)
    return f"{array.dtype} {array.shape}" if is_array else type(array).__name__
