"""Scaling the loss for training in 16 bits, with a factor that follows what gradients allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from kerac.convert import Conversion
from kerac.ir import Value, ops
from kerac.optimizers.base import Optimizer, choose
from kerac.variable import Variable

LARGEST = {"f16": 65504.0, "bf16": 3.3895314e38, "f32": 3.4028234e38, "f64": 1.797693134862315e308}


def _read(value: Any) -> Optimizer:
    from kerac.optimizers import get

    found: Optimizer = get(value)
    return found


class LossScaleOptimizer(Optimizer):
    """Another optimizer with a scale that doubles after many good steps and halves at a bad one.

    A step whose gradients are not all finite changes neither weights nor the inner state.
    """

    inner_optimizer: Annotated[Any, Conversion(_read, lambda x: x.serialize(), "an optimizer")]
    initial_scale: float = 2.0**15
    dynamic_growth_steps: int = 2000

    def __post_init__(self) -> None:
        self._held_rate = 0.0
        super().__post_init__()
        self.inner_optimizer.loss_scale_factor = None

    def build(self, variables: Sequence[Variable]) -> None:
        if not self.built:
            self.inner_optimizer.build(variables)
            self._slot_variables = [
                self._variable("step_counter", (), "int32", 0),
                self._variable("dynamic_scale", (), "float32", self.initial_scale),
            ]
            self._weights = list(variables)
            self.built = True

    @property
    def own_variables(self) -> list[Variable]:
        """The state without that of the inner optimizer."""
        return super().variables

    @property
    def variables(self) -> list[Variable]:
        return [*self.own_variables, *self.inner_optimizer.variables]

    @property
    def learning_rate(self) -> Any:
        """That of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self) -> Any:
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Value, state: Sequence[Value]) -> Value:
        return loss * state[3]

    def update(
        self,
        gradients: Sequence[Value | None],
        weights: Sequence[Value],
        state: Sequence[Value],
    ) -> tuple[list[Value], list[Value]]:
        own, inner = state[:4], state[4:]
        count, scale = own[2:]
        finite = _all_finite([g for g in gradients if g is not None])
        unscaled = [g if g is None else g / ops.cast(scale, g.dtype) for g in gradients]
        new_weights, new_inner = self.inner_optimizer.update(unscaled, weights, inner)
        grown = ops.Equal()(count, ops.constant(self.dynamic_growth_steps - 1, "i32"))
        zero = ops.constant(0, "i32")
        new_count = choose(finite, choose(grown, zero, count + 1), zero)
        new_scale = choose(finite, choose(grown, scale * 2.0, scale), scale * 0.5)
        new_weights = [choose(finite, *pair) for pair in zip(new_weights, weights, strict=True)]
        new_inner = [choose(finite, *pair) for pair in zip(new_inner, inner, strict=True)]
        return new_weights, [*own[:2], new_count, new_scale, *new_inner]

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        names = ("name", "inner_optimizer", "initial_scale", "dynamic_growth_steps")
        config = super().get_config()
        return {name: config[name] for name in names}


def _all_finite(gradients: Sequence[Value]) -> Value:
    result = ops.constant(True)
    for gradient in gradients:
        inside = ops.cast(abs(gradient) <= LARGEST[gradient.dtype], "f32")
        every = ops.ReduceMin(tuple(range(gradient.ndim)))(inside) > 0.5
        result = result & every
    return result
