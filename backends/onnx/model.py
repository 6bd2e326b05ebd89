"""The finished graph as a ModelProto: dead nodes dropped, tensors named, the whole checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import onnx

from kerac.backends.onnx.builder import Body, Node
from kerac.backends.onnx.emitter import Emitter
from kerac.backends.onnx.types import element_type, value_info
from kerac.ir import InternalError, dtype_name
from kerac.ir.graph import unique_name

PRODUCER = "kerac"
SIZE_LIMIT = 2**31 - 2**20  # bytes; protobuf writes no message of 2 GiB
SMALL = 1024  # bytes; arrays up to this size may matter to shape inference


class Names(dict[str, str]):
    """Final names of tensors: each as wished, or with the first suffix that is free."""

    def __init__(self, wishes: Mapping[str, str]) -> None:
        super().__init__({"": ""})
        self.wishes = wishes
        self.taken: dict[str, None] = {}

    def give(self, tensor: str, wish: str) -> None:
        """Call `tensor` as wished, if that is free."""
        self[tensor] = unique_name(wish, self.taken)
        self.taken[self[tensor]] = None

    def __missing__(self, tensor: str) -> str:
        self.give(tensor, self.wishes[tensor])
        return self[tensor]


def make_model(emit: Emitter, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """The model of what `emit` has exported."""
    graph = emit.graph
    inputs = [emit.tensor(value) for value in graph.inputs]
    outputs = own_outputs(emit)
    nodes = living(emit.nodes, outputs)
    names = Names(emit.wishes)
    for tensor, value in zip(inputs, graph.inputs, strict=True):
        names.give(tensor, value.name or "input")
    for tensor, name in zip(outputs, graph.output_names, strict=True):
        names.give(tensor, name)
    used = {tensor for node in nodes for tensor in reads(node)}
    arrays = {tensor: array for tensor, array in emit.initializers.items() if tensor in used}
    model = empty_model(emit.opset, metadata)
    proto = model.graph
    proto.name = graph.name or "graph"
    proto.initializer.extend(tensor_proto(names[tensor], array) for tensor, array in arrays.items())
    proto.node.extend(node_proto(node, names) for node in nodes)
    proto.input.extend(value_info(names[t], emit.types[t]) for t in inputs)
    proto.output.extend(
        value_info(names[t], value.tensor_type)
        for t, value in zip(outputs, graph.outputs, strict=True)
    )
    inner = (tensor for node in nodes for tensor in node.outputs if tensor not in outputs)
    proto.value_info.extend(value_info(names[t], emit.types[t]) for t in inner if t in emit.types)
    return model


def own_outputs(emit: Emitter) -> list[str]:
    """One tensor for each output of the graph, made by a node and given out only once."""
    outputs: list[str] = []
    tensors = [emit.tensor(value) for value in emit.graph.outputs]
    made = {tensor for node in emit.nodes for tensor in node.outputs}
    named = zip(emit.graph.output_names, emit.graph.outputs, tensors, strict=True)
    for name, value, tensor in named:
        if tensor not in made or tensor in outputs:
            with emit.scope_of(name, str(value.origin)):
                outputs.append(emit.node("Identity", tensor))
        else:
            outputs.append(tensor)
    return outputs


def living(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes that the outputs depend on."""
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.outputs):
            needed.update(reads(node))
            kept.append(node)
    return kept[::-1]


def reads(node: Node) -> Iterator[str]:
    """The tensors that a node reads, those that its body reads from outside included."""
    yield from node.inputs
    for attribute in node.attributes.values():
        if isinstance(attribute, Body):
            for inner in attribute.nodes:
                yield from reads(inner)


def node_proto(node: Node, names: Names) -> onnx.NodeProto:
    """A node under its final names."""
    outputs = [names[tensor] for tensor in node.outputs]
    attributes = {
        name: body_proto(attribute, names) if isinstance(attribute, Body) else attribute
        for name, attribute in node.attributes.items()
    }
    return onnx.helper.make_node(
        node.op_type,
        [names[tensor] for tensor in node.inputs],
        outputs,
        name=outputs[0],
        doc_string=node.origin or None,
        **attributes,
    )


def body_proto(body: Body, names: Names) -> onnx.GraphProto:
    """A body under its final names."""
    return onnx.helper.make_graph(
        [node_proto(node, names) for node in body.nodes],
        body.name,
        [value_info(names[tensor], type_) for tensor, type_ in body.inputs],
        [value_info(names[tensor], type_) for tensor, type_ in body.outputs],
    )


def tensor_proto(name: str, array: np.ndarray) -> onnx.TensorProto:
    """An array; its bytes are little-endian, as ONNX wants them."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return onnx.TensorProto(
        name=name,
        dims=array.shape,
        data_type=element_type(dtype_name(array.dtype)),
        raw_data=little.tobytes(),
    )


def empty_model(opset: int, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """A model that says who made it, and has no graph yet."""
    imports = [onnx.helper.make_opsetid("", opset)]
    try:
        release = version("kerac")
    except PackageNotFoundError:
        release = ""
    model = onnx.ModelProto(
        ir_version=onnx.helper.find_min_ir_version_for(imports),
        producer_name=PRODUCER,
        producer_version=release,
        opset_import=imports,
    )
    onnx.helper.set_model_props(model, dict(metadata))
    return model


def check_model(model: onnx.ModelProto) -> None:
    """Raise InternalError unless the full checker and strict shape inference accept the model."""
    small = without_weights(model)
    try:
        onnx.checker.check_model(
            model if model.ByteSize() <= SIZE_LIMIT else small, full_check=True
        )
        onnx.shape_inference.infer_shapes(small, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise InternalError(
            f"the ONNX model of {model.graph.name} is not valid: {error}"
        ) from error


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with inputs in place of its larger arrays: as valid as itself, but small."""
    small, graph = onnx.ModelProto(), model.graph
    for field, content in model.ListFields():
        if field.name == "graph":
            continue
        if field.is_repeated:
            getattr(small, field.name).extend(content)
        else:
            setattr(small, field.name, content)
    small.graph.name = graph.name
    for name in ("node", "input", "output", "value_info"):
        getattr(small.graph, name).extend(getattr(graph, name))
    for tensor in graph.initializer:
        if len(tensor.raw_data) <= SMALL:
            small.graph.initializer.append(tensor)
        else:
            info = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            small.graph.input.append(info)
    return small
