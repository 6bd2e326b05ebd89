"""Native recurrent ops against the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from kerac.backends.llvm.kernel.control import ControlFlow
from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.recurrent_weights import GateLayout, UnitBlock, UnitLayout
from kerac.backends.llvm.target import find_target
from kerac.ir import Graph, evaluate_graph, parse
from kerac.ir.ops import LSTM, item
from kerac.ir.types import numpy_dtype
from tests.compare import assert_close
from tests.llvm.native import check, compile_graph, random_inputs

STATES = {"simple_rnn": 1, "lstm": 2, "gru": 1}
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
TARGETS = ("native", "avx2", "x86-64")
BOUNDED = ('"tanh"', '"softsign"', '"hard_sigmoid"')
ACTIVATIONS = (*BOUNDED, '"relu6"', '"elu(alpha=0.5)"')


@dataclass(frozen=True)
class Network:
    """One recurrent op; dims are numbers or symbols, `results` those of the op that are used."""

    kind: str
    features: int
    units: int
    batch: int | str = "N"
    steps: int | str = "T"
    attributes: str = ""
    bias: bool = True
    initial: bool = False
    mask: bool = False
    results: tuple[int, ...] = (0, 1)
    weights_are_inputs: bool = False

    def text(self) -> str:
        """A function of the sequence, the initial states, the mask, and the weights on demand."""
        wide = GATES[self.kind] * self.units
        sequence = f"f32[{self.batch}, {self.steps}, {self.units}]"
        state = f"f32[{self.batch}, {self.units}]"
        inputs = [f"x: f32[{self.batch}, {self.steps}, {self.features}]"]
        operands = ["x", "kernel", "recurrent_kernel"]
        weights = [
            f"kernel: f32[{self.features}, {wide}]",
            f"recurrent_kernel: f32[{self.units}, {wide}]",
        ]
        if self.bias:
            after = self.kind == "gru" and "reset_after=False" not in self.attributes
            weights.append(f"bias: f32[{'2, ' if after else ''}{wide}]")
            operands.append("bias=bias")
        if self.initial:
            for name in ["initial_state", "initial_cell"][: STATES[self.kind]]:
                inputs.append(f"{name}: {state}")
                operands.append(f"{name}={name}")
        if self.mask:
            inputs.append(f"mask: bool[{self.batch}, {self.steps}]")
            operands.append("mask=mask")
        if self.attributes:
            operands.append(self.attributes)
        lines = []
        if self.weights_are_inputs:
            inputs += weights
        else:
            lines = [f"{weight} = parameter('{weight.partition(':')[0]}')" for weight in weights]
        types = ", ".join([sequence, *[state] * STATES[self.kind]])
        lines.append(f"y: ({types}) = {self.kind}({', '.join(operands)})")
        lines += [f"r{i} = item(y, index={i})" for i in self.results]
        lines.append(f"return {', '.join(f'r{i}' for i in self.results)}")
        body = "\n    ".join(lines)
        return f"def f({', '.join(inputs)}):\n    {body}\n"

    def weights(self, seed: int = 0) -> dict[str, np.ndarray]:
        """Weights under which states forget, so that differences in rounding do not grow."""
        generator = np.random.default_rng([seed, 3])
        wide = GATES[self.kind] * self.units
        after = self.kind == "gru" and "reset_after=False" not in self.attributes
        shapes = {
            "kernel": (self.features, wide),
            "recurrent_kernel": (self.units, wide),
            "bias": (2, wide) if after else (wide,),
        }
        return {
            name: (generator.normal(size=shape) / np.sqrt(4 * shape[0])).astype(np.float32)
            for name, shape in shapes.items()
        }

    def graph(self) -> Graph:
        """The parsed text."""
        return parse(self.text(), arrays=self.weights())

    def compare(self, dims: Mapping[str, int], seed: int = 0, target: str = "native") -> None:
        """The JIT with the reference, on random inputs."""
        graph, weights = self.graph(), self.weights()
        arrays = [
            weights.get(value.name, array)
            for value, array in zip(graph.inputs, random_inputs(graph, dims, seed), strict=True)
        ]
        got = compile_graph(graph, target)(*arrays)
        expected = evaluate_graph(graph, arrays)
        for one, other in zip(got if len(expected) > 1 else (got,), expected, strict=True):
            assert_close(one, other)


def random_network(seed: int) -> tuple[Network, dict[str, int]]:
    """A network and what its symbols stand for."""
    pick = np.random.default_rng(seed)
    kind = str(pick.choice(list(GATES)))
    mask = bool(pick.random() < 0.5)
    batch, steps = int(pick.choice([1, 2, 3, 5, 7, 13, 30])), int(pick.choice([1, 2, 9, 27, 60]))
    attributes = [
        *(["reverse=True"] if pick.random() < 0.3 else []),
        *(["zero_output_for_mask=True"] if mask and pick.random() < 0.5 else []),
        *(["reset_after=False"] if kind == "gru" and pick.random() < 0.5 else []),
        *([f"activation={pick.choice(ACTIVATIONS)}"] if pick.random() < 0.3 else []),
    ]
    if kind != "simple_rnn" and pick.random() < 0.3:
        attributes.append(f"recurrent_activation={pick.choice(BOUNDED)}")
    results = [i for i in range(STATES[kind] + 1) if pick.random() < 0.6] or [0]
    network = Network(
        kind,
        features=int(pick.integers(1, 40)),
        units=int(pick.choice([1, 2, 5, 8, 16, 21, 33, 64, 100])),
        batch="N" if pick.random() < 0.6 else batch,
        steps="T" if pick.random() < 0.5 else steps,
        attributes=", ".join(attributes),
        bias=bool(pick.random() < 0.7),
        initial=bool(pick.random() < 0.4),
        mask=mask,
        results=tuple(results),
        weights_are_inputs=bool(pick.random() < 0.2),
    )
    return network, {"N": batch, "T": steps}


@pytest.mark.parametrize("seed", range(32))
def test_random_networks(seed: int) -> None:
    network, dims = random_network(seed)
    target = TARGETS[seed % 3] if seed % 2 else "native"
    network.compare(dims, seed, target)


@pytest.mark.parametrize("attributes", ["", "reset_after=False"])
@pytest.mark.parametrize("kind", list(GATES))
def test_a_row_is_the_same_in_every_batch(kind: str, attributes: str) -> None:
    if attributes and kind != "gru":
        return
    network = Network(kind, 10, 37, attributes=attributes, mask=True)
    executable = compile_graph(network.graph())
    generator = np.random.default_rng(1)
    x = generator.normal(size=(33, 30, 10)).astype(np.float32)
    mask = generator.random((33, 30)) < 0.7
    together = executable(x, mask)
    for size in (1, 2, 5, 8, 16):
        starts = range(0, 33, size)
        parts = [executable(x[i : i + size], mask[i : i + size]) for i in starts]
        for whole, *pieces in zip(together, *parts, strict=True):
            assert (np.concatenate(pieces) == whole).all()


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("kind", list(GATES))
def test_long_sequences_stay_near_the_exact_result(kind: str, batch: int) -> None:
    network = Network(kind, 64, 100)
    weights = network.weights()
    x = np.random.default_rng(5).normal(size=(batch, 400, 64)).astype(np.float32)
    graph = network.graph()
    got = compile_graph(graph)(x)
    (op,) = {value.op for value in graph.values if value.op.text_name == kind}
    exact = op.evaluate(x.astype(np.float64), *(w.astype(np.float64) for w in weights.values()))
    for actual, expected in zip(got, exact, strict=False):
        assert_close(actual, expected)


@pytest.mark.parametrize("batch", [1, 9])
@pytest.mark.parametrize("kind", list(GATES))
@pytest.mark.parametrize("attributes", ["", "zero_output_for_mask=True", "reverse=True"])
def test_rows_whose_mask_is_false_everywhere_or_first(
    kind: str, attributes: str, batch: int
) -> None:
    network = Network(kind, 4, 9, batch, 6, attributes, initial=True, mask=True)
    graph = network.graph()
    generator = np.random.default_rng(2)
    arrays = [generator.normal(size=value.shape).astype(np.float32) for value in graph.inputs[:-1]]
    lengths = np.arange(batch) % 3 * 3  # of 6 steps; every third row has none
    arrays.append(np.arange(6) >= 6 - lengths[:, None])
    got = compile_graph(graph)(*arrays)
    for actual, expected in zip(got, evaluate_graph(graph, arrays), strict=True):
        assert_close(actual, expected)


def test_weights_that_do_not_fit_the_cache() -> None:
    for batch in (2, 19):
        check(
            Network("lstm", 150, 170, batch, 3).text(), weights=Network("lstm", 150, 170).weights()
        )


@pytest.mark.parametrize("results", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_only_results_that_are_used_have_memory(results: tuple[int, ...]) -> None:
    graph = Network("lstm", 8, 16, results=results).graph()
    plan = lower_graph(graph, find_target())
    (launch,) = plan.launches
    outputs = [buffer for buffer in launch.buffers if buffer.place == "output"]
    assert len(outputs) == len(results)
    written = [tuple(buffer.type.shape) for buffer in launch.buffers if buffer.place == "arena"]
    assert not any(len(shape) == 3 and shape[-1] == 16 for shape in written)


def test_one_result_used_in_several_places() -> None:
    weights = Network("gru", 5, 12).weights()
    check(
        """
