"""What every layer has: arguments as annotated fields, weights made in `build`, and `call`.

    class Dense(Layer):
        units: int                                # Dense(4), and the config {"units": 4}

        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", (input_shape[-1], self.units), "glorot_uniform")

        def call(self, inputs):                   # states what it computes: values in, values out
            return ops.dense(inputs, traced(self.kernel))

Shapes of outputs come from the graph that `call` makes. A layer that is called on symbolic tensors
returns symbolic tensors, on arrays arrays, on values of a graph values.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from kerac.configured import Configured, fields
from kerac.convert import plain
from kerac.ir import Value
from kerac.ir.errors import CompileError, UnsupportedError
from kerac.ir.types import FLOATS
from kerac.layers.arguments import bind_call, call_signature
from kerac.layers.calling import (
    call_on_arrays,
    call_on_symbols,
    has_arrays,
    has_symbols,
    output_shape,
)
from kerac.layers.dtypes import WithDTypes, as_computed, as_float, as_wide
from kerac.layers.holding import Holder, each
from kerac.layers.masks import fill_masks, set_masks
from kerac.layers.penalties import penalize_outputs
from kerac.layers.sharing import number_shared
from kerac.names import automatic_name, name_scope, scoped
from kerac.regularizers import MaybeRegularizer
from kerac.structure import leaves, map_structure
from kerac.tensor import Node, shape_of
from kerac.tracing import current_trace, inside, training_mode
from kerac.variable import Variable
from kerac.variable_arithmetic import operand

REGISTRY: dict[str, type[Layer]] = {}


def is_ours(function: Any) -> bool:
    """Whether kerac itself defines a function."""
    return str(function.__module__).startswith("kerac.")


class Layer(WithDTypes, Holder, Configured, keyword_only=True):
    """Base of all layers; its own fields are Keras's keyword arguments for every layer."""

    module: ClassVar[str] = "keras.layers"
    rarely_written: ClassVar[frozenset[str]] = frozenset({"activity_regularizer"})
    supports_masking = False
    autocast = True
    """Whether inputs of other floating-point dtypes are cast to the one to compute with."""

    times_trainable_was_set: ClassVar[int] = 0
    """Of all layers; while it stays the same, the same layers are trained."""
    _given: tuple[tuple[Any, ...], dict[str, Any]]

    name: str | None = None
    trainable: bool = True
    dtype: Any = "float32"
    activity_regularizer: MaybeRegularizer = None

    def __init_subclass__(cls, registered: bool = True, **keywords: Any) -> None:
        """Put a layer that kerac itself defines into the table of known ones."""
        super().__init_subclass__(**keywords)
        if "compute_mask" in vars(cls):
            cls.supports_masking = True
        if registered and cls.__module__.startswith("kerac.") and not cls.__name__.startswith("_"):
            REGISTRY[cls.__name__] = cls

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Remember what a user's class is made from."""
        layer = super().__new__(cls)
        if not is_ours(cls.__init__):
            object.__setattr__(layer, "_given", (args, kwargs))
        return layer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._initialize()
        self._internal = frozenset(vars(self))
        super().__init__(*args, **kwargs)
        self._is_made = True

    def __setattr__(self, name: str, value: Any) -> None:
        """What is set for a layer's `trainable` holds for the layers in it."""
        object.__setattr__(self, name, value)
        if name != "trainable":
            return
        Layer.times_trainable_was_set += 1
        if self._is_made:
            for inner in each(self.children()):
                inner.trainable = value

    def _initialize(self) -> None:
        """What a layer has besides its arguments."""
        self.built = False
        self.nodes: list[Node] = []
        self.path = ""
        self._variables: list[Variable] = []
        self._build_shapes: dict[str, Any] = {}
        self._given_shape: tuple[int | None, ...] | None = None
        self._given_weights: Sequence[Any] | None = None
        self._is_made = False
        self._array_calls = 0
        self.added_losses: list[Any] = []
        self.input_spec: Any = None

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Take out what Keras 2 let the first layer of a model say about its input."""
        shape = kwargs.pop("batch_input_shape", None) or kwargs.pop("batch_shape", None)
        batch = kwargs.pop("batch_size", None)
        if shape is None and kwargs.get("input_shape") is not None:
            shape = (batch, *kwargs["input_shape"])
        if shape is None and "input_dim" in kwargs and "input_dim" not in fields(type(self)):
            length = (kwargs["input_length"],) if "input_length" in kwargs else ()
            shape = (batch, *length, kwargs.pop("input_dim"))
        for name in ("input_shape", "input_length", "autocast"):
            kwargs.pop(name, None)
        self._given_shape = None if shape is None else tuple(shape)
        self._given_weights = kwargs.pop("weights", None)
        given = super()._by_name(args, kwargs)
        if given.get("name") is None:
            given["name"] = automatic_name(type(self).__name__)
        given["dtype"] = self._settled_dtype(given.get("dtype"), given["name"])
        return given

    # Building and calling

    def build(self, input_shape: Any) -> None:
        """Make weights for inputs of this shape; None stands for lengths that are not known."""

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """State the computation: values of a graph in, values out."""
        raise UnsupportedError(f"{type(self).__name__} does not say what it computes")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Masks of the outputs from those of the first argument."""
        return previous_mask

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        tensors = leaves([args, kwargs])
        if has_symbols(tensors):
            return call_on_symbols(self, args, kwargs)
        if has_arrays(tensors) and not any(isinstance(x, Value) for x in tensors):
            return call_on_arrays(self, args, kwargs)
        if not any(isinstance(x, Value) for x in tensors):
            raise CompileError(
                f"{type(self).__name__} {self.name!r}: is called without a tensor",
                remedy="Call it on arrays, or on what kerac.Input(shape) returned.",
            )
        trace = current_trace()
        with inside(trace, str(self.name)) as path, name_scope(str(self.name)):
            try:
                return self._call(args, kwargs)
            except CompileError as error:
                raise self._located(error, path, args) from None

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self._computing(), training_mode(kwargs.pop("training", None)) as training:
            if self.autocast:
                args, kwargs = map_structure(as_computed, (args, kwargs))
            if "training" in call_signature(type(self)).parameters:
                kwargs["training"] = training
            bound = bind_call(self, args, kwargs)
            self.ensure_built(bound.arguments)
            first = next(iter(bound.arguments.values()), None)
            masks = fill_masks(self, bound.arguments)
            outputs = map_structure(operand, self.call(*bound.args, **bound.kwargs))
        penalize_outputs(self, outputs)
        return set_masks(self, first, masks, outputs)

    def ensure_built(self, arguments: Mapping[str, Any]) -> None:
        """Make the weights on the first call."""
        if self.built:
            return
        shapes = {
            name: map_structure(_value_shape, x)
            for name, x in arguments.items()
            if _holds_values(x)
        }
        parameters = inspect.signature(self.build).parameters
        if len(parameters) == 1 and f"{next(iter(shapes), '')}_shape" not in parameters:
            self.build_with({next(iter(parameters)): next(iter(shapes.values()), None)})
            return
        given = {name: shapes.get(name.removesuffix("_shape")) for name in parameters}
        required = {name for name in given if parameters[name].default is not None}
        self.build_with({name: x for name, x in given.items() if x is not None or name in required})

    def build_with(self, shapes: Mapping[str, Any]) -> None:
        """`build`, and what follows from it; the path is that of the layers around."""
        self.path = "/".join(scoped("").split("/")[:-1])
        self.build(**shapes)
        self._build_shapes = dict(shapes)
        self.built = True
        if self._given_weights is not None:
            self.set_weights(self._given_weights)
            self._given_weights = None

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Make the weights for the shapes that a file says the layer was built with."""
        names = list(inspect.signature(self.build).parameters)
        shapes = config.get("shapes_dict") or {next(iter(names), ""): config.get("input_shape")}
        if not self.built and set(shapes) <= set(names) and None not in shapes.values():
            with name_scope(str(self.name)):
                self.build_with({name: map_shapes(shape) for name, shape in shapes.items()})

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built with, as Keras writes them."""
        shapes = self._build_shapes
        if not self.built or not shapes:
            return None
        if len(shapes) > 1:
            return {"shapes_dict": shapes}
        return {"input_shape": next(iter(shapes.values()))}

    def _located(self, error: CompileError, path: str, args: tuple[Any, ...]) -> CompileError:
        """The error with the layer that was called, unless one inside it is named already."""
        if any(detail.startswith("in layer") for detail in error.details):
            return error
        inputs = [f"input:   {x.type}" for x in leaves(args) if isinstance(x, Value)]
        return error.with_details(*inputs, f'in layer "{path}"', thing=type(self).__name__)

    def compute_output_shape(self, *shapes: Any, **keywords: Any) -> Any:
        """The shape of the outputs for inputs of these shapes."""
        return output_shape(self, *shapes, **keywords)

    # Configs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if "dtype" in config:
            config["dtype"] = self._dtype_policy.serialize()
        return config | self._automatic_config()

    def _automatic_config(self) -> dict[str, Any]:
        """The arguments of a user's `__init__`, where no `get_config` of the user says them."""
        cls = type(self)
        if is_ours(cls.__init__) or not is_ours(cls.get_config):
            return {}
        args, kwargs = self._given
        signature = inspect.signature(cls.__init__)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        names = [
            name
            for name, parameter in list(signature.parameters.items())[1:]
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        return {name: bound.arguments[name] for name in names if name not in fields(Layer)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        from kerac.layers.deserialize import decoded

        return cls(**decoded(config))

    def serialize(self) -> dict[str, Any]:
        """The layer as Keras writes it inside a model."""
        serialized = super().serialize()
        build_config = self.get_build_config()
        if build_config:
            serialized["build_config"] = plain(build_config)
        return number_shared(self, serialized)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    # Calls of the functional API

    @property
    def input(self) -> Any:
        """The symbolic tensors of the only call."""
        node = self._only_node()
        return node.args[0] if node.args else node.inputs[0]

    @property
    def output(self) -> Any:
        """What the only call returned."""
        return self._only_node().outputs

    def _only_node(self) -> Node:
        if len(self.nodes) != 1:
            raise CompileError(
                f"{self.name}: was called {len(self.nodes)} times, "
                "so it has no single input and output"
            )
        return self.nodes[0]


def map_shapes(shape: Any) -> Any:
    """Shapes from a file, where tuples are lists."""
    if isinstance(shape, dict):
        return {key: map_shapes(item) for key, item in shape.items()}
    if all(item is None or isinstance(item, int) for item in shape):
        return tuple(shape)
    return [map_shapes(item) for item in shape]


def _value_shape(x: Any) -> tuple[int | None, ...] | None:
    return shape_of(x.tensor_type) if isinstance(x, Value) else None


def _holds_values(x: Any) -> bool:
    return any(isinstance(leaf, Value) for leaf in leaves(x))


__all__ = ["FLOATS", "REGISTRY", "Layer", "as_float", "as_wide", "map_shapes"]
