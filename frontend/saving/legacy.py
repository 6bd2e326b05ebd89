"""Weights in HDF5 as Keras wrote them before version 3, and still does for names in `.h5`.

Layers are in the order of the attribute `layer_names`, the weights of each in the order of its
`weight_names`: those that are trained first. Names are not compared, since a model built twice has
other names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kerac.ir.errors import FormatError
from kerac.saving.hdf5 import Dataset, Group
from kerac.saving.layout import SavedNode, named_children
from kerac.saving.weights import Problems, SavedVariable, check_variable

TOP_LEVEL = "top_level_model_weights"
NO_LONGER_READ = ("theano", "cntk")


def name_list(group: Group, attribute: str) -> list[str] | None:
    """Return a list of names, spread over `name0`, `name1` ... where it is long, or None."""
    found = group.attributes.get(attribute)
    if found is not None:
        return _names(found, group, attribute)
    names: list[str] = []
    for number in range(len(group.attributes)):
        found = group.attributes.get(f"{attribute}{number}")
        if found is None:
            return names if number else None
        names += _names(found, group, attribute)
    return names or None


def _names(value: object, group: Group, attribute: str) -> list[str]:
    if isinstance(value, list):
        return value
    # h5py has no type for the elements of an empty list and writes numbers.
    if getattr(value, "size", None) == 0:
        return []
    raise FormatError(f"{group.path}: {attribute} must be a list of names")


def legacy_order(node: SavedNode) -> list[SavedVariable]:
    """Return all variables in a layer, each once, in the order of `weight_names`."""
    every: dict[int, tuple[SavedVariable, bool]] = {}
    for owner in _owners(node, set()):
        for variable in owner.variables:
            every.setdefault(id(variable), (variable, owner.trainable and variable.trainable))
    if not node.trainable:
        return [variable for variable, _ in every.values()]
    trained = [variable for variable, is_trained in every.values() if is_trained]
    return trained + [variable for variable, is_trained in every.values() if not is_trained]


def _owners(node: SavedNode, seen: set[int]) -> Iterator[SavedNode]:
    if id(node) not in seen:
        seen.add(id(node))
        yield node
        for _, child in named_children(node):
            yield from _owners(child, seen)


def match_legacy_variables(
    root: SavedNode, weights: Group, label: str
) -> list[tuple[SavedVariable, Dataset]]:
    """Return each variable of the model with its array; `weights` has the `layer_names`.

    Everything that is missing or does not fit is reported in one error.
    """
    if weights.attributes.get("backend") in NO_LONGER_READ:
        raise FormatError(
            f"{label}: was written by Keras on {weights.attributes['backend']}, "
            "which stores kernels in another way",
            remedy="Load it with Keras 2.3 and save it from there on TensorFlow.",
        )
    layers = [child for attribute, child in named_children(root) if attribute == "layers"]
    expected = [(node.name, order) for node in layers if (order := legacy_order(node))]
    names = name_list(weights, "layer_names")
    if names is None:
        raise FormatError(
            f"{label}: {weights.path} has no layer_names, so the order of its layers is not known"
        )
    found = [(name, datasets) for name in names if (datasets := _datasets(weights, name, label))]
    problems = Problems(label)
    if len(expected) != len(found):
        found = _by_name(expected, found, problems)
    matches = []
    for (layer, variables), (name, datasets) in zip(expected, found, strict=True):
        matches += _match_layer(layer, variables, name, datasets, problems)
    if root.variables:
        datasets = _datasets(weights, TOP_LEVEL, label) if TOP_LEVEL in weights.groups else []
        matches += _match_layer("", list(root.variables), TOP_LEVEL, datasets, problems)
    problems.raise_if_any()
    return matches


def owned_variables(node: SavedNode) -> list[SavedVariable]:
    """All variables of a node and of what it holds."""
    return [variable for owner in _owners(node, set()) for variable in owner.variables]


def match_legacy_optimizer(
    optimizer: SavedNode, state: Group, label: str
) -> list[tuple[SavedVariable, Dataset]]:
    """Return each variable of an optimizer with its array, in the order of `weight_names`."""
    problems = Problems(label)
    variables = owned_variables(optimizer)
    names = name_list(state, "weight_names") or []
    found = [(name, state.find(name)) for name in names]
    datasets = [(name, held) for name, held in found if isinstance(held, Dataset)]
    matches = _match_layer("optimizer", variables, "optimizer", datasets, problems)
    problems.raise_if_any()
    return matches


def modern_training_config(config: Any) -> Any:
    """What `training_config` says in the words of a `.keras` archive."""
    if not isinstance(config, dict):
        return None
    found = {
        name: _with_module(value, f"keras.{name.removeprefix('weighted_')}")
        for name, value in config.items()
        if name in ("loss", "loss_weights", "metrics", "weighted_metrics", "steps_per_execution")
    }
    found["loss"] = _with_module(config.get("loss"), "keras.losses")
    found["optimizer"] = _with_module(config.get("optimizer_config"), "keras.optimizers")
    return found


def _with_module(value: Any, module: str) -> Any:
    """The same config with the module of every class that has none: old files only name classes."""
    if isinstance(value, list):
        return [_with_module(item, module) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: _with_module(item, module) for name, item in value.items()}
    if isinstance(found.get("class_name"), str) and ">" not in found["class_name"]:
        return {"module": module, "registered_name": None} | found
    return found


def _datasets(weights: Group, name: str, label: str) -> list[tuple[str, Dataset]]:
    group = weights.find(name)
    if not isinstance(group, Group):
        raise FormatError(
            f"{label}: {weights.path} lists the layer {name!r}, but has no group of that name"
        )
    datasets = []
    for weight in name_list(group, "weight_names") or []:
        dataset = group.find(weight)
        if not isinstance(dataset, Dataset):
            raise FormatError(
                f"{label}: {group.path} lists the weight {weight!r}, but does not hold it"
            )
        datasets.append((weight, dataset))
    return datasets


def _by_name(
    expected: list[tuple[str, list[SavedVariable]]],
    found: list[tuple[str, list[tuple[str, Dataset]]]],
    problems: Problems,
) -> list[tuple[str, list[tuple[str, Dataset]]]]:
    """Pair layers by name, to say which are missing: their number does not fit."""
    problems.add("", f"has {len(expected)} layers with weights, but the file has {len(found)}")
    file = dict(found)
    problems.unused += [name for name in file if name not in dict(expected)]
    return [(name, file.get(name, [])) for name, _ in expected]


def _match_layer(
    layer: str,
    variables: list[SavedVariable],
    name: str,
    datasets: list[tuple[str, Dataset]],
    problems: Problems,
) -> list[tuple[SavedVariable, Dataset]]:
    if len(datasets) > len(variables):
        problems.add(
            layer, f"has {len(variables)} weights, but the file has {len(datasets)} for {name}"
        )
    matches = []
    for index, variable in enumerate(variables):
        weight, dataset = datasets[index] if index < len(datasets) else (f"weight {index}", None)
        if (
            check_variable(variable, dataset, layer, f"{name}/{weight}", problems)
            and dataset is not None
        ):
            matches.append((variable, dataset))
    return matches
