"""What a run of the pipeline is told as: stages, layers, values."""

import json

import pytest

from kerac.inspector.report import Report, count_values, weight_counts
from kerac.inspector.terminal import pipeline_lines
from kerac.ir import parse
from kerac.passes.pipeline import PASSES, run_pipeline
from tests.inspector.traces import nested, report, residual


def test_every_pass_has_a_stage_of_its_own_name_and_a_purpose() -> None:
    stages = report().stages
    names = [stage.name for stage in stages]
    assert len(set(names)) == len(names) == len(PASSES)
    assert names[:2] == ["inline_calls", "drop_training_ops"]
    assert all(stage.purpose for stage in stages)
    assert stages[0].before.graph.name == "residual"


def test_a_pass_that_runs_twice_is_found_by_both_names() -> None:
    found = report()
    twice = [stage.name for stage in found.named("merge_duplicates")]
    assert twice == ["merge_duplicates", "merge_duplicates:2"]
    assert [stage.name for stage in found.named("merge_duplicates:2")] == twice[1:]
    assert found.named("merge") == []


def test_the_summary_is_json_and_says_what_changed() -> None:
    summary = json.loads(json.dumps(report().summary()))
    assert summary["inputs"] == [{"name": "x", "type": "f32[N, 8, 8, 4]"}]
    by_name = {stage["name"]: stage for stage in summary["passes"]}
    fused = by_name["fuse_activation"]
    assert fused["rules"] == {"fuse_activation": 1}
    assert fused["values_before"] == fused["values_after"] + 1
    assert fused["removed"] == ["conv"]
    assert fused["changed"] == ["activation"]
    assert by_name["inline_calls"]["unchanged"]
    assert parse(summary["text"]).output_names == ("mean",)
    layers = {row["layer"]: row for row in summary["layers"]}
    assert layers["block/conv"] == {
        "layer": "block/conv",
        "traced": ["conv"],
        "final": ["activation"],
    }
    values = {value["name"]: value for value in summary["values"]}
    assert values["activation"]["layers"] == ["block/conv", "block/relu"]
    assert values["activation"]["passes"] == ["fuse_activation"]
    assert summary["kernels"]["launches"][0]["layers"][:2] == ["block/conv", "block/relu"]


def test_nested_models_count_as_what_they_compute() -> None:
    found = Report(run_pipeline(nested()))
    assert count_values(nested()) == 3
    assert {stage.values_after for stage in found.named("inline_calls")} == {3}
    layers = {row["layer"]: row for row in found.layers()}
    assert layers["inner/relu"]["traced"] == ["y", "y"]
    assert len(layers["inner/relu"]["final"]) <= 2


def test_weights_are_counted_once() -> None:
    assert weight_counts(residual()) == (3 * 3 * 4 * 4 + 1, 4 * (3 * 3 * 4 * 4 + 1))


def test_lines_for_programs_are_columns() -> None:
    lines = pipeline_lines(report())
    assert len(lines) == len(PASSES) + 2
    place = lines[0].index("rules")
    (fused,) = [line for line in lines if line.startswith("fuse_activation")]
    assert fused[place:] == "fuse_activation ×1"


@pytest.mark.parametrize("name", ["x" * 300, "ünïcode", "a b", '"</script>'])
def test_names_of_every_kind(name: str) -> None:
    text = f"def f(x: f32[N]):\n    y = relu(x)  # {name}\n    return y"
    layers = Report(run_pipeline(parse(text))).layers()
    assert [row["layer"] for row in layers] == [name]
