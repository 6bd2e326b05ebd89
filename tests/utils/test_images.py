"""Images in files and in other sizes, beside Keras's own functions and TensorFlow's numbers."""

from pathlib import Path

import keras
import numpy as np
import pytest

import kerac
from kerac.ir.errors import CompileError, FormatError, ShapeError
from kerac.utils.resizing import KERNELS, resize

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
# tf.image.resize of `x` to both sizes by each method
GOLDEN = np.load(Path(__file__).parent / "golden" / "resized.npz")
SIZES = ((4, 5), (9, 13))
DRAW = np.random.default_rng(2)


@pytest.mark.parametrize("method", ["nearest", "area", *KERNELS])
@pytest.mark.parametrize("number", range(len(SIZES)))
def test_resize(method: str, number: int) -> None:
    found = resize(GOLDEN["x"], SIZES[number], method)
    assert found.dtype == np.float32
    # TensorFlow reads the cubic from a table of 1024 places.
    tolerance = 0.3 if method == "bicubic" else 1e-3
    np.testing.assert_allclose(found, GOLDEN[f"{method}_{number}"], atol=tolerance)


@pytest.fixture(params=["L", "RGB", "RGBA"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    image = Image.fromarray(DRAW.integers(0, 256, (12, 9, 4), np.uint8)).convert(request.param)
    image.save(tmp_path / "image.png")
    return tmp_path / "image.png"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"color_mode": "grayscale"},
        {"color_mode": "rgba", "target_size": (6, 8)},
        {"target_size": (5, 20), "interpolation": "bicubic", "keep_aspect_ratio": True},
        {"target_size": (24, 5), "interpolation": "lanczos", "keep_aspect_ratio": True},
    ],
)
def test_load_img(file: Path, arguments: dict) -> None:
    found = kerac.utils.img_to_array(kerac.utils.load_img(file, **arguments))
    expected = keras.utils.img_to_array(keras.utils.load_img(file, **arguments))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("data_format", [None, "channels_first"])
def test_save_img(tmp_path: Path, channels: int, scale: bool, data_format: str | None) -> None:
    shape = (channels, 5, 7) if data_format else (5, 7, channels)
    x = DRAW.uniform(0, 255, shape)
    kerac.utils.save_img(tmp_path / "a.png", x, data_format, scale=scale)
    keras.utils.save_img(tmp_path / "b.png", x, data_format, scale=scale)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    kerac.utils.save_img(tmp_path / "a.jpg", x, data_format)
    assert kerac.utils.load_img(tmp_path / "a.jpg").size == (7, 5)


@pytest.mark.parametrize("size", [(30, 30), (40, 20), (15, 60)])  # jax smooths what shrinks
@pytest.mark.parametrize("shape", [(12, 9, 3), (2, 9, 12, 1)])
def test_smart_resize(size: tuple[int, int], shape: tuple[int, ...]) -> None:
    x = DRAW.uniform(0, 255, shape)
    found = kerac.preprocessing.image.smart_resize(x, size)
    expected = keras.preprocessing.image.smart_resize(x, size)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_mistakes(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(FormatError, match=r"x.png: cannot be read as an image"):
        kerac.utils.load_img(tmp_path / "x.png")
    with pytest.raises(FormatError, match="cannot be read as an image"):
        kerac.utils.load_img(tmp_path / "absent.png")
    with pytest.raises(CompileError, match="color_mode is 'cmyk'"):
        kerac.utils.load_img(tmp_path / "x.png", "cmyk")
    with pytest.raises(ShapeError, match="1, 3 or 4 channels, but the array has 2"):
        kerac.utils.array_to_img(np.zeros((3, 3, 2)))
    with pytest.raises(ShapeError, match="an image has 3 axes"):
        kerac.utils.array_to_img(np.zeros((3, 3)))
    with pytest.raises(CompileError, match="interpolation is 'magic'"):
        resize(np.zeros((3, 3, 1)), (2, 2), "magic")
