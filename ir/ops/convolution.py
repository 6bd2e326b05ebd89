"""Convolution over any number of spatial axes, channels last; grouped, and so depthwise, too."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from kerac.ir.dims import DimLike
from kerac.ir.errors import ShapeError
from kerac.ir.graph import Value
from kerac.ir.op import Array
from kerac.ir.ops.contraction import Epilogue
from kerac.ir.ops.window import Padding, check_window, explicit_padding, output_shape, windows
from kerac.ir.types import TensorType


@dataclass(frozen=True)
class Convolution(Epilogue):
    """Cross-correlation of x with each kernel, then the epilogue.

    x: t[N, *spatial, C], kernel: t[*window, C/groups, F], bias: t[F],
    residual: t[N, *positions, F] -> t[N, *positions, F]
    Output channel f reads the input channels of group f // (F / groups). Strides and dilation of 1
    are empty.
    """

    strides: tuple[int, ...] = ()
    padding: Padding = "valid"
    dilation: tuple[int, ...] = ()
    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("strides", "dilation"):
            if all(entry == 1 for entry in getattr(self, name)):
                object.__setattr__(self, name, ())
        if not isinstance(self.padding, str) and not any(map(any, self.padding)):
            object.__setattr__(self, "padding", "valid")

    def infer(
        self,
        x: TensorType,
        kernel: TensorType,
        bias: TensorType | None = None,
        residual: TensorType | None = None,
    ) -> TensorType:
        spatial = x.ndim - 2
        if spatial < 1 or kernel.ndim != x.ndim or x.dtype != kernel.dtype:
            raise ShapeError(
                "needs x[N, *spatial, C] and kernel[*window, C, F] of one dtype, "
                f"but got {x} and {kernel}"
            )
        check_window(
            self.padding,
            spatial,
            strides=self.all_strides(spatial),
            dilation=self.all_dilation(spatial),
        )
        *window, channels, filters = kernel.shape
        if channels * self.groups != x.shape[-1]:
            of_groups = f" in {self.groups} groups" if self.groups != 1 else ""
            raise ShapeError(
                f"kernel reads {channels} channels{of_groups}, but x has {x.shape[-1]}"
            )
        if filters % self.groups:
            raise ShapeError(f"{filters} filters do not divide into {self.groups} groups")
        positions = output_shape(
            x.shape[1:-1],
            window,
            self.all_strides(spatial),
            self.all_dilation(spatial),
            self.padding,
        )
        return self.check_epilogue(x.with_shape((x.shape[0], *positions, filters)), bias, residual)

    def all_strides(self, spatial: int) -> tuple[int, ...]:
        """One stride for each spatial axis."""
        return self.strides or (1,) * spatial

    def all_dilation(self, spatial: int) -> tuple[int, ...]:
        """One dilation for each spatial axis."""
        return self.dilation or (1,) * spatial

    def evaluate(
        self, x: Array, kernel: Array, bias: Array | None = None, residual: Array | None = None
    ) -> Array:
        *window, channels, filters = kernel.shape
        spatial = len(window)
        strides, dilation = self.all_strides(spatial), self.all_dilation(spatial)
        padding = explicit_padding(x.shape[1:-1], window, strides, dilation, self.padding)
        padded = np.pad(x, ((0, 0), *padding, (0, 0)))
        view = windows(padded, window, strides, dilation)  # N *positions C *window
        grouped = view.reshape(*view.shape[: 1 + spatial], self.groups, channels, *window)
        matrix = grouped.reshape(-1, self.groups, channels * int(np.prod(window)))
        # *window C F -> G, C * window, F / G
        weights = np.moveaxis(kernel, -2, 0).reshape(
            channels * int(np.prod(window)), self.groups, -1
        )
        sums = np.matmul(matrix.transpose(1, 0, 2), weights.transpose(1, 0, 2))
        result = sums.transpose(1, 0, 2).reshape(*view.shape[: 1 + spatial], filters)
        return self.finish(result, bias, residual)

    def multiply_adds(self, result: Value) -> DimLike:
        return result.tensor_type.size * prod(result.operands[1].tensor_type.shape[:-1])
