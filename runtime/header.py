"""The C header of a compiled model, for C99 and C++, as `kerac.runtime.abi` promises it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod

from kerac.runtime.abi import (
    ABI_VERSION,
    ALIGNMENT,
    DERIVED,
    DIM_NOT_POSITIVE,
    DTYPES,
    NULL_POINTER,
    OK,
    RETURN_CODES,
    WORKSPACE_NOT_ALIGNED,
    ModelInfo,
    TensorInfo,
    c_identifier,
)

_CODES = {
    "KERAC_OK": OK,
    "KERAC_NULL_POINTER": NULL_POINTER,
    "KERAC_DIM_NOT_POSITIVE": DIM_NOT_POSITIVE,
    "KERAC_WORKSPACE_NOT_ALIGNED": WORKSPACE_NOT_ALIGNED,
}

_NOTES = """\
 * Arrays are dense and row-major, each aligned to its elements; a bool is one byte, 0 or 1.
 * Inputs are only read. An output must overlap no input, no other output and not the workspace.
 * The workspace has {prefix}_workspace_size(...) bytes and is aligned to {alignment}; its content
 * does not matter.
 * A run allocates nothing, keeps no state and calls nothing but the C library, so any number of
 * threads may run at the same time, each with a workspace and outputs of its own. Threads of the
 * library are started by the first run that uses them; a run that finds them busy works alone.
 * Every input is safe: indices outside a table are clamped to its first or last row.
 * On an error code nothing was computed."""

_DECLARATIONS = """\
#ifndef KERAC_ABI_VERSION
#define KERAC_ABI_VERSION {version}
#define KERAC_WORKSPACE_ALIGNMENT {alignment}

{codes}

typedef struct {{
    const char *name;
    const char *dtype;    /* "f32", "i32", "i64", "u8", "bool", ... */
    const char *type;     /* for people: "f32[N, 28, 28, 1]" */
    const char *origin;   /* path of the layer it comes from */
    int64_t ndim;
    const int64_t *shape; /* >= 0: fixed; -1 - k: dims[k]; INT64_MIN: computed, ask output_shape */
    int64_t replaces;     /* an output: the input that it is written over, or -1 */
}} kerac_tensor;

/* How a run uses threads: at most so many, of the library or by a function of yours. */
typedef struct {{
    int64_t threads;
    /* NULL, or: call task(data, 0 ... count - 1) in any order, and return after the last one */
    void (*parallel_for)(void *context, void (*task)(void *data, int64_t number), void *data,
                         int64_t count);
    void *context;
}} kerac_parallel;

typedef struct {{
    int64_t abi_version;
    const char *name;
    const char *producer;
    const char *target;
    int64_t dim_count;
    const char *const *dim_names;
    int64_t input_count;
    const kerac_tensor *inputs;
    int64_t output_count;
    const kerac_tensor *outputs;
    int64_t weights_size; /* bytes */
    /* 0 if a dim is not positive */
    size_t (*workspace_size)(const int64_t *dims);
    /* writes outputs[output].ndim lengths */
    int (*output_shape)(int64_t output, const int64_t *dims, int64_t *shape);
    /* `parallel` may be NULL: as set_threads said */
    int (*run)(const void *const *inputs, void *const *outputs, const int64_t *dims,
               void *workspace, const kerac_parallel *parallel);
}} kerac_info;
#elif KERAC_ABI_VERSION != {version}
#error "headers of models that different versions of kerac compiled cannot be included together"
#endif"""

_FUNCTIONS = """\
#ifdef __cplusplus
extern "C" {{
#endif

/* What the model says about itself; never NULL. */
const kerac_info *{prefix}_info(void);

/* Bytes of workspace that a run needs{sizes}. */
size_t {prefix}_workspace_size({dims});

/* Compute the outputs; returns KERAC_OK or another code above. */
int {prefix}_run(const void *const *inputs, void *const *outputs, {run_dims}void *workspace);

/* How many threads later runs use, 1 at first; results are the same for any number. */
void {prefix}_set_threads(int64_t threads);

#ifdef __cplusplus
}}
#endif"""


