"""A search for the best of the choices that lowerings have, by timing kernels on this machine.

Each question that the lowering of a graph asks is answered once: its anchor, alone in a graph, is
compiled with each candidate, and all are timed in turns. Answers are kept in the cache of code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256

import numpy as np

from kerac.backends.llvm.code_cache import CodeCache
from kerac.backends.llvm.information import producer
from kerac.backends.llvm.lowering import lower_graph
from kerac.backends.llvm.plan import Plan
from kerac.backends.llvm.schedules import Question, Schedules, is_constant, symbols_in
from kerac.backends.llvm.target import Target
from kerac.backends.llvm.timing import time_in_turns
from kerac.ir.graph import Graph, Value
from kerac.ir.ops.constant import Constant, Input, Parameter
from kerac.ir.types import known_shape

Clock = Callable[[Sequence[Plan], Target, Sequence[np.ndarray]], Sequence[float]]

NOTHING: Mapping[str, str] = {}
VERSION = 1  # changes with what the names of candidates mean
LARGEST = 32 << 20  # bytes of arrays: larger ones come from memory, and no choice makes that faster
GAIN = 1.03  # by how much a candidate must be faster, twice
CYCLES = 200  # and by how many: some counters advance in steps of tens
EQUAL = 1.01  # candidates so near to the fastest are as fast


@dataclass(frozen=True)
class Find:
    """Which candidate is best for a kernel, and how many times as long the default takes."""

    kernel: str
    default: str
    found: str
    gain: float = 1.0


@dataclass
class Tuner:
    """Answers questions by measurements for some `lengths` of the symbols."""

    target: Target
    lengths: Mapping[str, int]
    cache: CodeCache = field(default_factory=CodeCache.of_user)
    clock: Clock = time_in_turns
    on_step: Callable[[str], None] = lambda _: None
    finds: dict[str, Find] = field(default_factory=dict)

    def tune(self, graph: Graph) -> Schedules:
        """What is best for each kernel of `graph`, on which all passes have run."""
        asked = self._lower(graph)[1]
        for number, question in enumerate(asked.values(), start=1):
            self.on_step(f"kernel {number} of {len(asked)}: {_name(question.anchor)}")
            self._answer_all(question.anchor)
        return self.schedules()

    def schedules(self, also: Mapping[str, str] = NOTHING) -> Schedules:
        """What was found until now, and `also` answers to more questions."""
        found = {key: find.found for key, find in self.finds.items()}
        return Schedules({**found, **also}, self.lengths)

    def _lower(
        self, graph: Graph, also: Mapping[str, str] = NOTHING
    ) -> tuple[Plan, Mapping[str, Question]]:
        """The plan, and the questions that its lowering asked."""
        schedules = self.schedules(also)
        return lower_graph(graph, self.target, schedules), schedules.asked

    def _answer_all(self, anchor: Value) -> None:
        """Answer what the lowering of `anchor` asks; an answer may lead to the next question."""
        graph = alone(anchor)
        while True:
            asked = self._lower(graph)[1].values()
            waiting = [question for question in asked if question.key not in self.finds]
            if not waiting:
                return
            question = replace(waiting[0], anchor=anchor)
            self.finds[question.key] = self._known(question) or self._search(question, graph)

    def _search(self, question: Question, graph: Graph) -> Find:
        default = question.candidates[0]
        find = Find(_name(question.anchor), default, default)
        inputs = self._inputs(graph)
        if len(question.candidates) == 1 or inputs is None:
            return find
        cycles = self._time(question, question.candidates, graph, inputs)
        # of those that are as fast as the fastest the one that the heuristic prefers
        best = next(name for name in cycles if cycles[name] <= EQUAL * min(cycles.values()))
        if _is_gain(cycles[default], cycles[best]):
            again = self._time(question, (default, best), graph, inputs)
            if _is_gain(again[default], again[best]):
                find = replace(find, found=best, gain=again[default] / again[best])
        content = {"kernel": question.key, "found": find.found, "gain": find.gain}
        self.cache.put(self._digest(question), json.dumps(content).encode())
        return find

    def _time(
        self,
        question: Question,
        names: Sequence[str],
        graph: Graph,
        inputs: Sequence[np.ndarray],
    ) -> dict[str, float]:
        plans = [self._lower(graph, {question.key: name})[0] for name in names]
        return dict(zip(names, self.clock(plans, self.target, inputs), strict=True))

    def _known(self, question: Question) -> Find | None:
        """What an earlier search found."""
        try:
            content = json.loads(self.cache.get(self._digest(question)) or b"null")
        except (ValueError, RecursionError):
            return None
        match content:
            case {"found": str(found), "gain": float(gain)} if found in question.candidates:
                return Find(_name(question.anchor), question.candidates[0], found, gain)
        return None

    def _digest(self, question: Question) -> str:
        """The name in the cache of all that an answer follows from."""
        head = [VERSION, producer(), asdict(self.target), question.candidates]
        return sha256(json.dumps([*head, question.key]).encode()).hexdigest()

    def _inputs(self, graph: Graph) -> list[np.ndarray] | None:
        """Arrays for the inputs; None where no choice matters or the lengths do not fit."""
        generator, arrays = np.random.default_rng(0), []
        size = sum(
            value.op.data.array.nbytes
            for value in graph.values
            if isinstance(value.op, Constant | Parameter)
        )
        for value in graph.inputs:
            type_ = value.tensor_type.substitute(self.lengths)
            if symbols_in([value]) and not set(symbols_in([value])) <= set(self.lengths):
                return None
            shape = known_shape(type_.shape)
            if min(shape, default=1) < 1:
                return None
            numbers = generator.standard_normal(shape) if type_.is_float else np.zeros(shape)
            arrays.append(numbers.astype(type_.numpy_dtype))
        return arrays if size + sum(array.nbytes for array in arrays) <= LARGEST else None


def alone(anchor: Value) -> Graph:
    """A graph that computes nothing but `anchor`, of its constants and of inputs."""
    inputs: dict[Value, Value] = {}
    for number, operand in enumerate(dict.fromkeys(anchor.operands)):
        if not is_constant(operand):
            inputs[operand] = Input(operand.tensor_type)(name=f"x{number}")
    result = anchor.op(
        *(None if operand is None else inputs.get(operand, operand) for operand in anchor.inputs),
        name="result",
    )
    return Graph("kernel", tuple(inputs.values()), (result,))


def _is_gain(before: float, after: float) -> bool:
    return before > GAIN * after and before - after > CYCLES


def _name(value: Value) -> str:
    return " + ".join(value.origin.layers) or value.name
