"""Attention of several heads, with projections of queries, keys and values before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any, ClassVar

from kerac.constraints import MaybeConstraint
from kerac.initializers import Start
from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, ShapeError
from kerac.ir.ops.attention import attention_weights, weighted_values
from kerac.layers.base import REGISTRY, Layer
from kerac.layers.dropout import Dropout, check_share
from kerac.layers.einsum_dense import EinsumDense, Shape
from kerac.layers.inside import build_inside
from kerac.layers.masks import as_bool
from kerac.layers.random_numbers import is_dropping, keep
from kerac.layers.reshaping import product
from kerac.layers.spatial import positive
from kerac.regularizers import MaybeRegularizer
from kerac.tracing import need_equal

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Projecting(Layer, registered=False):
    """Base: heads of queries, keys and values, and a projection of what they give."""

    supports_masking = True
    rarely_written: ClassVar[frozenset[str]] = Layer.rarely_written | {"flash_attention"}
    heads: ClassVar[tuple[str, str]]
    """Names of the fields that hold the numbers of heads of queries and of keys."""

    private: ClassVar[frozenset[str]]
    """Layers inside that Keras keeps under a name with an underscore."""
    if TYPE_CHECKING:  # the arguments that all of them have
        dropout: float
        use_bias: bool
        sliding_window: int | None
        kernel_initializer: Start
        bias_initializer: Start
        kernel_regularizer: MaybeRegularizer
        bias_regularizer: MaybeRegularizer
        kernel_constraint: MaybeConstraint
        bias_constraint: MaybeConstraint
        use_gate: bool
        seed: int | None

    def __post_init__(self) -> None:
        positive(self, *self.heads)
        check_share(self, "dropout", self.dropout)
        if self.sliding_window is not None:
            positive(self, "sliding_window")

    def children(self) -> Mapping[str, Layer | Sequence[Layer]]:
        return {
            f"_{name}" if name in self.private else name: layer
            for name, layer in super().children().items()
        }

    def projection(self, name: str, shape: Shape, bound: int, made: Sequence[int]) -> EinsumDense:
        """A dense layer from the last `bound` axes to axes of the lengths `made`."""
        free = len(shape) - bound
        kept, summed, new = LETTERS[:free], LETTERS[free : free + bound], LETTERS[free + bound :]
        new = new[: len(made)]
        layer = EinsumDense(
            f"{kept}{summed},{summed}{new}->{kept}{new}",
            (*(None,) * (free - 1), *made),
            activation="sigmoid" if name == "gate" else None,
            bias_axes=new if self.use_bias else None,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            activity_regularizer=self.activity_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            name=name,
            dtype=self.dtype_policy,
        )
        build_inside(layer, shape)
        return layer

    def build_projections(
        self,
        shapes: tuple[Shape, Shape, Shape],
        depths: tuple[int, int],
        made: Sequence[int],
    ) -> None:
        """Make all dense layers for shapes of query, key and value; the last one makes `made`."""
        query_shape, key_shape, value_shape = shapes
        heads, groups = (getattr(self, name) for name in self.heads)
        depth, value_depth = depths
        self.query_dense = self.projection("query", query_shape, 1, (heads, depth))
        self.key_dense = self.projection("key", key_shape, 1, (groups, depth))
        if self.use_gate:
            self.gate_dense = self.projection("gate", query_shape, 1, (heads, value_depth))
        self.value_dense = self.projection("value", value_shape, 1, (groups, value_depth))
        self.dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        result = (*query_shape[:-1], heads, value_depth)
        self.output_dense = self.projection("attention_output", result, 2, made)

    def attend(
        self,
        op: ops.Attention,
        inputs: tuple[Value, Value, Value],
        mask: Value | None,
        with_scores: bool,
    ) -> tuple[Value, Value | None]:
        """Projections, attention and the gate: outputs, and the weights where they are wanted.

        In training some weights are dropped; those that are returned are whole, as Keras has it.
        """
        query, key, value = (
            dense(x)
            for dense, x in zip(
                (self.query_dense, self.key_dense, self.value_dense), inputs, strict=True
            )
        )
        query, key, value = (self.with_one_time_axis(x) for x in (query, key, value))
        scores, drops = None, is_dropping(self.dropout)
        if with_scores or drops:
            scores = attention_weights(op, query, key, mask)
            used = keep(scores, self.dropout, self.seed) if drops else scores
            result = weighted_values(used, value)
        else:
            result = op(query, key, value, mask)
        whole = self.with_own_axes(result, inputs[0])
        if self.use_gate:
            whole = ops.multiply(whole, self.gate_dense(inputs[0]))
        return self.output_dense(whole), scores if with_scores else None

    def with_one_time_axis(self, x: Value) -> Value:
        """f32[N, T, heads, depth] from what a projection gave."""
        return x

    def with_own_axes(self, x: Value, query: Value) -> Value:
        """The axes of `query` but the last instead of N and T."""
        return x


def joint_mask(
    query_mask: Value | None, keys: Sequence[Value | None], given: Value | None
) -> Value | None:
    """Which keys count for each query: all of the masks of query, key and value, and one given.

    bool[N, T], bool[N, S], bool[N, T, S] -> bool[N, T, S], or None
    """
    parts = [as_bool(given)] if given is not None else []
    if query_mask is not None:
        parts.append(ops.reshape(as_bool(query_mask), (*query_mask.shape, 1)))
    for mask in keys:
        if mask is not None:
            parts.append(
                ops.reshape(as_bool(mask), (*mask.shape[:-1], 1, mask.shape[-1]))
            )
    if not parts:
        return None
    result = parts[0]
    for part in parts[1:]:
        result = ops.LogicalAnd()(result, part)
    return result


class MultiHeadAttention(Projecting):
    """Each of several heads attends for itself; their results are projected (Vaswani et al., 2017).

    query: f32[N, T, C], value: f32[N, S, ...], key: f32[N, S, ...], attention_mask: bool[N, T, S]
    -> f32[N, T, *output_shape], or with as many axes as the query; with `return_attention_scores`
    the weights f32[N, num_heads, T, S] behind it. `attention_axes` are the axes of T and S where
    there are several.
    """

    heads = ("num_heads", "num_heads")
    private = frozenset({"gate_dense", "dropout_layer"})

    num_heads: int
    key_dim: int
    value_dim: int | None = None
    dropout: float = 0.0
    use_bias: bool = True
    output_shape: int | tuple[int, ...] | None = None
    attention_axes: int | tuple[int, ...] | None = None
    sliding_window: int | None = None
    flash_attention: bool | None = None
    kernel_initializer: Start = "glorot_uniform"
    bias_initializer: Start = "zeros"
    kernel_regularizer: MaybeRegularizer = None
    bias_regularizer: MaybeRegularizer = None
    activity_regularizer: MaybeRegularizer = None
    kernel_constraint: MaybeConstraint = None
    bias_constraint: MaybeConstraint = None
    use_gate: bool = False
    seed: int | None = None

    @classmethod
    def modernize(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        # what Keras 2 wrote beside the arguments
        for name in ("query_shape", "key_shape", "value_shape"):
            arguments.pop(name, None)
        return super().modernize(arguments)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.value_dim = self.value_dim or self.key_dim
        positive(self, "key_dim", "value_dim")
        if isinstance(self.output_shape, int):
            self.output_shape = (self.output_shape,)
        self.output_shape = self.output_shape or None
        if isinstance(self.attention_axes, int):
            self.attention_axes = (self.attention_axes,)

    def build(  # type: ignore[override]
        self, query_shape: Shape, value_shape: Shape, key_shape: Any = None
    ) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        if len({len(query_shape), len(key_shape), len(value_shape)}) != 1 or len(query_shape) < 3:
            raise ShapeError(
                f"query {query_shape}, key {key_shape} and value {value_shape} "
                "must have equally many axes, 3 or more"
            )
        rank = len(query_shape)
        given = self.attention_axes
        axes = tuple(range(1, rank - 1)) if given is None else _axes(self, given, rank)
        self.attention_axes = axes
        made = self.output_shape or (query_shape[-1],)
        depths = (self.key_dim, self.value_dim or self.key_dim)
        self.build_projections((query_shape, key_shape, value_shape), depths, made)  # type: ignore[arg-type]

    def call(
        self,
        query: Value,
        value: Value,
        key: Value | None = None,
        query_mask: Value | None = None,
        value_mask: Value | None = None,
        key_mask: Value | None = None,
        attention_mask: Value | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        key = value if key is None else key
        plain = query.ndim == 3
        if not plain and (use_causal_mask or self.sliding_window is not None):
            raise CompileError("masks by places need inputs of 3 axes: batch, steps and features")
        need_equal(query.shape[0], value.shape[0], "batches of query and value")
        need_equal(key.shape[1], value.shape[1], "steps of key and value")
        mask = joint_mask(query_mask, (value_mask, key_mask), attention_mask)
        if mask is not None:
            mask = self._aligned(mask, query, value)
        # Keras takes the mean of all values for a query without keys, or zeros, by the way it goes
        zeros = bool(self.dropout) or return_attention_scores or not plain
        scale, window = 1 / sqrt(self.key_dim), self.sliding_window
        op = ops.Attention(scale, use_causal_mask, window, zero_masked=zeros)
        result, scores = self.attend(op, (query, key, value), mask, return_attention_scores)
        if scores is None:
            return result
        if not plain:
            raise CompileError("attention scores are returned for inputs of 3 axes alone")
        return result, scores

    @property
    def _times(self) -> tuple[int, ...]:
        axes = self.attention_axes
        return axes if isinstance(axes, tuple) else ()

    def _aligned(self, mask: Value, query: Value, value: Value) -> Value:
        """bool[N, heads, T, S] from a mask that may lack batch and heads, and have several axes."""
        times = len(self._times)
        others = [axis for axis in range(1, query.ndim - 1) if axis not in self._times]
        lacking = query.ndim + times - mask.ndim
        if lacking < 0 or mask.ndim < 2 * times:
            raise ShapeError(f"the attention mask is {mask.type}, but the query is {query.type}")
        place = mask.ndim - 2 * times
        mask = ops.reshape(mask, (*mask.shape[:place], *(1,) * lacking, *mask.shape[place:]))
        if query.ndim == 3:
            return mask
        queries, keys = ([x.shape[axis] for axis in self._times] for x in (query, value))
        batch = [query.shape[0], *(query.shape[axis] for axis in others)]
        heads = mask.shape[len(batch)]
        mask = ops.broadcast_to(mask, (*batch, heads, *queries, *keys))
        sizes = (tuple(batch), (heads,), tuple(queries), tuple(keys))
        return ops.reshape(mask, tuple(map(product, sizes)))

    def _order(self, ndim: int) -> tuple[int, ...]:
        """Axes of what a projection gave: those that are none of time go to the batch."""
        others = [axis for axis in range(ndim - 2) if axis not in self._times]
        return (*others, *self._times, ndim - 2, ndim - 1)

    def with_one_time_axis(self, x: Value) -> Value:
        if x.ndim == 4:
            return x
        moved = ops.transpose(x, self._order(x.ndim))
        first = x.ndim - 2 - len(self._times)
        sizes = (moved.shape[:first], moved.shape[first:-2])
        return ops.reshape(moved, (*map(product, sizes), *moved.shape[-2:]))

    def with_own_axes(self, x: Value, query: Value) -> Value:
        if query.ndim == 3:
            return x
        order = self._order(query.ndim + 1)
        lengths = [*query.shape[:-1], *x.shape[-2:]]
        moved = ops.reshape(x, tuple(lengths[axis] for axis in order))
        return ops.transpose(moved, tuple(order.index(axis) for axis in range(len(order))))


class GroupedQueryAttention(Projecting):
    """Attention of several heads of which neighbours share keys and values (Ainslie et al., 2023).

    query: f32[N, T, C], value, key: f32[N, S, ...], attention_mask: bool[N, T, S] -> f32[N, T, C];
    with `return_attention_scores` the weights f32[N, num_query_heads, T, S] behind it
    """

    heads = ("num_query_heads", "num_key_value_heads")
    private = frozenset(
        {"query_dense", "key_dense", "gate_dense", "value_dense", "dropout_layer", "output_dense"}
    )

    head_dim: int
    num_query_heads: int
    num_key_value_heads: int
    dropout: float = 0.0
    use_bias: bool = True
    sliding_window: int | None = None
    flash_attention: bool | None = None
    kernel_initializer: Start = "glorot_uniform"
    bias_initializer: Start = "zeros"
    kernel_regularizer: MaybeRegularizer = None
    bias_regularizer: MaybeRegularizer = None
    activity_regularizer: MaybeRegularizer = None
    kernel_constraint: MaybeConstraint = None
    bias_constraint: MaybeConstraint = None
    use_gate: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "head_dim")
        if self.num_query_heads % self.num_key_value_heads:
            raise CompileError(
                f"GroupedQueryAttention {self.name!r}: {self.num_query_heads} heads of queries "
                f"do not share {self.num_key_value_heads} heads of keys and values"
            )

    def serialize(self) -> dict[str, Any]:
        return super().serialize() | {"class_name": PUBLIC_NAME}

    def build(  # type: ignore[override]
        self, query_shape: Shape, value_shape: Shape, key_shape: Any = None
    ) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        if {len(query_shape), len(key_shape), len(value_shape)} != {3}:
            raise ShapeError("query, key and value must have 3 axes: batch, steps and features")
        depths = (self.head_dim, self.head_dim)
        made = (query_shape[-1],)
        self.build_projections((query_shape, key_shape, value_shape), depths, made)  # type: ignore[arg-type]

    def call(
        self,
        query: Value,
        value: Value,
        key: Value | None = None,
        query_mask: Value | None = None,
        value_mask: Value | None = None,
        key_mask: Value | None = None,
        attention_mask: Value | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        key = value if key is None else key
        need_equal(query.shape[0], value.shape[0], "batches of query and value")
        need_equal(key.shape[1], value.shape[1], "steps of key and value")
        mask = joint_mask(query_mask, (value_mask, key_mask), attention_mask)
        if mask is not None and mask.ndim == 3:
            mask = ops.reshape(mask, (mask.shape[0], 1, *mask.shape[1:]))
        zeros = bool(self.dropout) or return_attention_scores
        op = ops.Attention(
            1 / sqrt(self.head_dim), use_causal_mask, self.sliding_window, zero_masked=zeros
        )
        result, scores = self.attend(op, (query, key, value), mask, return_attention_scores)
        return result if scores is None else (result, scores)


PUBLIC_NAME = "GroupQueryAttention"
"""What Keras calls the class of grouped attention for users and in archives."""
REGISTRY[PUBLIC_NAME] = GroupedQueryAttention
GroupQueryAttention = GroupedQueryAttention


def _axes(layer: MultiHeadAttention, given: Any, rank: int) -> tuple[int, ...]:
    """`attention_axes` counted from the front."""
    axes = tuple(axis + rank if axis < 0 else axis for axis in given)
    if any(not 1 <= axis <= rank - 2 for axis in axes) or len(set(axes)) != len(axes):
        raise CompileError(
            f"{layer.name}: attention_axes is {given}, "
            f"but must name axes from 1 to {rank - 2} of inputs of {rank} axes"
        )
    return axes
