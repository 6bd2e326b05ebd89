"""What callers hand in, turned into the arrays that a compiled model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerac.runtime.abi import DERIVED, ModelInfo, TensorInfo
from kerac.runtime.errors import InputError, LibraryError

Array = np.ndarray[Any, Any]
DENSE_AND_ALIGNED = 0x101  # NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED


def arrange(model: ModelInfo, arguments: tuple[Any, ...]) -> list[Array]:
    """One array an input, from positional arguments, a sequence of them, or a mapping by name."""
    if len(arguments) == 1 and isinstance(arguments[0], Mapping):
        arguments = _by_name(model, arguments[0])
    elif len(arguments) == 1 and _is_sequence_of_inputs(model, arguments[0]):
        arguments = tuple(arguments[0])
    if len(arguments) != len(model.inputs):
        raise InputError(
            f"{model.name}: takes {len(model.inputs)} inputs, but got {len(arguments)}",
            details=_expected(model),
        )
    return [as_input(model, tensor, a) for tensor, a in zip(model.inputs, arguments, strict=True)]


def as_input(model: ModelInfo, tensor: TensorInfo, given: Any) -> Array:
    """A dense array of the dtype of `tensor`; `given` itself where it is one, else a copy.

    Numbers become floats as Keras does it, and integers only where no number changes.
    """
    array = _as_array(model, tensor, given)
    wanted = tensor.numpy_dtype
    if array.dtype != wanted:
        array = _cast(model, tensor, array, wanted)
    # unlike ascontiguousarray, this keeps arrays without axes
    return np.require(array, dtype=wanted, requirements=["C", "A"])


def bind_dims(model: ModelInfo, arrays: Sequence[Array]) -> tuple[int, ...]:
    """What the symbolic dimensions are for `arrays`, whose shapes are checked."""
    bound: dict[int, tuple[int, str]] = {}
    for tensor, array in zip(model.inputs, arrays, strict=True):
        if array.ndim != len(tensor.shape):
            raise _misfit(
                model, tensor, array, f"has {array.ndim} axes", f"{len(tensor.shape)} are expected"
            )
        for axis, (wanted, length) in enumerate(zip(tensor.shape, array.shape, strict=True)):
            if wanted >= 0:
                if length != wanted:
                    raise _misfit(
                        model,
                        tensor,
                        array,
                        f"has length {length} on axis {axis}",
                        f"{wanted} is expected",
                    )
                continue
            name = model.dim_names[-1 - wanted]
            first, where = bound.setdefault(-1 - wanted, (length, f"{tensor.name}, axis {axis}"))
            if length != first:
                raise _misfit(
                    model, tensor, array, f"sets {name} to {length}", f"it is {first} in {where}"
                )
            if length == 0:
                raise _misfit(
                    model, tensor, array, f"is empty on axis {axis}", f"{name} must be positive"
                )
    return tuple(bound[index][0] for index in range(len(model.dim_names)))


def check_signature(model: ModelInfo) -> None:
    """Refuse a model whose dimensions cannot be read off its inputs."""
    found = {-1 - entry for tensor in model.inputs for entry in tensor.shape if entry < 0}
    for tensor in model.inputs:
        if DERIVED in tensor.shape:
            raise LibraryError(
                f"{model.name}: input {tensor.name} is {tensor.type}, but inputs need plain axes"
            )
    for index, name in enumerate(model.dim_names):
        if index not in found:
            raise LibraryError(f"{model.name}: depends on {name}, but no input has that dimension")


def _by_name(model: ModelInfo, given: Mapping[str, Any]) -> tuple[Any, ...]:
    names = [tensor.name for tensor in model.inputs]
    unknown = [str(name) for name in given if name not in names]
    missing = [name for name in names if name not in given]
    if unknown or missing:
        parts = [f"has no input {', '.join(unknown)}"] if unknown else []
        parts += [f"needs the input {', '.join(missing)}"] if missing else []
        raise InputError(f"{model.name}: {' and '.join(parts)}", details=_expected(model))
    return tuple(given[name] for name in names)


def _is_sequence_of_inputs(model: ModelInfo, given: Any) -> bool:
    """Whether a list stands for several inputs, and not for the rows of one."""
    if not isinstance(given, list | tuple):
        return False
    if len(model.inputs) != 1:
        return True
    return len(given) == 1 and getattr(given[0], "ndim", None) == len(model.inputs[0].shape)


def _as_array(model: ModelInfo, tensor: TensorInfo, given: Any) -> Array:
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{model.name}: input {tensor.name} is no array: {error}",
            details=(f"expected: {tensor.type}",),
            remedy="Rows of one array have the same length: pad them.",
        ) from None
    # bfloat16 is of kind V to NumPy
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise _misfit(model, tensor, array, f"holds {array.dtype}", f"{tensor.dtype} is expected")
    return array


def _cast(model: ModelInfo, tensor: TensorInfo, array: Array, wanted: np.dtype[Any]) -> Array:
    if wanted.kind in "iub" and array.size:
        found = _unfit_for_integers(array, wanted)
        if found:
            raise _misfit(model, tensor, array, f"holds {found}", f"{tensor.dtype} is expected")
    with np.errstate(all="ignore"):  # what is too large for a float becomes infinite
        return array.astype(wanted)


def _unfit_for_integers(array: Array, wanted: np.dtype[Any]) -> str | None:
    """What in `array` an integer dtype cannot hold."""
    if array.dtype.kind not in "iub":
        unfit = array[~(np.isfinite(array) & (np.floor(array) == array))]
        if unfit.size:
            return f"{unfit.flat[0]}, which is no whole number"
    low, high = (0, 1) if wanted.kind == "b" else (np.iinfo(wanted).min, np.iinfo(wanted).max)
    # Python's integers compare exactly, whatever the two dtypes are
    smallest, largest = int(array.min()), int(array.max())
    if smallest < low:
        return f"{smallest}, which is below {low}"
    if largest > high:
        return f"{largest}, which is above {high}"
    return None


def _misfit(
    model: ModelInfo, tensor: TensorInfo, array: Array, found: str, expected: str
) -> InputError:
    remedy = None
    if array.ndim + 1 == len(tensor.shape) and tensor.shape[0] < 0:
        remedy = f"Where this is one sample, add the axis of the batch: {tensor.name}[None]."
    return InputError(
        f"{model.name}: input {tensor.name} {found}, but {expected}",
        details=(f"found:    shape {array.shape}", f"expected: {tensor.type}"),
        remedy=remedy,
    )


def _expected(model: ModelInfo) -> tuple[str, ...]:
    return tuple(f"{tensor.name}: {tensor.type}" for tensor in model.inputs)
