"""The same layer or model in Keras and in kerac: equal configs, shapes, weights and outputs."""

import json
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import keras
import numpy as np

import kerac
from benchmarks.models import random_weight
from kerac.ir import Graph, parse, verify
from kerac.structure import leaves
from tests.compare import assert_close
from tests.everywhere import EVERYWHERE

Array = np.ndarray
Backend = Callable[[Graph, Sequence[Array]], Sequence[Array]]
# What computes a graph on arrays; each must agree with Keras.
BACKENDS: dict[str, Backend] = dict(EVERYWHERE)

Shape = tuple[int, ...]


def check_layer(
    make: Callable[[ModuleType], Any],
    shapes: Shape | Sequence[Shape],
    dtype: str = "float32",
    free: Sequence[int] = (),
    high: int = 10,
    seed: int = 0,
    tolerance: float = 1e-5,
    backends: Mapping[str, Backend] = BACKENDS,
) -> Any:
    """Compare `make(layers)` for Keras's and kerac's layers on random inputs of the given shapes.

    `shapes` include the batch; a list of them makes a list of inputs. Lengths of the axes in `free`
    are not told to the model. Integers lie below `high`. Returns kerac's model.
    """
    several = isinstance(shapes, list)
    every = list(shapes) if several else [shapes]

    def model(library: ModuleType) -> Any:
        inputs = [
            library.Input(
                batch_shape=[None if i == 0 or i in free else n for i, n in enumerate(shape)],
                dtype=dtype,
                name=f"x{number}",
            )
            for number, shape in enumerate(every)
        ]
        given = inputs if several else inputs[0]
        return library.Model(given, make(library.layers)(given), name="model")

    arrays = random_arrays(every, dtype, high, seed)
    check_layer_config(make)
    return check_model(model, arrays, seed, tolerance, backends)


def check_model(
    make: Callable[[ModuleType], Any],
    arrays: Sequence[Array],
    seed: int = 0,
    tolerance: float = 1e-5,
    backends: Mapping[str, Backend] = BACKENDS,
) -> Any:
    """Compare what `make` builds with either library and equal random weights; returns kerac's."""
    theirs, ours = made(make)
    check_weights(theirs, ours)
    generator = np.random.default_rng(seed)
    for variable in theirs.weights:
        variable.assign(random_value(variable, generator))
    for layer in theirs.layers:
        if hasattr(layer, "finalize_state"):  # Keras keeps a copy of what it normalizes by
            layer.finalize_state()
    ours.set_weights(theirs.get_weights())
    same_structure = leaves_shapes(ours.output_shape) == leaves_shapes(theirs.output_shape)
    assert same_structure, f"{ours.output_shape}, but Keras has {theirs.output_shape}"
    check_config(theirs, ours)
    check_outputs(theirs, ours, arrays, tolerance, backends)
    return ours


def check_outputs(
    theirs: Any,
    ours: Any,
    arrays: Sequence[Array],
    tolerance: float = 1e-5,
    backends: Mapping[str, Backend] = BACKENDS,
) -> None:
    """Compare outputs of two models by every backend; the graph must print, parse and verify."""
    inputs = list(arrays) if len(arrays) > 1 else arrays[0]
    expected = [np.asarray(x) for x in leaves(theirs(inputs))]
    graph = ours.trace()
    verify(graph)
    assert str(parse(str(graph))) == str(graph)
    for name, backend in backends.items():
        outputs = backend(graph, arrays)
        assert len(outputs) == len(expected), name
        for output, wanted in zip(outputs, expected, strict=True):
            if wanted.dtype.kind in "biu":
                np.testing.assert_array_equal(output, wanted)
            else:
                assert_close(output, wanted, tolerance)


def made(make: Callable[[ModuleType], Any]) -> tuple[Any, Any]:
    """The same thing made with Keras and with kerac, names counted anew."""
    keras.utils.clear_session()
    kerac.utils.clear_session()
    return make(keras), make(kerac)


def check_layer_config(make: Callable[[ModuleType], Any]) -> None:
    """Either library must make an equal layer from the other one's config."""
    check_config(*made(lambda library: make(library.layers)))


