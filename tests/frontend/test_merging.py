"""Layers that make one tensor of several."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import kerac
from kerac.ir import CompileError, ShapeError
from tests.frontend.checking import check_layer, check_model, random_arrays

ELEMENTWISE = ["Add", "Multiply", "Average", "Maximum", "Minimum"]
SHAPES = [
    [(3, 4), (3, 4)],
    [(3, 4), (3, 4), (3, 4)],
    [(3, 4, 5), (3, 1, 5), (3, 4, 1)],
    [(3, 4, 5), (3, 5)],
    [(3, 5), (3, 4, 2, 5)],
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str, shapes: list[tuple[int, ...]]) -> None:
    check_layer(lambda layers: getattr(layers, name)(), shapes)


@pytest.mark.parametrize("shapes", [[(3, 4), (3, 4)], [(3, 4, 5), (3, 5)]], ids=str)
def test_subtract(shapes: list[tuple[int, ...]]) -> None:
    check_layer(lambda layers: layers.Subtract(), shapes)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_lengths_that_nobody_knows_must_be_equal(name: str) -> None:
    model = check_layer(
        lambda layers: getattr(layers, name)(), [(3, 4, 5), (3, 4, 5)], free=[1]
    )
    assert model.graph.symbols == ("N", "T")


@pytest.mark.parametrize(
    ("axis", "shapes"),
    [
        (-1, [(3, 4), (3, 2)]),
        (1, [(3, 4, 5), (3, 1, 5), (3, 2, 5)]),
        (-2, [(3, 4, 5), (3, 1, 5)]),
        (3, [(2, 3, 4, 5), (2, 3, 4, 1)]),
    ],
)
def test_concatenate(axis: int, shapes: list[tuple[int, ...]]) -> None:
    check_layer(lambda layers: layers.Concatenate(axis=axis), shapes)


def test_concatenate_along_an_axis_of_free_length() -> None:
    model = check_layer(
        lambda layers: layers.Concatenate(axis=1), [(3, 4, 5), (3, 2, 5)], free=[1]
    )
    assert model.output_shape == (None, None, 5)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("axes", "shapes"),
    [
        (1, [(3, 4), (3, 4)]),
        (-1, [(3, 4, 5), (3, 2, 5)]),
        ([2, 1], [(3, 4, 5), (3, 5, 6)]),
        ([1, 2], [(3, 4, 5), (3, 6, 4)]),
        ([1, 1], [(3, 4), (3, 4, 2)]),
        ([3, 1], [(2, 3, 4, 5), (2, 5, 6)]),
    ],
)
def test_dot(axes: Any, shapes: list[tuple[int, ...]], normalize: bool) -> None:
    check_layer(lambda layers: layers.Dot(axes=axes, normalize=normalize), shapes)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "average", "maximum", "minimum"])
def test_functions(name: str) -> None:
    def make(library: ModuleType) -> Any:
        x, y = library.Input((4,), name="x"), library.Input((4,), name="y")
        return library.Model([x, y], getattr(library.layers, name)([x, y]))

    check_model(make, random_arrays([(3, 4), (3, 4)]))


def masked(name: str, **arguments: Any) -> Any:
    """A merging layer on two sequences with masks, and a layer that shows the mask."""

    def make(library: ModuleType) -> Any:
        layers = library.layers
        inputs = [library.Input((6,), dtype="int32", name=f"x{i}") for i in range(2)]
        embedded = [layers.Embedding(4, 3, mask_zero=True)(x) for x in inputs]
        merged = getattr(layers, name)(**arguments)(embedded)
        return library.Model(inputs, [merged, layers.GlobalAveragePooling1D()(merged)])

    return make


@pytest.mark.parametrize("name", [*ELEMENTWISE, "Subtract", "Concatenate"])
def test_masks(name: str) -> None:
    arrays = random_arrays([(5, 6), (5, 6)], "int32", high=3)
    theirs_and_ours = masked(name)
    check_model(theirs_and_ours, arrays)


def test_masks_of_sequences_one_after_the_other() -> None:
    check_model(masked("Concatenate", axis=1), random_arrays([(5, 6), (5, 6)], "int32", high=3))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(3, 4), (3, 5)], "lengths of axis -1 must be equal, but are 4 and 5"),
        ([(3, 4, 5), (3, 2, 5)], "lengths of axis -2 must be equal, but are 4 and 2"),
    ],
)
def test_shapes_that_do_not_broadcast(shapes: list[tuple[int, ...]], message: str) -> None:
    layer = kerac.layers.Add(name="sum")
    with pytest.raises(ShapeError, match=f'(?s){message}.*in layer "sum"'):
        layer([np.ones(shape, "float32") for shape in shapes])


def test_one_tensor_is_no_list() -> None:
    with pytest.raises(CompileError, match="takes a list of tensors"):
        kerac.layers.Add()(np.ones((2, 3), "float32"))
