"""Images flipped, turned, moved, zoomed, sheared, tilted and cut by chance."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from kerac.ir import Value, ops
from kerac.ir.errors import CompileError, InternalError, ShapeError
from kerac.layers.data_format import GivenDataFormat
from kerac.layers.images.base import Drawn, ImageLayer, interval
from kerac.layers.images.resizing import resize
from kerac.layers.images.sampling import Matrix, affine, grid, length, sample
from kerac.layers.random_numbers import uniform

FillMode = Literal["reflect", "wrap", "constant", "nearest"]
Interpolation = Literal["nearest", "bilinear"]


class RandomFlip(ImageLayer):
    """Half of the images are mirrored; in the mode of both ways, both ways at once."""

    mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = "horizontal_and_vertical"
    seed: int | None = None
    data_format: GivenDataFormat = None

    def draw(self, images: Value) -> Drawn:
        drawn = self.between(images, (0.0, 1.0), (1, 1, 1))
        return {"flips": ops.binary(ops.LessEqual(), drawn, 0.5)}

    def transform(self, images: Value, drawn: Drawn) -> Value:
        axes = {"horizontal": (2,), "vertical": (1,)}.get(self.mode, (1, 2))
        return ops.select(drawn["flips"], ops.reverse(images, axes), images)


class _Warp(ImageLayer):
    """Base: pixels come from where a matrix says."""

    interpolation: Interpolation = "bilinear"
    fill_mode: FillMode = "reflect"
    fill_value: float = 0.0
    seed: int | None = None

    def matrix(self, images: Value, drawn: Drawn) -> Matrix:
        """Where the pixels of a result come from."""
        raise InternalError(f"{type(self).__name__} does not say where pixels come from")

    def transform(self, images: Value, drawn: Drawn) -> Value:
        matrix = self.matrix(images, drawn)
        return affine(images, matrix, self.interpolation, self.fill_mode, self.fill_value)


class RandomRotation(_Warp):
    """Images turned around their middle; `factor` counts whole turns."""

    factor: Any
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", -1, 1)

    def draw(self, images: Value) -> Drawn:
        low, high = self.factor
        return {"angle": self.between(images, (low * 360, high * 360), (1, 1))}

    def matrix(self, images: Value, drawn: Drawn) -> Matrix:
        _, height, width, _ = images.shape
        turn = ops.multiply(drawn["angle"], math.pi / 180)
        cosine, sine = ops.Cos()(turn), ops.Sin()(turn)
        x, y = (ops.multiply(ops.subtract(length(dim), 1.0), 0.5) for dim in (width, height))
        # a place stays where x and y are
        across = ops.subtract(x, ops.subtract(ops.multiply(cosine, x), ops.multiply(sine, y)))
        down = ops.subtract(y, ops.add(ops.multiply(sine, x), ops.multiply(cosine, y)))
        return cosine, ops.Negative()(sine), across, sine, cosine, down


class RandomTranslation(_Warp):
    """Images moved by a part of their height and width."""

    height_factor: Any
    width_factor: Any
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.height, self.width = (
            interval(self, f"{name}_factor", -1, 1) for name in ("height", "width")
        )

    def draw(self, images: Value) -> Drawn:
        _, height, width, _ = images.shape
        down = self.between(images, self.height, (1, 1))
        across = self.between(images, self.width, (1, 1))
        return {
            "height": ops.multiply(down, length(height)),
            "width": ops.multiply(across, length(width)),
        }

    def matrix(self, images: Value, drawn: Drawn) -> Matrix:
        across, down = (ops.Negative()(drawn[name]) for name in ("width", "height"))
        return 1.0, 0.0, across, 0.0, 1.0, down


class RandomZoom(_Warp):
    """Images larger (negative factors) or smaller; without `width_factor` in proportion."""

    height_factor: Any
    width_factor: Any = None
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.height = interval(self, "height_factor", -1, 1)
        self.width = None if self.width_factor is None else interval(self, "width_factor", -1, 1)
        if -1 in (*self.height, *(self.width or ())):
            raise CompileError(
                f"RandomZoom {self.name!r}: a factor is -1, but must lie above -1, "
                "since nothing would be seen"
            )

    def draw(self, images: Value) -> Drawn:
        height = ops.add(self.between(images, self.height, (1, 1)), 1.0)
        if self.width is None:
            return {"height_zoom": height, "width_zoom": height}
        width = ops.add(self.between(images, self.width, (1, 1)), 1.0)
        return {"height_zoom": height, "width_zoom": width}

    def matrix(self, images: Value, drawn: Drawn) -> Matrix:
        _, height, width, _ = images.shape
        across, down = drawn["width_zoom"], drawn["height_zoom"]

        def offset(dim: Any, zoom: Value) -> Value:
            middle = ops.multiply(ops.subtract(length(dim), 1.0), 0.5)
            return ops.multiply(middle, ops.add(ops.Negative()(zoom), 1.0))

        return across, 0.0, offset(width, across), 0.0, down, offset(height, down)


class RandomShear(_Warp):
    """Rows or columns moved the more, the further they are from the first one."""

    x_factor: Any = 0.0
    y_factor: Any = 0.0
    interpolation: Interpolation = "bilinear"
    fill_mode: FillMode = "reflect"
    fill_value: float = 0.0
    data_format: GivenDataFormat = None
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        # Keras writes both numbers, of which the first may be negative, and reads them again
        for name in ("x_factor", "y_factor"):
            setattr(self, name, interval(self, name, *self._bounds(name), lower=-1.0))

    def _bounds(self, name: str) -> tuple[float, float]:
        given = getattr(self, name)
        mirrored = isinstance(given, tuple | list) and len(given) == 2 and given[0] == -given[1]
        return (-1.0 if mirrored else 0.0), 1.0

    def draw(self, images: Value) -> Drawn:
        drawn = self.between(images, (0.0, 1.0), (1, 1))
        one = ops.constant(1.0, "f32")
        sign = ops.select(ops.binary(ops.Greater(), drawn, 0.5), ops.Negative()(one), one)
        return {
            name: ops.multiply(self.between(images, getattr(self, f"{name}_factor"), (1, 1)), sign)
            for name in ("x", "y")
        }

    def matrix(self, images: Value, drawn: Drawn) -> Matrix:
        return 1.0, drawn["x"], 0.0, drawn["y"], 1.0, 0.0


class RandomPerspective(ImageLayer):
    """Images seen from the side: their corners move by up to half of `scale`."""

    factor: Any = 1.0
    scale: float = 1.0
    interpolation: Interpolation = "bilinear"
    fill_value: float = 0.0
    seed: int | None = None
    data_format: GivenDataFormat = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = interval(self, "factor", 0, 1)
        interval(self, "scale", 0, 1)

    def draw(self, images: Value) -> Drawn:
        half = self.scale / 2
        return {
            "apply": self.chosen(images, self.factor),
            "perspective": self.between(images, (-half, half), (4, 2)),
        }

    def transform(self, images: Value, drawn: Drawn) -> Value:
        """`perspective`: f32[N, 4, 2], by which share of itself each corner moves, x and y.

        The corner at 0 stays, and with it the upper and the left border. The map from the unit
        square to such a quadrangle is x = a u, y = e v, both over g u + h v + 1 (Heckbert, 1989).
        """
        _, height, width, _ = images.shape
        right, bottom = (ops.subtract(length(dim), 1.0) for dim in (width, height))
        moved = ops.add(drawn["perspective"], 1.0)

        def corner(number: int, axis: int) -> Value:
            row = ops.slice_axis(moved, 1, number, number + 1)
            place = ops.slice_axis(row, 2, axis, axis + 1)
            return ops.multiply(place, bottom if axis else right)

        x1, y2, x3, y3 = corner(1, 0), corner(2, 1), corner(3, 0), corner(3, 1)
        up, left = ops.subtract(y3, y2), ops.subtract(x3, x1)
        determinant = ops.subtract(ops.multiply(left, up), ops.multiply(x3, y3))
        g = ops.divide(ops.multiply(x1, up), determinant)
        h = ops.divide(ops.multiply(y2, left), determinant)
        columns, rows = grid(images)
        u = ops.divide(columns, ops.multiply(x1, ops.add(g, 1.0)))
        v = ops.divide(rows, ops.multiply(y2, ops.add(h, 1.0)))
        one = ops.constant(1.0, "f32")
        depth = ops.subtract(one, ops.add(ops.multiply(g, u), ops.multiply(h, v)))
        x = ops.multiply(ops.divide(u, depth), right)
        y = ops.multiply(ops.divide(v, depth), bottom)
        seen = sample(images, y, x, self.interpolation, "constant", self.fill_value)
        return ops.select(drawn["apply"], seen, images)


class RandomCrop(ImageLayer):
    """A part of `height` by `width` pixels; outside training the middle, resized.

    An image that is not larger both ways is cut to the proportions and resized in training, too.
    """

    always: ClassVar[bool] = True

    height: int
    width: int
    seed: int | None = None
    data_format: GivenDataFormat = None

    def draw(self, images: Value) -> Drawn:
        _, height, width, _ = images.shape
        known = isinstance(height, int) and isinstance(width, int)
        if not known:
            raise ShapeError(
                f"heights and widths of images must be known, but are {height} and {width}"
            )
        if height <= self.height or width <= self.width:
            return {}
        starts = (height - self.height + 1, width - self.width + 1)
        return {
            name: ops.cast(ops.Floor()(ops.multiply(uniform((1,), self.seed), float(many))), "i32")
            for name, many in zip(("top", "left"), starts, strict=True)
        }

    def transform(self, images: Value, drawn: Drawn) -> Value:
        if not drawn:
            size = (self.height, self.width)
            return resize(images, size, "bilinear", crop_to_aspect_ratio=True)
        rows = ops.add(ops.iota((self.height,), 0), drawn["top"])
        columns = ops.add(ops.iota((self.width,), 0), drawn["left"])
        # N H W C -> h N W C -> w h N C -> N h w C
        taken = ops.gather(ops.transpose(images, (1, 0, 2, 3)), rows)
        taken = ops.gather(ops.transpose(taken, (2, 0, 1, 3)), columns)
        return ops.transpose(taken, (2, 1, 0, 3))
