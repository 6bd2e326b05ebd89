"""The C interface of a trainer, a training step as a library, stated once for header and code.

A trainer is three compiled graphs (a step, an evaluation, a prediction) and `trainer.c`, which
keeps their state in a block that the caller owns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import prod

from kerac.runtime.abi import ALIGNMENT, DTYPES, TensorInfo, c_identifier
from kerac.runtime.c_text import (
    comment,
    constants,
    declarations,
    define_codes,
    literal,
    parameter,
)

CODES = {
    "KERAC_NOT_INITIALIZED": (16, "the block was not made by init, or for another model"),
    "KERAC_BATCH_TOO_LARGE": (17, "the batch is larger than init was told"),
    "KERAC_NO_SUCH_VARIABLE": (18, "no variable has that number, or the learning rate is fixed"),
    "KERAC_STATE_OF_ANOTHER": (19, "the saved state is that of another model, or damaged"),
}
GRAPHS = ("train", "evaluate", "predict")


@dataclass(frozen=True)
class StateVariable:
    """A part of the state. `kind` is weight, optimizer or metric; `offset` counts in the state."""

    path: str
    dtype: str
    shape: tuple[int, ...]
    kind: str
    trainable: bool
    offset: int

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)


@dataclass(frozen=True)
class TrainerGraph:
    """How one of the graphs is called: its C prefix, and the numbers of its state."""

    prefix: str
    takes_labels: bool
    takes_key: bool
    state: tuple[int, ...]
    changed: tuple[int, ...]


@dataclass(frozen=True)
class TrainerInfo:
    """What a trainer consists of. `layout` tells states of different models apart."""

    name: str
    producer: str
    target: str
    x: tuple[TensorInfo, ...]
    y: tuple[TensorInfo, ...]
    weights: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    records: tuple[tuple[str, int], ...]
    """Names and numbers of elements."""
    variables: tuple[StateVariable, ...]
    graphs: tuple[TrainerGraph, TrainerGraph, TrainerGraph]
    """In the order of `GRAPHS`."""
    metrics: tuple[int, int]
    """Where the sums of metrics begin in the state, and their bytes."""
    key_offset: int
    state_size: int
    layout: int
    learning_rate: int = -1
    """The number of the variable that holds it, or -1."""


_DECLARATIONS = """\
#ifndef KERAC_TRAINER_DECLARED
#define KERAC_TRAINER_DECLARED

{codes}

typedef struct {{
    const char *path;     /* "dense/kernel" */
    const char *dtype;    /* "f32", "i32", ... */
    const char *kind;     /* "weight", "optimizer" or "metric" */
    int64_t ndim;
    const int64_t *shape;
    int64_t elements;
    size_t bytes;
    int trainable;
}} kerac_variable;
#endif"""

_FUNCTIONS = """\
#ifdef __cplusplus
extern "C" {{
#endif

/* Bytes of the block of a trainer for batches of up to `largest_batch` samples. */
size_t {p}_size(int64_t largest_batch);

/* Make the block a trainer that stands where the model's file did. */
int {p}_init(void *trainer, int64_t largest_batch);

/* Learn from a batch. `weights` may be NULL{weights_note}. `records` takes
 * {P}_RECORDS numbers, loss and metrics of all batches since reset_metrics, or is NULL. */
int {p}_train(void *trainer, const void *const *x, const void *const *y,
    const float *const *weights, int64_t batch, float *records);

/* The same records of a batch that nothing is learned from. */
int {p}_evaluate(void *trainer, const void *const *x, const void *const *y,
    const float *const *weights, int64_t batch, float *records);

/* What the model says of a batch, with its weights as they are now. */
int {p}_predict(void *trainer, const void *const *x, int64_t batch, void *const *outputs);

/* Forget the batches that records are of: before an epoch, and before an evaluation. */
int {p}_reset_metrics(void *trainer);

/* Where the random numbers of training come from; 0 at first. */
int {p}_set_seed(void *trainer, uint32_t seed);
int {p}_set_learning_rate(void *trainer, float rate);

/* At most so many threads work on a call, 1 at first; results are the same for any number. */
int {p}_set_threads(void *trainer, int64_t threads);

/* Weights, state of the optimizer and sums of metrics, by number; NULL, or -1, where none is. */
int64_t {p}_variable_count(void);
const kerac_variable *{p}_variable(int64_t number);
int64_t {p}_find(const char *path);
int {p}_read(const void *trainer, int64_t number, void *values);
int {p}_write(void *trainer, int64_t number, const void *values);

/* All state, random numbers included, in a buffer of state_size bytes, and back. */
size_t {p}_state_size(void);
int {p}_save(const void *trainer, void *buffer);
int {p}_restore(void *trainer, const void *buffer, size_t size);

#ifdef __cplusplus
}}
#endif"""