def f(x: f32[N, T, 5]):
    kernel: f32[5, 36] = parameter("kernel")
    recurrent_kernel: f32[12, 36] = parameter("recurrent_kernel")
    y: (f32[N, T, 12], f32[N, 12]) = gru(x, kernel, recurrent_kernel)
    a = item(y, index=0)
    b = item(y, index=0)
    c = item(y, index=1)
    return a, tanh(b), c, c, add(c, 1.0)
""",
        {"N": 4, "T": 3},
        weights,
    )


@pytest.mark.parametrize("weights_are_inputs", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [("f64", 1e-12), ("f16", 5e-3)])
@pytest.mark.parametrize("kind", list(GATES))
def test_other_dtypes(kind: str, dtype: str, tolerance: float, weights_are_inputs: bool) -> None:
    network = Network(kind, 6, 11, initial=True, weights_are_inputs=weights_are_inputs)
    weights = {name: w.astype(numpy_dtype(dtype)) for name, w in network.weights().items()}
    graph = parse(network.text().replace("f32", dtype), arrays=weights)
    arrays = [
        weights.get(value.name, array)
        for value, array in zip(graph.inputs, random_inputs(graph, {"N": 8, "T": 4}), strict=True)
    ]
    executable = compile_graph(graph)
    for batch in (8, 1):
        some = [array if array.shape[0] != 8 else array[:batch] for array in arrays]
        for one, other in zip(executable(*some), evaluate_graph(graph, some), strict=True):
            assert_close(one.astype(np.float64), other.astype(np.float64), tolerance)


EMBEDDED = """
def f(words: i32[N, T], mask: bool[N, T]):
    table: f32[11, 6] = parameter("table")
    kernel: f32[6, {wide}] = parameter("kernel")
    recurrent_kernel: f32[{units}, {wide}] = parameter("recurrent_kernel")
    bias: f32[{shape}] = parameter("bias")
    x = gather(table, words)
    y: (f32[N, T, {units}], {states}) = {op}(x, kernel, recurrent_kernel, bias=bias{more})
    a = item(y, index=0)
    b = item(y, index=1)
    return a, b
