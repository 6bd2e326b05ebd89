"""The C header of a compiled model, for C99 and C++, as `kerac.runtime.abi` promises it."""

from __future__ import annotations

from math import prod

from kerac.runtime.abi import ALIGNMENT, ModelInfo, TensorInfo, c_identifier
from kerac.runtime.c_text import c_type, comment, constants, declarations, elements, parameter

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

/* What the code is made for that runs on this processor: of the variants that the library holds,
 * the best one that it can run. NULL where there is none: then nothing can be computed. */
const char *{prefix}_variant(void);

#ifdef __cplusplus
}}
#endif"""


def header_text(name: str, model: ModelInfo, stem: str = "") -> str:
    """The header of `model`, whose functions are called `name`_run and so on.

    `stem` is what the files of header and library are called, where that is not `name`.
    """
    prefix = c_identifier(name)
    guard = f"KERAC_MODEL_{prefix.upper()}_H"
    dims = [parameter(dim) for dim in model.dim_names]
    declared = [f"int64_t {dim}" for dim in dims]
    parts = [
        _introduction(prefix, model, dims, comment(stem or prefix)),
        f"#ifndef {guard}\n#define {guard}\n\n#include <stddef.h>\n#include <stdint.h>",
        declarations(),
        *constants(prefix, "INPUT", model.inputs, dims),
        *constants(prefix, "OUTPUT", model.outputs, dims),
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
        f"/* The model {comment(model.name)}, compiled by {comment(model.producer)}",
        f" * for {comment(model.target)}.",
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
        f" *   {label:<10} {comment(tensor.name):<{width}}  {comment(tensor.type)}{amount}"
        + (f", from {comment(tensor.origin)}" if tensor.origin else "")
        + (f", in the memory of input {tensor.replaces}" if tensor.replaces >= 0 else "")
        for label, tensor, amount in rows
    ]
    named = zip(model.dim_names, dims, strict=True)
    return lines + [
        f" *   dim        {comment(name)} is the parameter `{dim}`" for name, dim in named
    ]


def _amount(tensor: TensorInfo, model: ModelInfo) -> str:
    """How many elements a sample has, where that is known now."""
    fixed = [entry for entry in tensor.shape if entry >= 0]
    if len(fixed) == len(tensor.shape):
        return f": {prod(fixed)} elements"
    if len(fixed) == len(tensor.shape) - 1 and tensor.shape[0] == -1:
        return f": {prod(fixed)} elements for each {comment(model.dim_names[0])}"
    return ""


def _example(prefix: str, model: ModelInfo, dims: list[str], stem: str) -> list[str]:
    values = ["1" if number == 0 else "16" for number in range(len(dims))]
    arguments = f"({', '.join(values)})" if dims else ""
    names: dict[str, list[str]] = {"INPUT": [], "OUTPUT": []}
    arrays = []
    for kind, tensors in (("INPUT", model.inputs), ("OUTPUT", model.outputs)):
        for number, tensor in enumerate(tensors):
            name = f"{kind.lower()}_{number}"
            names[kind].append(name)
            known = elements(tensor, dims) is not None
            size = f"{prefix.upper()}_{kind}_{number}_ELEMENTS{arguments}" if known else "4096"
            note = "" if known else " // must be as large as output_shape says"
            if tensor.replaces >= 0:
                names[kind][-1] = f"input_{tensor.replaces}"
                continue
            arrays.append(f"static {c_type(tensor)} {name}[{size}];{note}")
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
