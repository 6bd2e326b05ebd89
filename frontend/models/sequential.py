"""Models made of layers one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from kerac.ir import Value
from kerac.ir.errors import CompileError
from kerac.layers.base import REGISTRY, Layer, map_shapes
from kerac.layers.deserialize import decoded, deserialize_layer, listed_layers
from kerac.layers.holding import Holder
from kerac.layers.input import InputLayer
from kerac.layers.text.base import TextLayer
from kerac.models.functional import Functional
from kerac.models.model import Model
from kerac.names import name_scope
from kerac.structure import map_structure
from kerac.tensor import KerasTensor


class Sequential(Model):
    """Layers one after the other; weights are made as soon as the shape of the input is known."""

    module: ClassVar[str] = "keras"
    supports_masking = True

    def __init__(
        self,
        layers: Sequence[Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable)
        for layer in layers or ():
            self._add(layer)
        self._rebuild()

    def _initialize(self) -> None:
        super()._initialize()
        self._stack: list[Layer] = []
        self._functional: Functional | None = None

    def add(self, layer: Any) -> None:
        """Put a layer at the end."""
        self._add(layer)
        self._rebuild()

    def pop(self) -> Layer:
        """Remove the last layer."""
        if not self.layers:
            raise CompileError(f"{self.name}: has no layer to remove")
        layer = self._stack.pop()
        self._rebuild()
        return layer

    def _add(self, layer: Any) -> None:
        if isinstance(layer, KerasTensor):
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            raise CompileError(f"{self.name}: {layer!r:.60} is added, but only layers can be")
        if not self._stack and not isinstance(layer, InputLayer) and layer._given_shape is not None:
            self._stack.append(InputLayer(batch_shape=layer._given_shape))
        if isinstance(layer, InputLayer) and self._stack:
            raise CompileError(f"{self.name}: an Input is added after {self._stack[-1].name!r}")
        if any(other.name == layer.name and other is not layer for other in self._stack):
            raise CompileError(
                f"{self.name}: two layers are called {layer.name!r}, "
                "but names in a model must differ"
            )
        self._stack.append(layer)

    def _rebuild(self) -> None:
        self.built = False
        self._functional = None
        if len(self._stack) < 2:
            return
        first = self._stack[0]
        if isinstance(first, InputLayer):
            self._build_functional(first.output)
        elif isinstance(first, Functional | Sequential) and first.built:
            self._build_functional(_inputs_like(first))

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape."""
        if not self._stack:
            raise CompileError(f"{self.name}: has no layers, so it cannot be built")
        first = self._stack[0]
        if isinstance(first, InputLayer):
            self._build_functional(first.output)
            return
        shape = map_shapes(input_shape)
        if not isinstance(shape, tuple):
            self._build_functional(map_structure_of_shapes(shape))
            return
        # the number of samples of the first call says nothing about the next one
        layer = InputLayer(batch_shape=(None, *shape[1:]))
        self._stack.insert(0, layer)
        self._build_functional(layer.output)

    def _build_functional(self, inputs: Any) -> None:
        output = inputs
        with name_scope(str(self.name)):
            for layer in self._stack:
                if not isinstance(layer, InputLayer):
                    output = layer(output)
        # the name that Keras gives to it counts for those given later
        self._functional = Functional(inputs, output)
        self._functional.name = self.name
        self.built = True

    @property
    def layers(self) -> list[Layer]:
        """The layers without the input."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    def children(self) -> dict[str, Any]:
        return {"layers": self.layers, **Holder.children(self)}

    @property
    def input(self) -> Any:
        """The symbolic tensor of the argument."""
        return self.whole().input

    @property
    def output(self) -> Any:
        """The symbolic tensor of the result."""
        return self.whole().output

    def functional(self) -> Functional:
        """The functional model that does the same, without what reads text."""
        return self.whole().functional()

    def text_inputs(self, x: Any = None) -> Any:
        begins_with_text = bool(self._stack) and isinstance(self._stack[0], TextLayer)
        if begins_with_text and not isinstance(x, KerasTensor | Value | None):
            array = np.asarray(x)
            dtype = array.dtype.name if array.dtype.kind in "biuf" else "string"
            layer = InputLayer(batch_shape=(None, *array.shape[1:]), dtype=dtype)
            self._stack.insert(0, layer)
            self._rebuild()
        return None if self._functional is None else self._functional.text_inputs()

    def whole(self) -> Functional:
        """The functional model that does the same."""
        if self._functional is None:
            raise CompileError(
                f"{self.name}: is not built, so the shape of its input is not known",
                remedy="Begin the layers with kerac.Input(shape), or call the model on data first.",
            )
        return self._functional

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if self._functional is None and not self._stack:
            return inputs
        return self.whole().call(inputs, mask)

    def __getattr__(self, name: str) -> Any:
        if name in ("inputs", "outputs", "input_shape", "output_shape",
                    "input_names", "output_names", "operations"):  # fmt: skip
            return getattr(self.whole(), name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # Configs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"layers": [layer.serialize() for layer in self._stack]}
        if self._functional is not None and isinstance(self._stack[0], InputLayer):
            config["build_input_shape"] = list(self._stack[0].batch_shape)
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        if self._functional is None or not isinstance(self._stack[0], InputLayer):
            return None
        return {"input_shape": list(self._stack[0].batch_shape)}

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        if not self.built and config.get("input_shape"):
            self.build(config["input_shape"])

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        config = decoded(config)
        layers = [deserialize_layer(item) for item in listed_layers(config)]
        model = cls(layers, name=config.get("name"))
        model.trainable = config.get("trainable", True)
        shape = config.get("build_input_shape")
        if not model.built and shape and model.layers:
            model.build(shape)
        return model


def _inputs_like(model: Any) -> Any:
    """New inputs for a model that begins with another one."""
    return map_structure(
        lambda x: InputLayer(batch_shape=x.shape, dtype=x.dtype).output, model.input
    )


def map_structure_of_shapes(shapes: Any) -> Any:
    """New inputs for a structure of shapes."""
    if isinstance(shapes, tuple):
        return InputLayer(batch_shape=(None, *shapes[1:])).output
    if isinstance(shapes, dict):
        return {key: map_structure_of_shapes(item) for key, item in shapes.items()}
    return [map_structure_of_shapes(item) for item in shapes]


REGISTRY["Sequential"] = Sequential
