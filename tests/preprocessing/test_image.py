"""Images changed as Keras 2 did it, beside SciPy and Keras's own class."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras.src.legacy.preprocessing import image as theirs

import kerac
from kerac.ir.errors import CompileError, ShapeError
from kerac.preprocessing.augmentation import sampled
from kerac.preprocessing.image import ImageDataGenerator, apply_affine_transform

DRAW = np.random.default_rng(5)
IMAGES = DRAW.uniform(0, 255, (10, 9, 7, 3)).astype("float32")
LABELS = np.arange(10)


@pytest.mark.parametrize("fill_mode", ["nearest", "constant", "reflect", "wrap"])
@pytest.mark.parametrize("order", [0, 1])
def test_places_between_pixels(fill_mode: str, order: int) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    image = DRAW.uniform(0, 9, (5, 6, 1))
    places = np.stack([DRAW.uniform(-12, 16, (200, 1)), DRAW.uniform(-14, 19, (200, 1))])
    found = sampled(image, places, fill_mode, 7.0, order)
    wanted = ndimage.map_coordinates(image[..., 0], places, order=order, mode=fill_mode, cval=7.0)
    np.testing.assert_allclose(found[..., 0], wanted, atol=1e-9)


def doubled(image: Any) -> Any:
    """An image that a user's function changed."""
    return image * 2 + 1


ARGUMENTS: list[dict[str, Any]] = [
    {},
    {"rotation_range": 40, "horizontal_flip": True, "vertical_flip": True},
    {"width_shift_range": 0.3, "height_shift_range": 0.2, "fill_mode": "wrap"},
    {"width_shift_range": 3, "height_shift_range": [-2, 1], "fill_mode": "constant", "cval": 5.0},
    {"shear_range": 25, "zoom_range": 0.4, "fill_mode": "reflect"},
    {"zoom_range": (0.5, 1.5), "channel_shift_range": 40.0, "rescale": 1 / 255},
    {"brightness_range": (0.3, 1.4), "interpolation_order": 0, "rotation_range": 20},
    {"featurewise_center": True, "featurewise_std_normalization": True},
    {"samplewise_center": True, "samplewise_std_normalization": True},
    {"zca_whitening": True, "zca_epsilon": 0.1, "featurewise_center": True},
    {"preprocessing_function": doubled, "validation_split": 0.3},
    {"data_format": "channels_first", "rotation_range": 30, "featurewise_center": True},
]


@pytest.fixture
def scipy_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras looks for a module that newer versions of SciPy do not have."""
    ndimage = pytest.importorskip("scipy.ndimage")

    class Old:
        class ndimage:  # noqa: N801
            interpolation = ndimage

    monkeypatch.setattr(theirs, "scipy", Old)


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=",".join)
@pytest.mark.usefixtures("scipy_as_it_was")
def test_batches(arguments: dict[str, Any]) -> None:
    images = IMAGES
    if arguments.get("data_format") == "channels_first":
        images = images.transpose(0, 3, 1, 2)
    found = []
    for library in (theirs, kerac.preprocessing.image):
        generator = library.ImageDataGenerator(**arguments)
        generator.fit(images, augment="rotation_range" in arguments, seed=4)
        subset = "training" if "validation_split" in arguments else None
        # Keras does not split weights
        weights = None if subset else LABELS
        flow = generator.flow(
            images, LABELS % 2, batch_size=4, seed=11, subset=subset, sample_weight=weights
        )
        found.append([next(flow) for _ in range(5)])
    for wanted, ours in zip(*found, strict=True):
        for one, other in zip(ours, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-2)


def folders(top: Path) -> Path:
    """Three classes with small images, in PNG files."""
    for number, name in enumerate(("cats", "dogs", "mice")):
        (top / name).mkdir()
        for place in range(3 + number):
            image = DRAW.integers(0, 255, (6, 5, 3)).astype("float32")
            kerac.utils.save_img(top / name / f"{place}.png", image, scale=False)
    return top


@pytest.mark.parametrize("class_mode", ["categorical", "sparse", "input", None])
@pytest.mark.parametrize("subset", [None, "training", "validation"])
def test_batches_from_folders(class_mode: str | None, subset: str | None, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    top = folders(tmp_path)
    found, attributes = [], []
    for library in (theirs, kerac.preprocessing.image):
        generator = library.ImageDataGenerator(horizontal_flip=True, validation_split=0.4)
        flow = generator.flow_from_directory(
            str(top), (4, 8), class_mode=class_mode, batch_size=5, seed=3, subset=subset
        )
        attributes.append((flow.filenames, flow.class_indices, flow.samples, len(flow)))
        batches = [next(flow) for _ in range(3)]
        found.append([batch if isinstance(batch, tuple) else (batch,) for batch in batches])
    assert attributes[0] == attributes[1]
    for wanted, ours in zip(*found, strict=True):
        for one, other in zip(ours, wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)


def test_models_are_trained_on_them(tmp_path: Path) -> None:
    generator = ImageDataGenerator(rotation_range=20, rescale=1 / 255)
    model = kerac.Sequential([
        kerac.Input((9, 7, 3)),
        kerac.layers.Conv2D(2, 3),
        kerac.layers.GlobalMaxPooling2D(),
        kerac.layers.Dense(1),
    ])  # fmt: skip
    model.compile("adam", "mse")
    flow = generator.flow(IMAGES, LABELS, batch_size=4, save_to_dir=str(tmp_path), save_prefix="x")
    history = model.fit(flow, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
    assert len(list(tmp_path.glob("x_*.png"))) >= 20


def test_mistakes() -> None:
    with pytest.raises(CompileError, match="validation_split is 2"):
        ImageDataGenerator(validation_split=2)
    with pytest.raises(CompileError, match="fill_mode is 'mirror'"):
        apply_affine_transform(IMAGES[0], theta=3, channel_axis=2, row_axis=0, col_axis=1,
                               fill_mode="mirror")  # fmt: skip
    with pytest.raises(ShapeError, match="images have 4 axes"):
        ImageDataGenerator().flow(IMAGES[0])
    with pytest.raises(CompileError, match="all arrays need the same number of samples"):
        ImageDataGenerator().flow(IMAGES, LABELS[:3])
    with pytest.warns(UserWarning, match=r"`fit\(images\)` was not called"):
        ImageDataGenerator(featurewise_center=True).standardize(IMAGES[0])
