"""Layers around layers: each step of a sequence for itself, and a sequence in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from kerac.convert import Conversion
from kerac.initializers import TruncatedNormal
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.layers.arguments import call_signature
from kerac.layers.base import Layer
from kerac.layers.inside import InnerLayer, build_inside, read_inside
from kerac.layers.masks import check_mask
from kerac.layers.recurrent import Recurrent
from kerac.structure import leaves, map_structure


class Wrapper(Layer):
    """Base of layers that hold one other layer."""

    layer: InnerLayer

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        build_inside(self.layer, input_shape)


class TimeDistributed(Wrapper):
    """A layer on every step of a sequence: steps are made part of the batch.

    inputs: t[N, T, ...], mask: bool[N, T, ...] -> t[N, T, ...]
    """

    supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if not isinstance(input_shape, tuple) or len(input_shape) < 3:
            raise ShapeError(f"needs one input of 3 axes or more, but got {input_shape}")
        build_inside(self.layer, (input_shape[0], *input_shape[2:]))

    def call(self, inputs: Value, mask: Value | None = None) -> Any:
        batch, steps = inputs.shape[:2]

        def merged(x: Value) -> Value:
            return ops.reshape(x, (batch * steps, *x.shape[2:]))

        keywords = {}
        if mask is not None:
            check_mask(mask, inputs, ndim=max(mask.ndim, 2))
            if "mask" in call_signature(type(self.layer)).parameters:
                keywords["mask"] = merged(mask)
        outputs = self.layer(merged(inputs), **keywords)
        return map_structure(lambda x: ops.reshape(x, (batch, steps, *x.shape[1:])), outputs)


class SpectralNormalization(Wrapper):
    """A layer whose kernel training divides by its largest singular value (Miyato et al., 2018).

    In inference it is the layer itself, whose kernel has been divided.
    """

    power_iterations: int = 1

    def __post_init__(self) -> None:
        if self.power_iterations < 1:
            raise CompileError(
                f"SpectralNormalization {self.name!r}: power_iterations is "
                f"{self.power_iterations}, but must be positive"
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        for name in ("kernel", "embeddings"):
            if hasattr(self.layer, name):
                break
        else:
            raise CompileError(f"{self.layer.name}: has neither a kernel nor embeddings")
        self.kernel = getattr(self.layer, name)
        self._variables.append(self.kernel)    # Keras counts it to both layers
        start = TruncatedNormal(stddev=0.02)
        shape = (1, self.kernel.shape[-1])
        self.vector_u = self.add_weight("vector_u", shape, start, trainable=False)

    def call(self, inputs: Value) -> Any:
        return self.layer(inputs)


OptionalLayer = Annotated[
    Any,
    Conversion(
        lambda value: None if value is None else read_inside(value),
        lambda layer: layer.serialize(),
        "a layer",
    ),
]


class Bidirectional(Layer):
    """A recurrent layer from first to last step, another one from last to first, both merged.

    sequences: f32[N, T, C] -> f32[N, T, units] merged, or f32[N, units] without `return_sequences`;
    with `return_state` the states of the forward and of the backward layer behind it
    """

    supports_masking = True

    layer: InnerLayer
    merge_mode: Literal["concat", "sum", "mul", "ave"] | None = "concat"
    backward_layer: OptionalLayer = None

    def __post_init__(self) -> None:
        given = self.layer
        self.forward_layer = _renamed(given, "forward")
        if self.backward_layer is None:
            self.backward_layer = _renamed(given, "backward", go_backwards=True)
        for layer in (self.forward_layer, self.backward_layer):
            # masked steps give zeros, so that both directions treat them alike
            layer.zero_output_for_mask = layer.return_sequences
        del self.layer
        self._check()
        self.return_sequences = self.forward_layer.return_sequences
        self.return_state = self.forward_layer.return_state

    def _check(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        title = f"Bidirectional {self.name!r}"
        if forward.go_backwards == backward.go_backwards:
            raise CompileError(
                f"{title}: go_backwards is {forward.go_backwards} in both layers, but must differ"
            )
        for name in ("return_sequences", "return_state"):
            one, other = getattr(forward, name), getattr(backward, name)
            if one != other:
                raise CompileError(
                    f"{title}: {name} is {one} in the forward layer, "
                    f"but {other} in the backward one"
                )

    def children(self) -> Mapping[str, Layer | Sequence[Layer]]:
        return {"forward_layer": self.forward_layer, "backward_layer": self.backward_layer}

    def get_config(self) -> dict[str, Any]:
        self.layer = self.forward_layer
        try:
            return super().get_config()
        finally:
            del self.layer

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        build_inside(self.forward_layer, sequences_shape)
        build_inside(self.backward_layer, sequences_shape)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None) -> Any:
        if isinstance(sequences, list | tuple):  # Keras 2 had the states there
            sequences, *given = sequences
            initial_state = given or initial_state
        states = [] if initial_state is None else list(initial_state)
        half = len(states) // 2
        forward = self.forward_layer(sequences, initial_state=states[:half] or None, mask=mask)
        backward = self.backward_layer(sequences, initial_state=states[half:] or None, mask=mask)
        last: tuple[Any, ...] = ()
        if self.return_state:
            last = (*forward[1:], *backward[1:])
            forward, backward = forward[0], backward[0]
        if self.return_sequences:
            backward = ops.reverse(backward, (1,))
        outputs = self.merged(forward, backward)
        if not self.return_state:
            return outputs
        return (*outputs, *last) if self.merge_mode is None else (outputs, *last)

    def merged(self, forward: Value, backward: Value) -> Any:
        """The outputs of both directions as one, or both of them."""
        match self.merge_mode:
            case "concat":
                return ops.concatenate([forward, backward], -1)
            case "sum":
                return ops.add(forward, backward)
            case "mul":
                return ops.multiply(forward, backward)
            case "ave":
                return ops.divide(ops.add(forward, backward), 2.0)
        return forward, backward

    def compute_mask(self, sequences: Any, previous_mask: Any = None) -> Any:
        mask = leaves(previous_mask)[0] if self.return_sequences else None
        return (mask, mask) if self.merge_mode is None else mask


def _renamed(layer: Any, direction: str, **changed: Any) -> Any:
    """A new layer like `layer`, called after the direction in which it goes."""
    if not isinstance(layer, Recurrent):
        raise CompileError(
            f"{layer!r:.60} cannot go backwards, but Bidirectional needs a layer that can",
            remedy="Use SimpleRNN, LSTM, GRU or RNN.",
        )
    name = f"{direction}_{str(layer.name).removeprefix(f'{direction}_')}"
    return type(layer).from_config(layer.get_config() | {"name": name} | changed)
