"""What C headers of compiled models consist of: declarations that all share, names, constants."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
    WRONG_PROCESSOR,
    TensorInfo,
    c_identifier,
)

_CODES = {
    "KERAC_OK": OK,
    "KERAC_NULL_POINTER": NULL_POINTER,
    "KERAC_DIM_NOT_POSITIVE": DIM_NOT_POSITIVE,
    "KERAC_WORKSPACE_NOT_ALIGNED": WORKSPACE_NOT_ALIGNED,
    "KERAC_WRONG_PROCESSOR": WRONG_PROCESSOR,
}

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
    /* what the code is made for that runs on this processor, one word, or NULL if none does */
    const char *(*variant)(void);
}} kerac_info;
#elif KERAC_ABI_VERSION != {version}
#error "headers of models that different versions of kerac compiled cannot be included together"
#endif"""


def declarations() -> str:
    """What every header declares, once in a program."""
    defined = define_codes({name: (code, RETURN_CODES[code]) for name, code in _CODES.items()})
    return _DECLARATIONS.format(version=ABI_VERSION, alignment=ALIGNMENT, codes=defined)


def define_codes(codes: Mapping[str, tuple[int, str]]) -> str:
    """Codes that functions return, by name, with what each says."""
    return "\n".join(f"#define {key} {code} /* {says} */" for key, (code, says) in codes.items())


def constants(prefix: str, kind: str, tensors: Sequence[TensorInfo], dims: list[str]) -> list[str]:
    """Names, types and numbers of elements of all tensors of a kind."""
    stem = f"{prefix.upper()}_{kind}"
    blocks = [f"#define {stem}_COUNT {len(tensors)}"]
    for number, tensor in enumerate(tensors):
        lines = [
            f"#define {stem}_{number}_NAME {literal(tensor.name)}",
            f"#define {stem}_{number}_TYPE {literal(tensor.type)} /* {c_type(tensor)} in C */",
        ]
        count = elements(tensor, dims)
        if count is None:
            lines.append(
                f"/* {prefix}_info()->output_shape computes the shape of output {number} */"
            )
        else:
            parameters = f"({', '.join(dims)})" if dims else ""
            lines.append(f"#define {stem}_{number}_ELEMENTS{parameters} {count}")
        blocks.append("\n".join(lines))
    return blocks


def elements(tensor: TensorInfo, dims: list[str]) -> str | None:
    """The number of elements as an expression in C, None where only a run can tell."""
    if DERIVED in tensor.shape:
        return None
    factors = [f"(int64_t)({dims[-1 - entry]})" for entry in tensor.shape if entry < 0]
    fixed = prod([entry for entry in tensor.shape if entry >= 0])
    if fixed != 1 or not factors:
        factors.append(f"INT64_C({fixed})")
    return f"({' * '.join(factors)})"


def c_type(tensor: TensorInfo) -> str:
    """The type of an element in C."""
    return DTYPES[tensor.dtype][1]


def parameter(dim: str) -> str:
    """A parameter's name; never the bare symbol, which a program may have defined as a macro."""
    return "batch" if dim == "N" else f"dim_{c_identifier(dim)}".lower()


def comment(text: str) -> str:
    """`text` inside a comment, which it cannot end; names of layers come from model files."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    # `/*` is a warning, `??/` a trigraph, and a backslash at the end joins lines
    return re.sub(r"\*(?=/)|/(?=\*)|\?(?=\?/)|\\$", lambda found: f"{found[0]} ", printable)


def literal(text: str) -> str:
    """`text` as a string in C: special bytes in octal, and no trigraphs."""
    plain = {byte: chr(byte) for byte in range(32, 127)}
    escaped = {ord(character): f"\\{character}" for character in '"\\?'}
    texts = plain | escaped
    return '"' + "".join(texts.get(byte, f"\\{byte:03o}") for byte in text.encode()) + '"'
