"""Where Keras keeps the variables of each layer in `model.weights.h5`.

Keras walks the attributes of the model and of everything in it. An attribute `a` that is a layer is
stored in the group `a`; the layers in a list `a` are stored in `a/<class name>`, `a/<class name>_1`
... in snake case; the own variables of an object are the datasets `vars/0`, `vars/1` ... of its
group, and what it keeps beside these has a name there. What was met before is not stored again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from kerac.names import snake_case
from kerac.saving.hdf5 import Dataset, Group
from kerac.saving.weights import Problems, SavedVariable, check_variable

OLD_CONTAINER = "_layer_checkpoint_dependencies"
OPTIMIZER = "optimizer"


class SavedNode(Protocol):
    """What the layout needs to know of a layer or model.

    `children` maps Keras's attribute names to layers or lists of layers (and of further lists), in
    the order in which the layer made them: `layers` of a model, `layer` of TimeDistributed,
    `forward_layer` and `backward_layer` of Bidirectional, `cell` of a recurrent layer, `cells` of
    stacked ones. `layers` of a functional model holds its InputLayers too, and no operations; that
    of a Sequential no InputLayer. Both have `layers` as the first child, other models as the last.
    `variables` are the own ones: trainable when the layer is trainable first, the others after
    them, each kind in the order of creation. `named_variables` are kept beside them, by the names
    of their datasets; HDF5 files of Keras 2 had none.
    """

    @property
    def class_name(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def trainable(self) -> bool: ...
    @property
    def variables(self) -> Sequence[SavedVariable]: ...
    @property
    def named_variables(self) -> Mapping[str, SavedVariable]: ...
    @property
    def children(self) -> Mapping[str, Held]: ...


Held: TypeAlias = "SavedNode | Sequence[Held]"


@dataclass(frozen=True)
class SavedGroup:
    """The own variables of one layer and the group that holds them, a `vars` group."""

    path: str
    layer_path: str
    """Names of the layers from the outermost model's layers inwards."""
    node: SavedNode = field(repr=False)

    @property
    def variables(self) -> Sequence[SavedVariable]:
        """The variables in the order of the datasets `0`, `1` ..."""
        return self.node.variables

    @property
    def datasets(self) -> dict[str, SavedVariable]:
        """All variables by the names of their datasets."""
        numbered = {str(index): variable for index, variable in enumerate(self.node.variables)}
        return numbered | dict(self.node.named_variables)


def keras_layout(root: SavedNode) -> list[SavedGroup]:
    """Return all groups as Keras 3 writes and reads them, the root's own first."""
    return list(_walk(root, _KERAS_3))


@dataclass(frozen=True)
class _Scheme:
    """How one generation walks: the order of attributes, the items of lists, what is counted."""

    container: str
    order: Callable[[str], object]
    is_reversed: bool
    items: Callable[[Sequence[Held]], Sequence[Held]]
    counts_known: bool


def _public_first(attribute: str) -> tuple[bool, str]:
    return attribute.startswith("_"), attribute


def _doubled(nodes: Sequence[Held]) -> list[Held]:
    """Layers with weights were listed twice: `layer_with_weights-0` and `layer-0`."""
    return [node for node in nodes for _ in range(2 if _has_variables(node) else 1)]


def _has_variables(node: Held) -> bool:
    if isinstance(node, Sequence):
        return any(map(_has_variables, node))
    own = node.variables or node.named_variables
    return bool(own) or any(_has_variables(child) for _, child in named_children(node))


_KERAS_3 = _Scheme("layers", _public_first, False, list, counts_known=True)
# TensorFlow 2.14 and 2.15, then 2.12 and 2.13.
_OLD_SCHEMES = (
    _Scheme(OLD_CONTAINER, str, True, list, counts_known=False),
    _Scheme(OLD_CONTAINER, str, False, _doubled, counts_known=True),
)


def named_children(node: SavedNode) -> Iterator[tuple[str, SavedNode]]:
    """Yield each child with the attribute that holds it, in the order of creation."""
    for attribute, child in node.children.items():
        for item in _flat(child):
            yield attribute, item


