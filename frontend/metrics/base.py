"""What all metrics share: state that batches change, and a result that follows from it.

Part of a larger graph, on values:

    metric.build(y_true_type, y_pred_type)      # makes metric.variables
    new_state = metric.update(state, y_true, y_pred, sample_weight, mask)
    value = metric.value(state)

`state` is one value for each of `metric.variables`, f32, which begin at 0. On arrays there are
`update_state`, `result`, `reset_state`, and a call, as in Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from kerac.configured import Configured, fields
from kerac.eager import as_array, evaluate
from kerac.initializers import Zeros
from kerac.ir import TensorType, Value, ops, type_of
from kerac.ir.errors import UnsupportedError
from kerac.losses.base import as_float, masked
from kerac.losses.functions import divide_no_nan, mean, same_rank, size, total
from kerac.names import automatic_name
from kerac.variable import Variable

State = Sequence[Value]


class Metric(Configured, keyword_only=True):
    """Base of all metrics. A subclass states `states`, `update` and `value`."""

    module: ClassVar[str] = "keras.metrics"

    name: str | None = None
    dtype: str | None = "float32"

    def __post_init__(self) -> None:
        self.name = self.name or automatic_name(type(self).__name__)
        self.dtype = self.dtype or "float32"
        self._variables: list[Variable] | None = None

    def states(self, y_true: TensorType | None, y_pred: TensorType | None) -> Mapping[str, Any]:
        """Shapes of the state by name, for labels and predictions of these types."""
        raise UnsupportedError(f"{type(self).__name__} does not say what it keeps")

    def update(self, state: State, *tensors: Any, **weights: Any) -> list[Value]:
        """The state after one more batch."""
        raise UnsupportedError(f"{type(self).__name__} does not say how it changes")

    def value(self, state: State) -> Value:
        """The result so far."""
        raise UnsupportedError(f"{type(self).__name__} does not say what it computes")

    @property
    def is_imperative(self) -> bool:
        """Whether a subclass writes `update_state` and `result` as for Keras, by assignments."""
        return type(self).update_state is not Metric.update_state

    def add_variable(
        self, shape: Any, initializer: Any = None, dtype: Any = None, name: Any = None
    ) -> Variable:
        """Make a variable for `update_state` to change, f32."""
        del dtype
        from kerac.initializers import get

        self._variables = self._variables or []
        name = name or f"variable_{len(self._variables)}"
        start = get(initializer) or Zeros()
        variable = Variable(
            start, tuple(shape), trainable=False, name=name, path=f"{self.name}/{name}"
        )
        self._variables.append(variable)
        return variable

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: Any = None
    ) -> Variable:
        """As `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name)

    def label_classes(self, shape: Any) -> Any:
        """How many classes labels number, for predictions of a shape; None where they do not."""
        del shape

    def build(self, y_true: TensorType | None = None, y_pred: TensorType | None = None) -> None:
        """Make the state, unless it is there."""
        if self._variables is None and not self.is_imperative:
            self._variables = [
                Variable(
                    Zeros(), tuple(shape), trainable=False, name=name, path=f"{self.name}/{name}"
                )
                for name, shape in self.states(y_true, y_pred).items()
            ]

    @property
    def variables(self) -> list[Variable]:
        """The state; empty where it depends on shapes that are not known yet."""
        return list(self._variables or ())

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take one more batch of arrays into account."""
        names = ("y_true", "y_pred", "sample_weight", "mask")[: 4 if self.pairs else 0]
        names = names or ("values", "sample_weight")
        given = dict(zip(names, args, strict=False)) | kwargs
        arrays = {k: as_array(x) for k, x in given.items() if x is not None}
        types = [type_of(arrays[k]) for k in ("y_true", "y_pred") if k in arrays]
        self.build(*types)
        keys, count = list(arrays), len(self.variables)

        def step(*values: Value) -> Any:
            return self.update(values[:count], **dict(zip(keys, values[count:], strict=True)))

        states = [variable.array for variable in self.variables]
        for variable, new in zip(
            self.variables, evaluate(step, [*states, *arrays.values()]), strict=True
        ):
            variable.assign(new)

    pairs: ClassVar[bool] = True

    def result(self) -> Any:
        """The result so far, an array."""
        self.build()
        return evaluate(lambda *state: self.value(state), [v.array for v in self.variables])

    def reset_state(self) -> None:
        """Begin anew."""
        for variable in self.variables:
            variable.assign(variable.array * 0)

    reset_states = reset_state

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()


def samplewise(values: Value, weight: Value | None, reduce: Callable[..., Value]) -> Any:
    """Values for each sample times its weight, and the weights, as Keras reduces them."""
    values = as_float(values)
    if weight is not None:
        values, weight = same_rank(values, as_float(weight))
        if values.ndim > weight.ndim:
            values = reduce(values, tuple(range(weight.ndim, values.ndim)))
        weight = ops.broadcast_to(weight, values.shape)
        values = values * weight
        if weight.ndim > 1:
            weight = reduce(weight, tuple(range(1, weight.ndim)))
    if values.ndim > 1:
        values = reduce(values, tuple(range(1, values.ndim)))
    return values, weight


class Sum(Metric):
    """The weighted sum of all values."""

    pairs = False
    name: str | None = "sum"
    dtype: str | None = "float32"

    def states(self, y_true: Any, y_pred: Any) -> Mapping[str, Any]:
        return {"total": ()}

    def update(self, state: State, values: Any, sample_weight: Any = None) -> list[Value]:
        values, _ = samplewise(values, sample_weight, total)
        return [state[0] + total(values)]

    def value(self, state: State) -> Value:
        return state[0]


class Mean(Metric):
    """The weighted mean of all values."""

    pairs = False
    name: str | None = "mean"
    dtype: str | None = "float32"

    def states(self, y_true: Any, y_pred: Any) -> Mapping[str, Any]:
        return {"total": (), "count": ()}

    def update(self, state: State, values: Any, sample_weight: Any = None) -> list[Value]:
        return add_mean(state, values, sample_weight)

    def value(self, state: State) -> Value:
        return divide_no_nan(state[0], state[1])


def add_mean(state: State, values: Value, weight: Value | None) -> list[Value]:
    """Sum and count with those of more values."""
    values, weight = samplewise(values, weight, mean)
    count = size(values) if weight is None else total(weight)
    return [state[0] + total(values), state[1] + count]


class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions."""

    pairs = True
    fn: Any
    name: str | None = None
    dtype: str | None = "float32"

    def __init__(self, fn: Callable[..., Any], name: Any = None, **kwargs: Any) -> None:
        known = fields(type(self))
        self._arguments = {k: v for k, v in kwargs.items() if k not in known}
        others = {k: v for k, v in kwargs.items() if k in known}
        super().__init__(fn=fn, name=name, **others)
        if name is None:
            self.name = getattr(fn, "__name__", self.name)

    def update(  # type: ignore[override]
        self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> list[Value]:
        values = self.fn(y_true, y_pred, **self._arguments)
        return add_mean(state, values, weight_of(sample_weight, mask))

    def get_config(self) -> dict[str, Any]:
        from kerac.losses import serialize

        return super().get_config() | {"fn": serialize(self.fn)} | self._arguments


def weight_of(sample_weight: Any, mask: Any) -> Value | None:
    """Weights that are 0 where the mask is."""
    weight = None if sample_weight is None else as_float(sample_weight)
    return weight if mask is None else masked(weight, mask, "sum")


class FunctionMetric(Mean):
    """Base of the means of a function whose arguments are the fields of the metric."""

    pairs = True
    function: ClassVar[Callable[..., Any]]

    def update(  # type: ignore[override]
        self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> list[Value]:
        own = fields(type(self)).keys() - fields(Metric).keys()
        arguments = {name: getattr(self, name) for name in own}
        values = type(self).function(y_true, y_pred, **arguments)
        return add_mean(state, values, weight_of(sample_weight, mask))