def check_config(theirs: Any, ours: Any) -> None:
    """Configs are equal, and either library makes an equal object from the other one's config."""
    wanted = config_of(theirs)
    assert_same_config(config_of(ours), wanted)
    rebuilt = type(ours).from_config(json.loads(json.dumps(theirs.get_config())))
    assert_same_config(config_of(rebuilt), wanted)
    back = type(theirs).from_config(json.loads(json.dumps(ours.get_config())))
    assert_same_config(config_of(back), wanted)


def config_of(thing: Any) -> Any:
    """A config as a file has it, without what Keras writes down about masks."""
    config = json.loads(json.dumps(thing.get_config()))
    for layer in config.get("layers", ()):
        for node in layer.get("inbound_nodes", ()):
            node["kwargs"] = {}
    if "layers" in config:
        config["layers"] = [x for x in config["layers"] if not is_mask(x)]
    return config


def is_mask(layer: Any) -> bool:
    """Whether a layer in a config is an operation that makes masks; kerac makes them anew."""
    is_operation = layer["module"].startswith("keras.src.ops")
    return is_operation and layer["class_name"] in (
        *("NotEqual", "LogicalOr", "Any", "ExpandDims", "ZerosLike", "OnesLike", "Concatenate"),
        *("ConvertToTensor",),
    )


def assert_same_config(ours: Any, theirs: Any, path: str = "config") -> None:
    """Compare configs; arguments that say nothing may be missing."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        silent = {key for key in theirs.keys() - ours.keys() if theirs[key] in (None, False, {})}
        unexpected = ours.keys() - theirs.keys() - {"build_config"}
        assert not unexpected, f"{path} has {sorted(unexpected)}, but Keras's has not"
        missing = theirs.keys() - ours.keys() - silent - {"build_config"}
        assert not missing, f"{path} lacks {sorted(missing)}"
        for key in theirs.keys() & ours.keys():
            assert_same_config(ours[key], theirs[key], f"{path}.{key}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same_config(one, other, f"{path}[{index}]")
    elif isinstance(theirs, float):
        assert abs(ours - theirs) <= 1e-6 * abs(theirs), f"{path}: {ours} != {theirs}"
    else:
        assert ours == theirs, f"{path}: {ours!r:.400} != {theirs!r:.400}"


def check_weights(theirs: Any, ours: Any) -> None:
    """Weights have equal paths, shapes and flags in equal order."""
    for name in ("weights", "trainable_weights", "non_trainable_weights"):
        wanted = [(v.path, tuple(v.shape)) for v in getattr(theirs, name)]
        assert [(v.path, v.shape) for v in getattr(ours, name)] == wanted
    assert ours.count_params() == theirs.count_params()


def random_arrays(
    shapes: Sequence[Shape], dtype: str = "float32", high: int = 10, seed: int = 0
) -> list[Array]:
    """One random array for each shape."""
    generator = np.random.default_rng([seed, 1])
    if dtype == "bool":
        return [generator.random(shape) < 0.6 for shape in shapes]
    if not dtype.startswith("float"):
        return [generator.integers(0, high, shape).astype(dtype) for shape in shapes]
    return [generator.standard_normal(shape).astype(dtype) for shape in shapes]


def random_value(variable: Any, generator: np.random.Generator) -> Array:
    """A value for a weight of Keras that keeps outputs in range."""
    shape = tuple(variable.shape)
    if "int" in str(variable.dtype):
        return generator.integers(0, 100, shape).astype(str(variable.dtype))
    if variable.name in ("variance", "moving_variance"):
        return generator.uniform(0.5, 1.5, shape).astype("float32")
    return random_weight(variable.path, shape, generator)


def leaves_shapes(shapes: Any) -> Any:
    """Shapes with tuples for lists."""
    if isinstance(shapes, dict):
        return {key: leaves_shapes(item) for key, item in shapes.items()}
    if isinstance(shapes, list | tuple):
        return tuple(leaves_shapes(item) for item in shapes)
    return shapes