"""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("kind", "units", "attributes"),
    [
        ("lstm", 20, "reverse=True"),
        ("lstm", 64, ""),
        ("gru", 21, ""),
        ("gru", 7, "reset_after=False"),
        ("simple_rnn", 40, "reverse=True"),
    ],
)
def test_products_with_rows_of_a_table_are_made_beforehand(
    kind: str, units: int, attributes: str, target: str
) -> None:
    network = Network(kind, 6, units, attributes=attributes)
    weights = {**network.weights(), "table": np.random.default_rng(5).normal(size=(11, 6))}
    weights["table"] = weights["table"].astype(np.float32)
    text = EMBEDDED.format(
        op=kind,
        units=units,
        wide=GATES[kind] * units,
        shape=", ".join(map(str, weights["bias"].shape)),
        states=", ".join([f"f32[N, {units}]"] * STATES[kind]),
        more=f", mask=mask{', ' if attributes else ''}{attributes}",
    )
    graph = parse(text, arrays=weights)
    # the rows themselves are read by nobody, so nothing gathers them, unless they are put out
    assert len(lower_graph(graph, find_target(target)).launches) == 1
    gathered = parse(text.replace("return a, b", "return a, b, x"), arrays=weights)
    assert len(lower_graph(gathered, find_target(target)).launches) == 2
    for batch, steps in ((1, 9), (2, 1), (13, 4)):
        generator = np.random.default_rng(batch)
        # numbers outside the table take the nearest row
        words = generator.integers(-2, 14, (batch, steps)).astype(np.int32)
        arrays = [words, generator.random((batch, steps)) < 0.8]
        got = compile_graph(graph, target)(*arrays)
        for one, other in zip(got, evaluate_graph(graph, arrays), strict=True):
            assert_close(one, other)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("batch", [1, 2, 3, 11])
@pytest.mark.parametrize("units", [5, 16, 37])
def test_what_an_lstm_keeps_for_its_gradient(batch: int, units: int, target: str) -> None:
    network = Network("lstm", 3, units, attributes="reverse=True", initial=True, mask=True)
    graph = parse(network.text(), arrays=network.weights())
    whole = next(value for value in graph.values if isinstance(value.op, LSTM))
    kept = replace(whole.op, keep_gates=True)(*whole.inputs)
    outputs = tuple(item(kept, place) for place in range(6))
    check(Graph("f", graph.inputs, outputs), {"N": batch, "T": 6}, target=target)


@pytest.mark.parametrize("gates", [1, 2, 3, 4])
@pytest.mark.parametrize("units", [1, 3, 4, 7, 8, 9, 13, 15, 16, 17, 24, 31, 48, 100])
def test_packed_weights_depend_on_no_target(units: int, gates: int) -> None:
    matrix = np.arange(1, 2 * gates * units + 1).reshape(2, -1)
    layouts = [GateLayout(UnitLayout(units, lanes), gates) for lanes in (1, 4, 8, 16)]
    packed = [layout.pack(matrix, tuple(range(gates))) for layout in layouts]
    for layout, array in zip(layouts, packed, strict=True):
        assert (array == packed[0]).all()
        assert array.size == 2 * layout.size
        vectors = [
            UnitBlock(n * layout.units.lanes, 1, layout.units.lanes)
            for n in range(layout.units.full)
        ]
        for block in [*vectors, *([layout.units.tail] if layout.units.tail else [])]:
            width = min(block.lanes, units - block.first)
            for row, gate in np.ndindex(2, gates):
                place = layout.gate_place(block, 0, gate, 2, int(row))
                start = gate * units + block.first
                wanted = [*matrix[row, start : start + width], *[0] * (block.lanes - width)]
                assert array[place : place + block.lanes].tolist() == wanted


def bidirectional(kind: str, second: str, weights: dict[str, np.ndarray]) -> Graph:
    """Two ops on one input; where `second` is "state", the other one begins with this one's."""
    wide = GATES[kind] * 20
    names = ["initial_state", "initial_cell"][: STATES[kind]]

    def begin(state: str) -> str:
        return "".join(f", {name}={state}" for name in names)

    return parse(
        f"""
def net(x: f32[N, T, 9], z: f32[N, 20]):
    k: f32[9, {wide}] = parameter("k")
    r: f32[20, {wide}] = parameter("r")
    l: f32[9, {wide}] = parameter("l")
    s: f32[20, {wide}] = parameter("s")
    first = {kind}(x, k, r{begin("z")})
    y = item(first, index=0)
    h = item(first, index=1)
    other = {kind}(x, l, s{begin("h" if second == "state" else "z")}, reverse=True)
    v = item(other, index=0)
    g = item(other, index=1)
    return concatenate(y, reverse(v, axes=(1,)), axis=2), add(h, g)
""",
        arrays=weights,
    )


@pytest.mark.parametrize("second", ["independent", "state"])
@pytest.mark.parametrize("kind", list(GATES))
def test_both_directions_run_side_by_side(
    kind: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one kernel, unless one begins with what the other ends with; the bits are the same."""
    monkeypatch.setattr(ControlFlow, "grain", 1)
    random, wide = np.random.default_rng(0), GATES[kind] * 20
    shapes = {"k": (9, wide), "r": (20, wide), "l": (9, wide), "s": (20, wide)}
    weights = {n: random.normal(0, 0.3, s).astype(np.float32) for n, s in shapes.items()}
    graph = bidirectional(kind, second, weights)
    plan = lower_graph(graph, find_target("native"))
    recurrent = [one for one in plan.launches if any(v.op.text_name == kind for v in one.values)]
    assert len(recurrent) == (1 if second == "independent" else 2)
    for batch in (1, 4, 19):
        executable = check(graph, {"N": batch, "T": 5})
        arrays = random_inputs(graph, {"N": batch, "T": 5})
        executable.threads = 1
        expected = [array.tobytes() for array in executable(*arrays)]
        for threads in (2, 3):
            executable.threads = threads
            assert [array.tobytes() for array in executable(*arrays)] == expected
