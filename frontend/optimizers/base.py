"""What all optimizers share: their state, and how one step of training changes weights.

A step is a function of values, so that it becomes part of a larger graph:

    optimizer.build(weights)                    # Variables; makes optimizer.variables
    new_weights, new_state = optimizer.update(gradients, weight_values, state_values)

`state_values` are one value for each of `optimizer.variables`, in that order, which is the order of
Keras's files (`optimizer/vars/0`, ...): the number of the step (i32), the learning rate (f32,
unless it follows a schedule), then the slots. `new_state` has the same order; what a step leaves
alone is the very value that came in. `optimizer.scale_loss(loss, state_values)` comes before
differentiation, `optimizer.finalize_variable_values(weights)` after the last epoch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from kerac.configured import Configured
from kerac.eager import evaluate
from kerac.initializers import Constant
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, InternalError
from kerac.names import automatic_name
from kerac.optimizers.clipping import clip
from kerac.optimizers.rate import as_scalar, declare, write
from kerac.optimizers.schedules import InverseTimeDecay, LearningRateSchedule
from kerac.optimizers.slots import Moment, Slot, Slots
from kerac.variable import Variable


class Optimizer(Configured, keyword_only=True):
    """Base of all optimizers: clipping, weight decay, moving averages, accumulation of gradients.

    A subclass names its slots in `slots` and states one step in `step`.
    """

    module: ClassVar[str] = "keras.optimizers"
    learning_rate: ClassVar[Any]
    _held_rate: Any  # the variable, schedule or function behind it

    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None
    loss_scale_factor: float | None = None
    gradient_accumulation_steps: int | None = None
    name: str | None = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Let a learning rate that is declared as a number be assigned like any other."""
        super().__init_subclass__(**keywords)
        declare(cls)

    # What a subclass says

    def slots(self) -> Sequence[Sequence[Slot]]:
        """Groups of slots; the state holds group after group, and weight after weight in one."""
        return ()

    def shared(self) -> Sequence[Slot]:
        """State that all weights share, after their slots; `advance` says how it changes."""
        return ()

    def advance(self, now: Moment) -> Slots:
        """The new shared state of a step, which `step` then sees."""
        return now.shared

    def step(self, weight: Value, gradient: Value, slots: Slots, now: Moment) -> Value:
        """The new weight; new values of its slots replace those in `slots`."""
        raise InternalError(f"{type(self).__name__} does not say how it changes weights")

    def slot_variable(self, slot: Slot, weight: Variable) -> Variable | None:
        """The variable of a slot for one weight, or None where it needs none."""
        name = f"{weight.path.replace('/', '_')}_{slot.name}"
        variable = self._variable(name, weight.shape, weight.dtype, slot.initial or 0.0)
        if slot.initial is None:
            variable.assign(weight.array)
        return variable

    def decay_of(self, weight: Variable) -> float | None:
        """The weight decay of one weight that is not excluded."""
        return self.weight_decay

    # Making it

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        for unused in ("jit_compile", "is_legacy_optimizer"):
            arguments.pop(unused, None)
        if "lr" in arguments:
            arguments["learning_rate"] = arguments.pop("lr")
        decay = arguments.pop("decay", None)
        if decay:
            start = arguments.get("learning_rate", cls.learning_rate)
            arguments["learning_rate"] = InverseTimeDecay(start, 1, decay)
        if arguments.get("epsilon", 0) is None:
            del arguments["epsilon"]
        return arguments

    def __post_init__(self) -> None:
        self.name = self.name or automatic_name(type(self).__name__)
        self.built = False
        self._check()
        self._excluded: tuple[set[int], str | None] = (set(), None)
        self._weights: list[Variable] = []
        self._places: list[tuple[str, int | None]] = []
        self._iterations = self._variable("iteration", (), "int32", 0)
        self._slot_variables: list[Variable] = []
        if isinstance(self._held_rate, float):
            self._held_rate = self._variable("learning_rate", (), "float32", self._held_rate)

    def _check(self) -> None:
        thing = type(self).__name__
        clips = [n for n in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, n)]
        if len(clips) > 1:
            raise CompileError(
                f"{thing}: clips gradients in one way, but got {' and '.join(clips)}"
            )
        if self.gradient_accumulation_steps is not None and self.gradient_accumulation_steps < 2:
            raise CompileError(
                f"{thing}: gradient_accumulation_steps is {self.gradient_accumulation_steps}, "
                "but must be 2 or more"
            )
        if not 0 <= self.ema_momentum <= 1:
            raise CompileError(
                f"{thing}: ema_momentum is {self.ema_momentum}, but must be in [0, 1]"
            )
        if (self.ema_overwrite_frequency or 1) < 1:
            raise CompileError(
                f"{thing}: ema_overwrite_frequency is {self.ema_overwrite_frequency}, "
                "but must be positive"
            )

    def _variable(self, name: str, shape: tuple[int, ...], dtype: str, initial: float) -> Variable:
        start, path = Constant(value=initial), f"{self.name}/{name}"
        return Variable(start, shape, dtype, trainable=False, name=name, path=path)

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Leave weights alone that are in `var_list` or whose names hold one of `var_names`."""
        if self.built:
            raise CompileError(
                f"{self.name}: weights are excluded from decay before it is built, but it is built"
            )
        pattern = "|".join(sorted(set(var_names))) if var_names else None
        self._excluded = ({id(variable) for variable in var_list or ()}, pattern)

    def _decays(self, weight: Variable) -> bool:
        excluded, pattern = self._excluded
        return id(weight) not in excluded and not (pattern and re.search(pattern, weight.name))

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state for these weights, in the order that `update` will see them."""
        if self.built:
            return
        self._weights = list(variables)
        groups: list[Sequence[Slot]] = []
        if self.use_ema:
            groups.append([Slot("average")])
        if self.gradient_accumulation_steps:
            groups.append([Slot("gradient_accumulator")])
        for group in (*groups, *self.slots()):
            for index, weight in enumerate(self._weights):
                for slot in group:
                    variable = self.slot_variable(slot, weight)
                    if variable is not None:
                        self._slot_variables.append(variable)
                        self._places.append((slot.name, index))
        for slot in self.shared():
            self._slot_variables.append(self._variable(slot.name, (), "float32", slot.initial or 0))
            self._places.append((slot.name, None))
        self.built = True

    @property
    def variables(self) -> list[Variable]:
        """All state in the order of Keras's files."""
        rate = [self._held_rate] if isinstance(self._held_rate, Variable) else []
        return [self._iterations, *rate, *self._slot_variables]

    @property
    def raw_iterations(self) -> np.int32:
        """The number of steps taken, those that only accumulated gradients included."""
        return np.int32(self._iterations.array)

    @property
    def iterations(self) -> Any:
        """The number of updates of weights."""
        if self.gradient_accumulation_steps:
            return self.raw_iterations // self.gradient_accumulation_steps
        return self._iterations

    lr = property(
        lambda self: self.learning_rate,
        lambda self, value: setattr(self, "learning_rate", value),
        doc="The learning rate, as Keras once called it.",
    )

    # A step

    def scale_loss(self, loss: Value, state: Sequence[Value]) -> Value:
        """The loss to differentiate, made larger so that small gradients survive."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def update(
        self,
        gradients: Sequence[Value | None],
        weights: Sequence[Value],
        state: Sequence[Value],
    ) -> tuple[list[Value], list[Value]]:
        """New weights and new state; a weight whose gradient is None stays as it is."""
        now, slots = self._unpack(state)
        if self.loss_scale_factor is not None:
            gradients = [g if g is None else g / self.loss_scale_factor for g in gradients]
        new = self._accumulate(gradients, weights, slots, now)
        if self.use_ema:
            new = self._average(new, slots, now)
        for index, weight in enumerate(self._weights):
            constraint = getattr(weight, "constraint", None)
            if constraint is not None and gradients[index] is not None:
                new[index] = constraint(new[index])
        return new, self._pack(state, now, slots)

    def _unpack(self, state: Sequence[Value]) -> tuple[Moment, list[Slots]]:
        iterations = state[0]
        step = count = ops.cast(iterations, "f32")
        if self.gradient_accumulation_steps:
            count = ops.Floor()(step / self.gradient_accumulation_steps)
        if isinstance(self._held_rate, Variable):
            rate = state[1]
        elif isinstance(self._held_rate, LearningRateSchedule):
            rate = as_scalar(self._held_rate(iterations))
        else:
            rate = as_scalar(self._held_rate())
        now = Moment(iterations, rate, count + 1)
        slots: list[Slots] = [{} for _ in self._weights]
        for (name, index), value in zip(self._places, self._slot_part(state), strict=True):
            (now.shared if index is None else slots[index])[name] = value
        return now, slots

    def _slot_part(self, state: Sequence[Value]) -> Sequence[Value]:
        return state[len(state) - len(self._places) :]

    def _pack(self, state: Sequence[Value], now: Moment, slots: list[Slots]) -> list[Value]:
        first = [state[0] + 1, *state[1 : len(state) - len(self._places)]]
        return first + [
            (now.shared if index is None else slots[index])[name] for name, index in self._places
        ]

    def _accumulate(
        self,
        gradients: Sequence[Value | None],
        weights: Sequence[Value],
        slots: list[Slots],
        now: Moment,
    ) -> list[Value]:
        """`_apply`, or only at every n-th step with the mean of the gradients since the last."""
        steps = self.gradient_accumulation_steps
        if not steps:
            return self._apply(gradients, weights, slots, now)
        count = ops.cast(now.iterations, "f32") + 1
        due = ops.Equal()(count, ops.Floor()(count / steps) * steps)
        sums = [
            g if g is None else g + own["gradient_accumulator"]
            for g, own in zip(gradients, slots, strict=True)
        ]
        old_slots, old_shared = [dict(own) for own in slots], now.shared
        new = self._apply([g if g is None else g / steps for g in sums], weights, slots, now)
        for own, old, total in zip(slots, old_slots, sums, strict=True):
            for name in own:
                own[name] = choose(due, own[name], old[name])
            if total is not None:
                own["gradient_accumulator"] = choose(due, total * 0.0, total)
        now.shared = {k: choose(due, v, old_shared[k]) for k, v in now.shared.items()}
        return [choose(due, *pair) for pair in zip(new, weights, strict=True)]

    def _apply(
        self,
        gradients: Sequence[Value | None],
        weights: Sequence[Value],
        slots: list[Slots],
        now: Moment,
    ) -> list[Value]:
        clipped = clip(gradients, self.clipnorm, self.clipvalue, self.global_clipnorm)
        now.shared = self.advance(now)
        new = []
        rows = zip(self._weights, weights, clipped, slots, strict=True)
        for variable, weight, gradient, own in rows:
            if gradient is not None:
                decay = self.decay_of(variable) if self._decays(variable) else None
                if decay is not None:
                    weight = weight - weight * decay * ops.cast(now.learning_rate, weight.dtype)
                gradient = ops.cast(gradient, weight.dtype)
                here = now.in_dtype(weight.dtype)
                weight = ops.cast(self.step(weight, gradient, own, here), weight.dtype)
            new.append(weight)
        return new

    def _average(self, weights: list[Value], slots: list[Slots], now: Moment) -> list[Value]:
        """Moving averages, which replace the weights at every n-th step if that is asked for."""
        later = ops.cast(now.step > 1, "f32")
        momentum = later * self.ema_momentum
        new = []
        for weight, own in zip(weights, slots, strict=True):
            share = ops.cast(momentum, weight.dtype)
            own["average"] = share * own["average"] + (1.0 - share) * weight
            if self.ema_overwrite_frequency:
                every = self.ema_overwrite_frequency
                due = ops.Equal()(now.step, ops.Floor()(now.step / every) * every)
                weight = choose(due, own["average"], weight)
            new.append(weight)
        return new

    # On arrays

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Change variables by their gradients, which are arrays."""
        if trainable_variables is not None:
            self.build(list(trainable_variables))
        if len(grads) != len(self._weights):
            raise CompileError(
                f"{self.name}: changes {len(self._weights)} weights, but got {len(grads)} gradients"
            )
        variables, count = [*self._weights, *self.variables], len(self._weights)
        def step(*values: Value) -> Any:
            weights, state = values[count : 2 * count], values[2 * count :]
            return self.update(values[:count], weights, state)

        weights, state = evaluate(step, [*grads, *(v.array for v in variables)])
        for variable, array in zip(variables, [*weights, *state], strict=True):
            variable.assign(array)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> None:
        """`apply` on pairs."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """After training: weights become their moving averages where those are kept."""
        for variable, average in self.averages():
            variable.assign(average.array)

    def averages(self) -> list[tuple[Variable, Variable]]:
        """Weights and their moving averages, where those are kept."""
        return list(zip(self._weights, self._slot_variables, strict=False)) if self.use_ema else []

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace the state, in the order of `variables`."""
        if len(weights) != len(self.variables):
            raise CompileError(
                f"{self.name}: has {len(self.variables)} variables, but got {len(weights)}"
            )
        for variable, value in zip(self.variables, weights, strict=True):
            variable.assign(value)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"learning_rate": write(self._held_rate)}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Any:
        """Make an optimizer from what `get_config` returned."""
        from kerac.optimizers.schedules import deserialize

        arguments = dict(config)
        if custom_objects and isinstance(arguments.get("learning_rate"), dict):
            arguments["learning_rate"] = deserialize(arguments["learning_rate"], custom_objects)
        return cls(**arguments)


def choose(condition: Value, x: Value, y: Value) -> Value:
    """x where the condition holds, else y; y itself where they are the same."""
    return y if x is y else ops.select(condition, x, y)
