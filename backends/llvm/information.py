"""What a compiled model says of itself: `kerac_info` of the C interface as LLVM constants.

The layout is that of `kerac.runtime.abi`, which header and loader share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kerac.backends.llvm.plan import Plan
from kerac.backends.llvm.target import Target
from kerac.ir.dims import Dim, DimLike
from kerac.ir.graph import Value
from kerac.runtime.abi import DERIVED, LIBRARY_SYMBOL, ModelInfo, TensorInfo


def model_information(
    plan: Plan, targets: Sequence[Target], name: str, weights_size: int
) -> ModelInfo:
    """The description of a compiled graph."""
    graph = plan.graph
    symbols = graph.symbols
    replaced = {output: input_ for input_, output in graph.updates}
    return ModelInfo(
        name=name,
        producer=producer(),
        target=f"{targets[0].triple} {' | '.join(target.cpu for target in targets)}",
        dim_names=symbols,
        inputs=_tensors(graph.inputs, graph.input_names, symbols),
        outputs=tuple(
            replace(tensor, replaces=replaced.get(number, -1))
            for number, tensor in enumerate(_tensors(graph.outputs, graph.output_names, symbols))
        ),
        weights_size=weights_size,
    )


def _tensors(
    values: tuple[Value, ...], names: tuple[str, ...], symbols: tuple[str, ...]
) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(
            name=name,
            dtype=value.dtype,
            type=str(value.type),
            origin=" + ".join(value.origin.layers),
            shape=tuple(_shape_entry(dim, symbols) for dim in value.shape),
        )
        for value, name in zip(values, names, strict=True)
    )


def information_text(information: ModelInfo, name: str) -> str:
    """Globals and the functions that the library exports."""
    strings = _Strings(name)
    symbols = information.dim_names
    tables = [
        *_tensor_globals(strings, f"{name}_inputs", information.inputs),
        *_tensor_globals(strings, f"{name}_outputs", information.outputs),
    ]
    dim_names = ", ".join(f"ptr {strings.pointer(symbol)}" for symbol in symbols)
    fields = [
        f"i64 {information.abi_version}",
        *(
            f"ptr {strings.pointer(text)}"
            for text in (information.name, information.producer, information.target)
        ),
        f"i64 {len(symbols)}",
        f"ptr @{name}_dim_names",
        f"i64 {len(information.inputs)}",
        f"ptr @{name}_inputs",
        f"i64 {len(information.outputs)}",
        f"ptr @{name}_outputs",
        f"i64 {information.weights_size}",
        *(f"ptr @{name}_{function}_dims" for function in ("workspace_size", "output_shape", "run")),
        f"ptr @{name}_variant",
    ]
    types = ", ".join(field.partition(" ")[0] for field in fields)
    return "\n".join(
        [
            *tables,
            f"@{name}_dim_names = internal constant [{len(symbols)} x ptr] [{dim_names}]",
            f"@{name}_information = internal constant {{ {types} }} {{ {', '.join(fields)} }}",
            *strings.globals,
            f"define ptr @{name}_info() #1 {{\n  ret ptr @{name}_information\n}}",
            f"define weak ptr @{LIBRARY_SYMBOL}() #1 {{\n  ret ptr @{name}_information\n}}",
            _wrapper(name, "workspace_size", "i64", [], [], symbols),
            _wrapper(
                name,
                "run",
                "i32",
                ["ptr %inputs", "ptr %outputs"],
                ["ptr %workspace"],
                symbols,
                ["ptr null"],
            ),
        ]
    )


def producer() -> str:
    """`kerac` and its version."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"kerac {version('kerac')}"
    except PackageNotFoundError:
        return "kerac"


def _tensor_globals(strings: _Strings, name: str, tensors: tuple[TensorInfo, ...]) -> list[str]:
    lines, rows = [], []
    row_type = "{ ptr, ptr, ptr, ptr, i64, ptr, i64 }"
    for number, tensor in enumerate(tensors):
        shape = ", ".join(f"i64 {entry}" for entry in tensor.shape)
        lines.append(
            f"@{name}_{number}_shape = internal constant [{len(tensor.shape)} x i64] [{shape}]"
        )
        texts = (tensor.name, tensor.dtype, tensor.type, tensor.origin)
        fields = [f"ptr {strings.pointer(text)}" for text in texts]
        fields += [f"i64 {len(tensor.shape)}", f"ptr @{name}_{number}_shape"]
        fields.append(f"i64 {tensor.replaces}")
        rows.append(f"{row_type} {{ {', '.join(fields)} }}")
    lines.append(f"@{name} = internal constant [{len(rows)} x {row_type}] [{', '.join(rows)}]")
    return lines


def _shape_entry(dim: DimLike, symbols: tuple[str, ...]) -> int:
    if not isinstance(dim, Dim):
        return dim
    return -1 - symbols.index(str(dim)) if str(dim) in symbols else DERIVED


def _wrapper(
    name: str,
    what: str,
    result: str,
    before: list[str],
    after: list[str],
    symbols: tuple[str, ...],
    constants: Sequence[str] = (),
) -> str:
    """The exported function with one int64_t for each dim; `constants` are its last arguments."""
    parameters = [*before, *(f"i64 %dim{place}" for place in range(len(symbols))), *after]
    lines = [f"define {result} @{name}_{what}({', '.join(parameters)}) #1 {{"]
    if symbols:
        lines.append(f"  %dims = alloca [{len(symbols)} x i64], align 8")
        for place in range(len(symbols)):
            lines.append(f"  %place{place} = getelementptr i64, ptr %dims, i64 {place}")
            lines.append(f"  store i64 %dim{place}, ptr %place{place}, align 8")
    dims = "ptr %dims" if symbols else "ptr null"
    arguments = ", ".join([*before, dims, *after, *constants])
    lines.append(f"  %result = call {result} @{name}_{what}_dims({arguments})")
    lines.append(f"  ret {result} %result\n}}")
    return "\n".join(lines)


class _Strings:
    """C strings of a module, each kept once."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.globals: list[str] = []
        self._known: dict[str, str] = {}

    def pointer(self, text: str) -> str:
        """The global that holds `text`."""
        if text not in self._known:
            data = text.encode()
            escaped = "".join(
                chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\{b:02X}" for b in data
            )
            pointer = f"@{self.prefix}_string_{len(self._known)}"
            array = f'[{len(data) + 1} x i8] c"{escaped}\\00"'
            self.globals.append(f"{pointer} = internal unnamed_addr constant {array}")
            self._known[text] = pointer
        return self._known[text]
