"""What all models have: a graph, predictions, files, a summary."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerac.configured import suggestion
from kerac.ir import Graph, Value
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.types import TensorType
from kerac.layers.base import Layer, map_shapes
from kerac.layers.holding import each
from kerac.structure import leaves, map_structure, pack
from kerac.tensor import KerasTensor, shape_of
from kerac.tracing import Trace, is_tracing, trace_function, with_equal_dims
from kerac.training.trainer import Trainer

if TYPE_CHECKING:
    from kerac.models.functional import Functional
    from kerac.models.text_inputs import TextInputs
    from kerac.runtime import Executable


class Model(Trainer, Layer, registered=False):
    """Layers with inputs and outputs. `Model(inputs, outputs)` makes a functional model.

    A subclass makes its layers in `__init__` and states what they compute in `call`.
    """

    module: ClassVar[str] = "keras"

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """`Model(inputs, outputs)` is a functional model."""
        if cls is Model and (args or "inputs" in kwargs):
            from kerac.models.functional import Functional

            return object.__new__(Functional)
        return super().__new__(cls, *args, **kwargs)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(registered=False, **keywords)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from kerac.models.functional import Functional, says_graph, with_graph

        if says_graph(args, kwargs) and not isinstance(self, Functional):
            # a subclass made from symbolic tensors is functional from now on
            self.__class__ = with_graph(type(self))
            Functional.__init__(self, *args, **kwargs)  # type: ignore[arg-type]
        else:
            super().__init__(*args, **kwargs)

    def _initialize(self) -> None:
        super()._initialize()
        self._compiled: tuple[Any, Executable] | None = None
        self._shared: Any = None
        self._called: Any = None
        self._wrapped: Functional | None = None

    # Layers

    @property
    def layers(self) -> list[Layer]:
        """The layers of the model."""
        return list(dict.fromkeys(each(super().children())))

    def children(self) -> dict[str, Any]:
        return {**super().children(), "layers": self.layers}

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name or an index."""
        if index is not None:
            if not 0 <= index < len(self.layers):
                raise CompileError(
                    f"{self.name}: has {len(self.layers)} layers, but index {index} is asked for"
                )
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = {str(layer.name): None for layer in self.layers}
        raise CompileError(
            f"{self.name}: has no layer {name!r}", remedy=suggestion(str(name), names)
        )

    # The graph

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape; lists and dictionaries hold shapes."""
        if not is_tracing():  # while it is traced, the layers in it are built when they are called
            self.compute_output_shape(map_shapes(input_shape))
            self.built = True

    def functional(self) -> Functional:
        """The functional model that does the same, once the inputs are known."""
        from kerac.layers.input import InputLayer
        from kerac.models.functional import Functional

        if self._called is None:
            raise CompileError(
                f"{self.name}: is not built, so the shapes of its inputs are not known",
                remedy="Call the model on arrays first, or make it as Model(inputs, outputs).",
            )
        if self._wrapped is None:

            def place(type_: TensorType) -> KerasTensor:
                shape = (None, *shape_of(type_)[1:])
                dtype = type_.numpy_dtype.name
                output: KerasTensor = InputLayer(batch_shape=shape, dtype=dtype).output
                return output

            inputs = map_structure(place, self._called)
            self._wrapped = Functional(inputs, self(inputs), name=self.name)
        return self._wrapped

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._called is None and args and all(isinstance(x, Value) for x in leaves(args[0])):
            self._called = map_structure(lambda x: x.tensor_type, args[0])
        return super()._call(args, kwargs)

    def trace(self) -> Graph:
        """The graph that the model computes, with its weights as they are now."""
        model = self.functional()

        def attempt(types: dict[str, TensorType]) -> Graph:
            return trace_function(model.run, types, Trace(str(self.name))).graph

        graph = with_equal_dims(attempt, model.input_types())
        return replace(graph, output_names=tuple(model.output_names))

    @property
    def graph(self) -> Graph:
        """The graph that the model computes."""
        return self.trace()

    def text_inputs(self, x: Any = None) -> TextInputs | None:
        """What runs in Python before the network, which `functional` returns; x is on its way."""
        return None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        text = self.text_inputs(args[0] if args else None)
        if text is None:
            return super().__call__(*args, **kwargs)
        if any(isinstance(x, Value) for x in leaves(args)):
            raise UnsupportedError(
                f"{self.name}: reads text, but is called in a graph, and native code has no text",
                remedy="Call it on the input of a model made by Model(inputs, outputs).",
            )
        if any(isinstance(x, KerasTensor) for x in leaves(args)):
            from kerac.models.text_inputs import call_on_text

            return call_on_text(self, text, args, kwargs)
        return text.network(text.encode(args[0]), *args[1:], **kwargs)

    def _version(self) -> Any:
        adapted = tuple(getattr(layer, "adapted", 0) for layer in self.walk())
        return adapted, tuple((id(v), v.version) for v in self.weights)

    # Predictions

    def executable(self) -> Executable:
        """The model compiled for this machine, with its weights as they are now."""
        version = self._version()
        if self._compiled is None or self._compiled[0] != version:
            from kerac.compile import compile as compile_model

            self._compiled = (version, compile_model(self))
        return self._compiled[1]

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for data as `fit` takes it, computed `batch_size` samples at a time."""
        from kerac.training.batches import Epochs
        from kerac.training.loops import predicted
        from kerac.training.sources import batches_of

        data = Epochs(batches_of(x, batch_size=batch_size), steps)
        hooks = self._hooks(callbacks, verbose, data.count)
        outputs = predicted(self._predict_batch, data, hooks)
        return _first_of_one(pack(self.functional().output, outputs))

    def _predict_batch(self, x: Any) -> Any:
        self._build_on(x)
        arrays = self._arrays(x)
        count = len(arrays[0])
        if any(len(array) != count for array in arrays):
            counts = ", ".join(str(len(array)) for array in arrays)
            raise CompileError(
                f"{self.name}: all inputs need the same number of samples, but have {counts}"
            )
        outputs = self._predictor()(*arrays)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def _predictor(self) -> Any:
        """What computes outputs.

        Code with weights inside is the fastest; where weights change, since the model is trained
        or was given others, code reads them where they are, and is compiled once.
        """
        is_new = self._compiled is None or self._compiled[0] != self._version()
        is_trained = self._session is not None and self._session.is_training
        if not is_trained and (self._compiled is None or not is_new):
            return self.executable()
        if self._shared is None:
            from kerac.training.predictor import Predictor

            self._shared = Predictor(self)
        return self._shared

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch."""
        outputs = list(self._predict_batch(x))
        return _first_of_one(pack(self.functional().output, outputs))

    def _build_on(self, x: Any) -> None:
        """Make the weights on the first arrays, if the model does not know its inputs yet."""
        if not self.built:
            self(map_structure(lambda a: np.asarray(a)[:1], x))

    def _arrays(self, x: Any) -> list[np.ndarray[Any, Any]]:
        model = self.functional()
        text = self.text_inputs()
        given = model.in_order(x if text is None else text.encode(x))
        if len(given) != len(model.inputs):
            raise CompileError(
                f"{self.name}: takes {len(model.inputs)} inputs ({', '.join(model.input_names)}), "
                f"but got {len(given)}"
            )
        return [_array_for(a, tensor) for a, tensor in zip(given, model.inputs, strict=True)]

    # Files

    def save(self, path: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write a `.keras` archive, or an `.h5` file, that Keras loads too."""
        from kerac.models.saving import save_model

        save_model(self, path, overwrite=overwrite)

    def save_weights(self, path: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write the weights alone, as a `.weights.h5` file."""
        from kerac.models.saving import save_weights

        save_weights(self, path, overwrite=overwrite)

    def load_weights(self, path: str | os.PathLike[str], skip_mismatch: bool = False) -> None:
        """Read the weights of an equal model from a file."""
        from kerac.models.saving import load_weights

        load_weights(self, path, skip_mismatch=skip_mismatch)

    def to_json(self, **keywords: Any) -> str:
        """The model without its weights, as `model_from_json` reads it."""
        return json.dumps(self.serialize(), **keywords)

    def export(self, path: str | os.PathLike[str], format: str = "onnx") -> None:
        """Write an ONNX file."""
        from kerac.compile import export_onnx

        if format != "onnx":
            raise UnsupportedError(
                f"{self.name}: format {format!r} is asked for, but export writes onnx"
            )
        export_onnx(self, path)

    def summary(
        self,
        line_length: int | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
    ) -> None:
        """Print a table of the layers, their outputs and their numbers of weights."""
        from kerac.models.summary import summary_text

        (print_fn or print)(summary_text(self, line_length, expand_nested, show_trainable))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        if {"layers", "input_layers", "output_layers"} <= set(config):
            from kerac.models.functional import Functional, with_graph

            made: type[Functional] = Functional if cls is Model else with_graph(cls)
            return made.from_config(config)
        return super().from_config(config)


def _first_of_one(structure: Any) -> Any:
    if isinstance(structure, list | tuple) and len(structure) == 1:
        return structure[0]
    return structure


def _array_for(x: Any, tensor: KerasTensor) -> np.ndarray[Any, Any]:
    """An array with the dtype and number of axes of an input."""
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise CompileError(
            f"input {tensor.name!r} must be {tensor.dtype}, but got {array.dtype}",
            remedy="Give an array of numbers.",
        )
    declared = tensor.shape
    if array.ndim == len(declared) + 1 and array.shape[-1] == 1:
        array = array[..., 0]
    elif array.ndim == len(declared) - 1 and declared and declared[-1] == 1:
        array = array[..., None]
    fits = array.ndim == len(declared) and all(
        want is None or axis == 0 or want == have
        for axis, (want, have) in enumerate(zip(declared, array.shape, strict=True))
    )
    if not fits:
        raise CompileError(
            f"input {tensor.name!r} must have the shape {declared}, but got {array.shape}"
        )
    return np.ascontiguousarray(array.astype(tensor.dtype, copy=False))


