"""What is left of whole networks after the pipeline."""

from collections import Counter
from collections.abc import Callable

import pytest

from kerac.ir import Graph
from kerac.ir.ops import Convolution
from kerac.passes import run_pipeline
from tests.passes.networks import densenet, mobilenet, resnet

SMALL: dict[str, Callable[[bool], Graph]] = {
    "resnet": lambda first: resnet((2, 1), width=4, size=32, first=first),
    "densenet": lambda first: densenet((2, 1), growth=4, size=32, first=first),
    "mobilenet": lambda first: mobilenet(first=first),
}
FIRST = pytest.mark.parametrize("first", [False, True], ids=["channels_last", "channels_first"])


def counts(graph: Graph) -> Counter[str]:
    return Counter(value.op.text_name for value in graph.values)


@FIRST
@pytest.mark.parametrize("name", SMALL)
def test_every_pass_keeps_the_numbers(name: str, first: bool) -> None:
    trace = run_pipeline(SMALL[name](first), check=True)
    assert trace.graph.output_names == ("predictions",)
    assert len([r for r in trace.records if r.changed]) >= 5


@FIRST
def test_resnet_is_convolutions(first: bool) -> None:
    left = counts(run_pipeline(resnet(first=first)).graph)
    known = {
        "constant",
        "parameter",
        "input",
        "convolution",
        "max_pool",
        "reduce_mean",
        "dense",
        "softmax",
        "slice",
    }
    assert set(left) - {"transpose"} == known
    # the image itself comes with its channels first
    assert left["transpose"] == int(first)
    assert left["convolution"] == 53
    # of what the last block of a stage adds to its result, a quarter of the positions is needed
    assert left["slice"] == 3


@FIRST
def test_residuals_and_activations_are_in_the_convolutions(first: bool) -> None:
    graph = run_pipeline(resnet(first=first)).graph
    convolutions = [value for value in graph.values if isinstance(value.op, Convolution)]
    assert sum(len(value.inputs) == 4 for value in convolutions) == 16
    assert sum(value.op.activation is not None for value in convolutions) == 49
    assert sum(value.op.padding == ((3, 3), (3, 3)) for value in convolutions) == 1


@FIRST
def test_densenet_has_one_product_a_normalization_that_no_convolution_takes(first: bool) -> None:
    left = counts(run_pipeline(densenet(first=first)).graph)
    assert left["multiply"] == left["add"] == left["relu"] == 62
    assert left["batch_norm"] == left["pad"] == 0
    assert left["transpose"] == int(first)


@FIRST
def test_mobilenet_squeezes_by_denses(first: bool) -> None:
    graph = run_pipeline(mobilenet(first=first)).graph
    left = counts(graph)
    assert left["dense"] == 9
    assert left["pad"] == left["reshape"] == left["relu6"] == left["hard_sigmoid"] == 0
    # scaling of the image; each block multiplies what it excites
    assert left["multiply"] == 5


@FIRST
def test_origins_name_all_layers(first: bool) -> None:
    graph = SMALL["resnet"](first)
    layers = {layer for value in graph.values for layer in value.origin.layers}
    after = run_pipeline(graph).graph
    assert {layer for value in after.values for layer in value.origin.layers} == layers
    stem = next(value for value in after.values if isinstance(value.op, Convolution))
    assert stem.origin.layers == ("pad_1", "conv_2", "bn_3", "act_4")
    assert "fuse_activation" in stem.origin.passes


@FIRST
def test_text_of_a_network(first: bool, golden: Callable[[str, str], None]) -> None:
    graph = mobilenet(2, first=first)
    after = run_pipeline(graph).graph
    golden(f"mobilenet_channels_{'first' if first else 'last'}.txt", f"{graph}\n---\n\n{after}")
