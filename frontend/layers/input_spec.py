"""What a layer says about its inputs, for checks before it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kerac.dtypes import standardize_dtype
from kerac.ir import Value
from kerac.ir.errors import CompileError, ShapeError
from kerac.structure import leaves
from kerac.tensor import shape_of

if TYPE_CHECKING:
    from kerac.layers.base import Layer


class InputSpec:
    """Dtype, shape and number of axes that an input must have; None stands for any.

    A layer sets one for each input as `self.input_spec`.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else standardize_dtype(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(axis): length for axis, length in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name, self.optional = name, optional
        last = self.ndim or self.max_ndim
        if last is not None and any(axis >= last for axis in self.axes):
            raise CompileError(
                f"InputSpec: axes name axis {max(self.axes)}, but there are at most {last} axes"
            )

    def __repr__(self) -> str:
        shown = {name: value for name, value in self.get_config().items() if value}
        return f"InputSpec({', '.join(f'{name}={value}' for name, value in shown.items())})"

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal specification."""
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> InputSpec:
        """Make a specification from what `get_config` returned."""
        return cls(**config)

    def complaints(self, x: Value) -> list[str]:
        """What is wrong with an input."""
        shape, ndim = shape_of(x.tensor_type), x.ndim
        found = []
        if self.ndim is not None and not self.allow_last_axis_squeeze and ndim != self.ndim:
            found.append(f"must have {_axes(self.ndim)}")
        if self.max_ndim is not None and ndim > self.max_ndim:
            found.append(f"must have at most {_axes(self.max_ndim)}")
        if self.min_ndim is not None and ndim < self.min_ndim:
            found.append(f"must have at least {_axes(self.min_ndim)}")
        if self.dtype is not None and x.tensor_type.numpy_dtype.name != self.dtype:
            found.append(f"must be {self.dtype}")
        if found:
            return found
        for axis, length in self.axes.items():
            if length is not None and shape[axis] not in (length, None):
                found.append(f"must have the length {length} on axis {axis}")
        if self.shape is not None and not self._fits(shape):
            found.append(f"must have the shape {self.shape}")
        return found

    def _fits(self, shape: tuple[int | None, ...]) -> bool:
        wanted = self.shape or ()
        if self.allow_last_axis_squeeze:
            wanted, shape = (s[:-1] if s and s[-1] == 1 else s for s in (wanted, shape))
        pairs = zip(wanted, shape, strict=False)
        return all(want is None or have is None or want == have for want, have in pairs)


def check_inputs(layer: Layer, inputs: Any) -> None:
    """Compare inputs with what the layer says about them in `input_spec`, if it does."""
    given = getattr(layer, "input_spec", None)
    if not given:
        return
    specs = leaves(given)
    names = [spec.name if spec is not None else None for spec in specs]
    if isinstance(inputs, dict) and all(names):
        missing = [name for name in names if name not in inputs]
        if missing:
            raise CompileError(f"{layer.name}: needs the input {missing[0]!r}, but did not get it")
        inputs = [inputs[name] for name in names]
    values = leaves(inputs)
    if len(values) != len(specs):
        raise CompileError(f"{layer.name}: takes {len(specs)} inputs, but got {len(values)}")
    for spec, x in zip(specs, values, strict=True):
        wrong = spec.complaints(x) if spec is not None and isinstance(x, Value) else []
        if wrong:
            which = "the input" if spec.name is None else f"input {spec.name!r}"
            raise ShapeError(f"{which} {' and '.join(wrong)}, but is {x.type}")


def _axes(count: int) -> str:
    return "1 axis" if count == 1 else f"{count} axes"