def _flat(held: Held) -> Iterator[SavedNode]:
    if isinstance(held, Sequence):
        for item in held:
            yield from _flat(item)
    else:
        yield held


def _walk(root: SavedNode, scheme: _Scheme) -> Iterator[SavedGroup]:
    seen: set[int] = set()

    def visit(node: SavedNode, path: str, layer_path: str) -> Iterator[SavedGroup]:
        if id(node) in seen:
            return
        seen.add(id(node))
        yield SavedGroup(f"{path}vars", layer_path, node)
        names = sorted(node.children, key=scheme.order, reverse=scheme.is_reversed)  # type: ignore[arg-type]
        if next(iter(names), None) != "layers" == next(iter(node.children), None):
            names = ["layers", *(name for name in names if name != "layers")]
        for attribute in names:
            inner = f"{path}{scheme.container if attribute == 'layers' else attribute}/"
            yield from visit_held(node.children[attribute], inner, layer_path)

    def visit_held(held: Held, path: str, layer_path: str) -> Iterator[SavedGroup]:
        if not isinstance(held, Sequence):
            yield from visit(held, path, _join(layer_path, held.name))
            return
        counts: dict[str, int] = {}
        for item in scheme.items(held):
            if id(item) in seen and not scheme.counts_known:
                continue
            name = "container" if isinstance(item, Sequence) else snake_case(item.class_name)
            counts[name] = counts.get(name, -1) + 1
            name = f"{name}_{counts[name]}" if counts[name] else name
            yield from visit_held(item, f"{path}{name}/", layer_path)

    return visit(root, "", "")


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def match_variables(
    root: SavedNode, tree: Group, label: str
) -> list[tuple[SavedVariable, Dataset]]:
    """Return each variable of the model with its array, in a file since TensorFlow 2.12.

    Everything that is missing or does not fit is reported in one error.
    """
    # Files written on Windows by TensorFlow have backslashes in the names of groups.
    groups = {group.path.strip("/").replace("\\", "/"): group for group in tree.walk()}
    schemes = (
        _OLD_SCHEMES if any(path.startswith(OLD_CONTAINER) for path in groups) else (_KERAS_3,)
    )
    attempts = [_match(list(_walk(root, scheme)), groups, label) for scheme in schemes]
    matches, problems = min(attempts, key=lambda attempt: len(attempt[1].lines))
    problems.raise_if_any()
    return matches


def match_optimizer(
    optimizer: SavedNode, tree: Group, label: str
) -> list[tuple[SavedVariable, Dataset]]:
    """As `match_variables`, for the state of the optimizer in a file of a compiled model."""
    layout = [
        SavedGroup(f"{OPTIMIZER}/{group.path}", OPTIMIZER, group.node)
        for group in keras_layout(optimizer)
    ]
    groups = {group.path.strip("/"): group for group in tree.walk()}
    matches, problems = _match(layout, groups, label)
    problems.unused.clear()  # the weights of layers
    problems.raise_if_any()
    return matches


def _match(
    layout: list[SavedGroup], groups: Mapping[str, Group], label: str
) -> tuple[list[tuple[SavedVariable, Dataset]], Problems]:
    matches: list[tuple[SavedVariable, Dataset]] = []
    problems = Problems(label)
    for saved in layout:
        group = groups.get(saved.path)
        datasets = group.datasets if group else {}
        expected = saved.datasets
        if len(datasets) > len(expected):
            problems.add(
                saved.layer_path,
                f"has {len(expected)} weights, "
                f"but the file has {len(datasets)} in {saved.path}",
            )
        for name, variable in expected.items():
            dataset = datasets.get(name)
            if check_variable(
                variable, dataset, saved.layer_path, f"{saved.path}/{name}", problems
            ):
                matches.append((variable, dataset))  # type: ignore[arg-type]
    known = {saved.path for saved in layout}
    for path, group in groups.items():
        if group.datasets and path not in known and not path.startswith(OPTIMIZER):
            problems.unused.append(path)
    return matches, problems