_NOTES = """\
 * Arrays are dense and row-major, each aligned to its elements, and overlap nothing else.
 * A trainer is a block of {p}_size(...) bytes, aligned to {alignment}, that the caller
 * owns; it holds all state and may be copied. One call at a time works on a block; calls on several
 * blocks may run side by side. No call allocates, keeps anything elsewhere, or calls anything but
 * the C library.
 * Indices outside a table are clamped. On an error code nothing was computed or changed."""


def trainer_header(name: str, trainer: TrainerInfo, stem: str = "") -> str:
    """The C header of a trainer, for C99 and C++; `stem` is what its files are called."""
    prefix = c_identifier(name)
    guard = f"KERAC_TRAINER_{prefix.upper()}_H"
    dims = [parameter("N")]
    upper = prefix.upper()
    note = "" if trainer.weights else ": this trainer takes none"
    records = [f"#define {upper}_RECORDS {sum(size for _, size in trainer.records)}"]
    place = 0
    for record, size in trainer.records:
        macro = f"{upper}_RECORD_{c_identifier(record).upper()}"
        records.append(f"#define {macro} {place} /* {comment(record)} */")
        place += size
    parts = [
        _introduction(prefix, trainer, comment(stem or prefix)),
        f"#ifndef {guard}\n#define {guard}\n\n#include <stddef.h>\n#include <stdint.h>",
        declarations(),
        _DECLARATIONS.format(codes=define_codes(CODES)),
        *constants(prefix, "X", trainer.x, dims),
        *constants(prefix, "Y", trainer.y, dims),
        *constants(prefix, "OUTPUT", trainer.outputs, dims),
        f"#define {upper}_SAMPLE_WEIGHTS {len(trainer.weights)}",
        "\n".join(records),
        _FUNCTIONS.format(p=prefix, P=upper, weights_note=note),
        f"#endif /* {guard} */",
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(prefix: str, trainer: TrainerInfo, stem: str) -> str:
    rows = [
        (f"{kind} {number}", tensor.name, tensor.type)
        for kind, tensors in (
            ("x", trainer.x),
            ("y", trainer.y),
            ("weights", trainer.weights),
            ("output", trainer.outputs),
        )
        for number, tensor in enumerate(tensors)
    ]
    lines = [
        f"/* The training of {comment(trainer.name)}, compiled by {comment(trainer.producer)}",
        f" * for {comment(trainer.target)}.",
        " *",
        *(f" *   {label:<10} {comment(name)}  {comment(type_)}" for label, name, type_ in rows),
        f" *   records    {comment(', '.join(name for name, _ in trainer.records))}",
        f" *   state      {trainer.state_size:,} bytes in {len(trainer.variables)} variables",
        " *",
        _NOTES.format(p=prefix, alignment=ALIGNMENT),
        " *",
        f" * Link with {stem}.so -Wl,-rpath,'$ORIGIN' -lm, or {stem}.a -lm -pthread.",
        " */",
    ]
    return "\n".join(lines)


def trainer_code() -> str:
    """The C program that `tables.h` makes that of one model."""
    return files("kerac.runtime").joinpath("trainer.c").read_text(encoding="utf-8")


def trainer_tables(name: str, trainer: TrainerInfo, header: str, initial_state: str) -> str:
    """`tables.h` for `trainer.c`: paths of the header, and of the file that holds the state."""
    prefix = c_identifier(name)
    variables, graphs = trainer.variables, trainer.graphs
    batch = len(trainer.x) + len(trainer.y) + len(trainer.weights) + 1
    results = max(len(trainer.records), len(trainer.outputs))
    numbers = {
        "VARIABLES": len(variables),
        "STATE_BYTES": trainer.state_size,
        "KEY_OFFSET": trainer.key_offset,
        "METRICS_START": trainer.metrics[0],
        "METRICS_BYTES": trainer.metrics[1],
        "RATE": trainer.learning_rate,
        "X_COUNT": len(trainer.x),
        "Y_COUNT": len(trainer.y),
        "SAMPLE_WEIGHTS": len(trainer.weights),
        "OUTPUT_COUNT": len(trainer.outputs),
        "RECORD_COUNT": len(trainer.records),
        "RECORDS": sum(size for _, size in trainer.records),
        "MOST_INPUTS": batch + max(len(graph.state) for graph in graphs),
        "MOST_OUTPUTS": results + max(len(graph.changed) for graph in graphs),
        "GRAPHS": len(graphs),
        **{graph.upper(): number for number, graph in enumerate(GRAPHS)},
    }
    places = [sum(size for _, size in trainer.records[:i]) for i in range(len(trainer.records))]
    return "\n".join(
        [
            f"#include {literal(header)}",
            f"#define FUNCTION(name) {prefix}_##name",
            f"#define LAYOUT UINT64_C(0x{trainer.layout:016x})",
            *(f"#define {key} {value}" for key, value in numbers.items()),
            _array("size_t", "offsets", [variable.offset for variable in variables]),
            _array("size_t", "record_places", places),
            *_variable_tables(variables),
            *_graph_tables(graphs),
            _initial_state(f"{prefix}_initial_state", initial_state),
            "",
        ]
    )


def _array(kind: str, name: str, numbers: Sequence[int]) -> str:
    # C has no empty arrays
    return f"static const {kind} {name}[] = {{{', '.join(map(str, numbers)) or '0'}}};"


def _variable_tables(variables: Sequence[StateVariable]) -> list[str]:
    lines, rows = [], []
    for number, each in enumerate(variables):
        lines.append(_array("int64_t", f"shape_{number}", each.shape))
        size = f"{each.elements} * sizeof({DTYPES[each.dtype][1]})"
        texts = ", ".join(map(literal, (each.path, each.dtype, each.kind)))
        rows.append(
            f"    {{{texts}, {len(each.shape)}, shape_{number}, {each.elements}, {size}, "
            f"{int(each.trainable)}}},"
        )
    return [*lines, "static const kerac_variable variables[] = {", *rows, "};"]


def _graph_tables(graphs: Sequence[TrainerGraph]) -> list[str]:
    lines = [
        "typedef struct {",
        "    const kerac_info *(*info)(void);",
        "    int takes_labels, takes_key, state_count, changed_count;",
        "    const int *state, *changed;",
        "} graph_of_trainer;",
    ]
    rows = []
    for number, graph in enumerate(graphs):
        lines.append(f"const kerac_info *{graph.prefix}_info(void);")
        lines.append(_array("int", f"state_{number}", graph.state))
        lines.append(_array("int", f"changed_{number}", graph.changed))
        rows.append(
            f"    {{{graph.prefix}_info, {int(graph.takes_labels)}, {int(graph.takes_key)}, "
            f"{len(graph.state)}, {len(graph.changed)}, state_{number}, changed_{number}}},"
        )
    return [*lines, "static const graph_of_trainer graphs[] = {", *rows, "};"]


def _initial_state(symbol: str, path: str) -> str:
    """The state of the model's file, read-only, past the compiler."""
    lines = [
        ".section .rodata.kerac_state,\\\"a\\\",%progbits",
        f".hidden {symbol}",
        f".globl {symbol}",
        f".balign {ALIGNMENT}",
        f"{symbol}:",
        f".incbin \\\"{path}\\\"",
        ".text",
    ]
    assembly = "\n".join(f'    "{line}\\n"' for line in lines)
    return (
        f"__asm__(\n{assembly});\n"
        f"extern const unsigned char {symbol}[];\n#define initial_state {symbol}"
    )