def header_text(name: str, model: ModelInfo, stem: str = "") -> str:
    """The header of `model`, whose functions are called `name`_run and so on.

    `stem` is what the files of header and library are called, where that is not `name`.
    """
    prefix = c_identifier(name)
    guard = f"KERAC_MODEL_{prefix.upper()}_H"
    dims = [_parameter(dim) for dim in model.dim_names]
    declared = [f"int64_t {dim}" for dim in dims]
    codes = "\n".join(
        f"#define {key} {code} /* {RETURN_CODES[code]} */" for key, code in _CODES.items()
    )
    parts = [
        _introduction(prefix, model, dims, _comment(stem or prefix)),
        f"#ifndef {guard}\n#define {guard}\n\n#include <stddef.h>\n#include <stdint.h>",
        _DECLARATIONS.format(version=ABI_VERSION, alignment=ALIGNMENT, codes=codes),
        *_constants(prefix, "INPUT", model.inputs, dims),
        *_constants(prefix, "OUTPUT", model.outputs, dims),
        _FUNCTIONS.format(
            prefix=prefix,
            sizes=", 0 where a dim is not positive" if dims else "",
            dims=", ".join(declared) or "void",
            run_dims="".join(f"{dim}, " for dim in declared),
        ),
        f"#endif /* {guard} */",
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(prefix: str, model: ModelInfo, dims: list[str], stem: str) -> str:
    lines = [
        f"/* The model {_comment(model.name)}, compiled by {_comment(model.producer)}",
        f" * for {_comment(model.target)}.",
        " *",
        *_table(model, dims),
        f" *   weights    {model.weights_size:,} bytes, inside the library",
        " *",
        _NOTES.format(prefix=prefix, alignment=ALIGNMENT),
        " *",
        " * An example; a program that finds the library in its own folder is built by",
        f" *     cc -std=c11 -O2 example.c {stem}.so -Wl,-rpath,'$ORIGIN' -lm -o example",
        " *",
        *(f" *     {line}".rstrip() for line in _example(prefix, model, dims, stem)),
        " */",
    ]
    return "\n".join(lines)


def _table(model: ModelInfo, dims: list[str]) -> list[str]:
    rows = [
        (f"{kind} {number}", tensor, _amount(tensor, model))
        for kind, tensors in (("input", model.inputs), ("output", model.outputs))
        for number, tensor in enumerate(tensors)
    ]
    width = max((len(tensor.name) for _, tensor, _ in rows), default=0)
    lines = [
        f" *   {label:<10} {_comment(tensor.name):<{width}}  {_comment(tensor.type)}{amount}"
        + (f", from {_comment(tensor.origin)}" if tensor.origin else "")
        + (f", in the memory of input {tensor.replaces}" if tensor.replaces >= 0 else "")
        for label, tensor, amount in rows
    ]
    named = zip(model.dim_names, dims, strict=True)
    return lines + [
        f" *   dim        {_comment(name)} is the parameter `{dim}`" for name, dim in named
    ]


def _amount(tensor: TensorInfo, model: ModelInfo) -> str:
    """How many elements a sample has, where that is known now."""
    fixed = [entry for entry in tensor.shape if entry >= 0]
    if len(fixed) == len(tensor.shape):
        return f": {prod(fixed)} elements"
    if len(fixed) == len(tensor.shape) - 1 and tensor.shape[0] == -1:
        return f": {prod(fixed)} elements for each {_comment(model.dim_names[0])}"
    return ""


def _constants(prefix: str, kind: str, tensors: Sequence[TensorInfo], dims: list[str]) -> list[str]:
    stem = f"{prefix.upper()}_{kind}"
    blocks = [f"#define {stem}_COUNT {len(tensors)}"]
    for number, tensor in enumerate(tensors):
        lines = [
            f"#define {stem}_{number}_NAME {_literal(tensor.name)}",
            f"#define {stem}_{number}_TYPE {_literal(tensor.type)} /* {_c_type(tensor)} in C */",
        ]
        count = _elements(tensor, dims)
        if count is None:
            lines.append(
                f"/* {prefix}_info()->output_shape computes the shape of output {number} */"
            )
        else:
            parameters = f"({', '.join(dims)})" if dims else ""
            lines.append(f"#define {stem}_{number}_ELEMENTS{parameters} {count}")
        blocks.append("\n".join(lines))
    return blocks


def _elements(tensor: TensorInfo, dims: list[str]) -> str | None:
    """The number of elements as an expression in C, None where only a run can tell."""
    if DERIVED in tensor.shape:
        return None
    factors = [f"(int64_t)({dims[-1 - entry]})" for entry in tensor.shape if entry < 0]
    fixed = prod([entry for entry in tensor.shape if entry >= 0])
    if fixed != 1 or not factors:
        factors.append(f"INT64_C({fixed})")
    return f"({' * '.join(factors)})"


def _c_type(tensor: TensorInfo) -> str:
    return DTYPES[tensor.dtype][1]


def _example(prefix: str, model: ModelInfo, dims: list[str], stem: str) -> list[str]:
    values = ["1" if number == 0 else "16" for number in range(len(dims))]
    arguments = f"({', '.join(values)})" if dims else ""
    names: dict[str, list[str]] = {"INPUT": [], "OUTPUT": []}
    arrays = []
    for kind, tensors in (("INPUT", model.inputs), ("OUTPUT", model.outputs)):
        for number, tensor in enumerate(tensors):
            name = f"{kind.lower()}_{number}"
            names[kind].append(name)
            known = _elements(tensor, dims) is not None
            size = f"{prefix.upper()}_{kind}_{number}_ELEMENTS{arguments}" if known else "4096"
            note = "" if known else " // must be as large as output_shape says"
            if tensor.replaces >= 0:
                names[kind][-1] = f"input_{tensor.replaces}"
                continue
            arrays.append(f"static {_c_type(tensor)} {name}[{size}];{note}")
    return [
        "#include <stdlib.h>",
        f'#include "{stem}.h"',
        "",
        *arrays,
        "",
        "int main(void) {",
        f"    const void *inputs[] = {{{', '.join(names['INPUT']) or 'NULL'}}};",
        f"    void *outputs[] = {{{', '.join(names['OUTPUT'])}}};",
        f"    size_t size = {prefix}_workspace_size({', '.join(values)});",
        "    // a block of whole alignments, and never an empty one",
        "    void *workspace = aligned_alloc(KERAC_WORKSPACE_ALIGNMENT,",
        "        (size / KERAC_WORKSPACE_ALIGNMENT + 1) * KERAC_WORKSPACE_ALIGNMENT);",
        f"    int code = {prefix}_run({', '.join(['inputs', 'outputs', *values, 'workspace'])});",
        "    free(workspace);",
        "    return code;",
        "}",
    ]


def _parameter(dim: str) -> str:
    """A parameter's name; never the bare symbol, which a program may have defined as a macro."""
    return "batch" if dim == "N" else f"dim_{c_identifier(dim)}".lower()


def _comment(text: str) -> str:
    """`text` inside a comment, which it cannot end; names of layers come from model files."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    # `/*` is a warning, `??/` a trigraph, and a backslash at the end joins lines
    return re.sub(r"\*(?=/)|/(?=\*)|\?(?=\?/)|\\$", lambda found: f"{found[0]} ", printable)


def _literal(text: str) -> str:
    """`text` as a string in C: special bytes in octal, and no trigraphs."""
    plain = {byte: chr(byte) for byte in range(32, 127)}
    escaped = {ord(character): f"\\{character}" for character in '"\\?'}
    texts = plain | escaped
    return '"' + "".join(texts.get(byte, f"\\{byte:03o}") for byte in text.encode()) + '"'
