"""Layers that change images, beside Keras's: the same numbers must change them in the same way."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pytest

import kerac
from kerac.ir import Graph, evaluate_graph, ops, type_of
from kerac.layers.images.base import ImageLayer
from kerac.structure import leaves, pack
from kerac.tracing import Trace, trace_function
from tests.compare import assert_close
from tests.everywhere import run_jit as native
from tests.frontend.checking import check_layer_config, made

Array = np.ndarray
DRAW = np.random.default_rng(8)
BYTES = DRAW.uniform(0, 255, (5, 9, 12, 3)).astype("float32")
UNIT = DRAW.uniform(0, 1, (5, 9, 12, 3)).astype("float32")


def augmented(
    layer: ImageLayer, images: Array, key: int = 3, run: Any = evaluate_graph
) -> tuple[Mapping[str, Any], Array]:
    """What a layer draws, and what becomes of the images."""
    trace = Trace("augmentation", training=True, key=ops.constant([key, 7], "u32"))

    def function(values: list[Any]) -> Any:
        batch = layer._batch(values[0])
        drawn = layer._drawn(batch)
        return {"drawn": drawn, "images": layer._like(values[0], layer._changed(batch, drawn))}

    traced = trace_function(function, {"images": type_of(images)}, trace)
    known = [x for x in leaves(traced.structure) if hasattr(x, "op")]
    graph = Graph("augmentation", traced.graph.inputs, tuple(known))
    found = iter(run(graph, [images]))
    every = [next(found) if hasattr(x, "op") else x for x in leaves(traced.structure)]
    result = pack(traced.structure, every)
    return result["drawn"], result["images"]


Case = tuple[str, tuple[Any, ...], dict[str, Any], Callable[[Any, Any], Any]]


def flat(x: Array) -> Array:
    return x.reshape(-1)


def rotated(theirs: Any, drawn: Any) -> Any:
    angle = flat(drawn["angle"])
    zeros = np.zeros_like(angle)
    matrix = theirs._compute_affine_matrix(
        0.5, 0.5, angle, zeros, zeros, np.ones_like(angle), zeros, zeros, *BYTES.shape[1:3]
    )
    return {"rotation_matrix": matrix}


def moved(theirs: Any, drawn: Any) -> Any:
    return {"translations": np.stack([flat(drawn["width"]), flat(drawn["height"])], 1)}


def zoomed(theirs: Any, drawn: Any) -> Any:
    return {name: drawn[name].reshape(-1, 1) for name in ("height_zoom", "width_zoom")}


def sheared(theirs: Any, drawn: Any) -> Any:
    return {"shear_factor": np.stack([flat(drawn["x"]), flat(drawn["y"])], 1)}


def tilted(theirs: Any, drawn: Any) -> Any:
    height, width = BYTES.shape[1:3]
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], "f")
    start = np.repeat(corners[None], len(BYTES), 0)
    return {
        "apply_perspective": flat(drawn["apply"]),
        "start_points": start,
        "end_points": start * (1 + drawn["perspective"]),
    }


def as_drawn(theirs: Any, drawn: Any) -> Any:
    return dict(drawn)


def one_each(theirs: Any, drawn: Any) -> Any:
    return {name: flat(value) for name, value in drawn.items()}


def mask(theirs: Any, drawn: Any) -> Any:
    left, right, top, bottom = map(flat, drawn["box"])
    found = theirs._generate_batch_mask(BYTES.shape, (left, right, top, bottom))
    return found[0] if isinstance(found, tuple) else found


def erased(theirs: Any, drawn: Any) -> Any:
    fill = drawn.get("fill")
    fill = np.array(theirs.fill_value, "f") if fill is None else np.clip(fill, 0, 255)
    return {
        "apply_erasing": flat(drawn["apply"]),
        "batch_masks": mask(theirs, drawn),
        "fill_value": fill,
    }


def cut(theirs: Any, drawn: Any) -> Any:
    return {"batch_masks": mask(theirs, drawn), "permutation_order": drawn["order"]}


def inverted(theirs: Any, drawn: Any) -> Any:
    return {"apply_inversion": flat(drawn["apply"])}


def blurred(theirs: Any, drawn: Any) -> Any:
    return {"should_apply_blur": flat(drawn["apply"]), "blur_factor": drawn["sigma"]}


def mixed(theirs: Any, drawn: Any) -> Any:
    return {"mix_weight": flat(drawn["weight"]), "permutation_order": drawn["order"]}


def posterized(theirs: Any, drawn: Any) -> Any:
    return {"shift_factor": flat(drawn["shift_factor"]).astype("uint8")}


def nothing(theirs: Any, drawn: Any) -> Any:
    return {}


CASES: list[Case] = [
    ("RandomFlip", (), {}, as_drawn),
    ("RandomFlip", ("vertical",), {"seed": 3}, as_drawn),
    ("RandomFlip", ("horizontal",), {"data_format": "channels_first"}, as_drawn),
    ("RandomRotation", (0.3,), {}, rotated),
    ("RandomRotation", ((-0.1, 0.4), "wrap"), {"seed": 3}, rotated),
    ("RandomRotation", (0.3, "constant", "bilinear"), {"fill_value": 9.0}, rotated),
    ("RandomRotation", (0.3, "nearest", "nearest"), {}, rotated),
    ("RandomTranslation", (0.6, (-0.3, 0.2)), {}, moved),
    ("RandomTranslation", (0.4, 0.4, "constant"), {}, moved),
    ("RandomTranslation", (0.9, 0.9, "wrap"), {}, moved),
    ("RandomZoom", (0.5,), {}, zoomed),
    ("RandomZoom", ((-0.4, 0.9), 0.6, "nearest"), {}, zoomed),
    ("RandomShear", (0.7, 0.5), {}, sheared),
    ("RandomShear", ((0.1, 0.9), 0.0), {"fill_mode": "constant"}, sheared),
    ("RandomPerspective", (0.8, 0.9), {}, tilted),
    ("RandomPerspective", (1.0, 0.5, "nearest", 3.0), {}, tilted),
    ("RandomBrightness", (0.6,), {}, as_drawn),
    ("RandomContrast", (0.6,), {}, as_drawn),
    ("RandomContrast", ((0.2, 0.9),), {"value_range": (20, 200)}, as_drawn),
    ("RandomColorDegeneration", (0.9,), {}, as_drawn),
    ("RandomSaturation", ((0.1, 0.8),), {}, one_each),
    ("RandomHue", (0.7,), {}, one_each),
    ("RandomSharpness", (0.9,), {}, one_each),
    ("RandomGrayscale", (0.6,), {}, lambda theirs, drawn: drawn["apply"]),
    ("RandomPosterization", (5,), {}, posterized),
    ("RandomPosterization", ((3, 3),), {}, posterized),
    ("RandomInvert", (0.8,), {}, inverted),
    ("Solarization", (0.3, 0.9), {}, as_drawn),
    ("RandomErasing", (0.8,), {"fill_value": 7}, erased),
    ("RandomErasing", (), {"scale": (0.3, 0.9)}, erased),
    ("RandomErasing", (), {"fill_value": (1, 2, 3)}, erased),
    ("RandomGaussianBlur", (0.9,), {"kernel_size": (5, 3), "sigma": (0.4, 1.0)}, blurred),
    ("AutoContrast", (), {}, nothing),
    ("Equalization", (), {}, nothing),
    ("Equalization", (), {"bins": 64}, nothing),
    ("MixUp", (0.7,), {}, mixed),
    ("CutMix", (), {}, cut),
]


# One case of each layer.
NATIVE = list({name: (name, args, keywords) for name, args, keywords, _ in CASES[::-1]}.values())


def label(case: Any) -> str | None:
    return case if isinstance(case, str) else None


@pytest.mark.parametrize(("name", "args", "keywords", "parameters"), CASES, ids=label)
def test_equal_numbers_change_images_equally(
    name: str, args: tuple[Any, ...], keywords: dict[str, Any], parameters: Any
) -> None:
    theirs, ours = made(lambda library: getattr(library.layers, name)(*args, **keywords))
    images = BYTES
    if keywords.get("data_format") == "channels_first":
        images = images.transpose(0, 3, 1, 2)
    drawn, found = augmented(ours, images)
    given = parameters(theirs, drawn)
    expected = np.asarray(theirs.transform_images(keras.ops.convert_to_tensor(images), given))
    assert_close(found, expected, 2e-5)
    if name != "RandomShear" or keywords:  # Keras cannot read what it writes for one number
        check_layer_config(lambda layers: getattr(layers, name)(*args, **keywords))
    if name != "AutoContrast":
        assert (np.asarray(ours(images, training=False)) == images).all()


@pytest.mark.parametrize(("name", "args", "keywords"), NATIVE, ids=label)
def test_native_code(name: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    layer = getattr(kerac.layers, name)(*args, **keywords)
    drawn, found = augmented(layer, BYTES)
    again, compiled = augmented(layer, BYTES, run=native)
    for one, other in zip(leaves(again), leaves(drawn), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    assert_close(compiled, found, 1e-3)


@pytest.mark.parametrize(("name", "args", "keywords", "parameters"), CASES[::3], ids=label)
def test_one_image_alone(
    name: str, args: tuple[Any, ...], keywords: dict[str, Any], parameters: Any
) -> None:
    ours = getattr(kerac.layers, name)(*args, **keywords)
    image = BYTES[0] if "data_format" not in keywords else BYTES[0].transpose(2, 0, 1)
    _, found = augmented(ours, image)
    assert found.shape == image.shape
    _, batch = augmented(ours, image[None])
    np.testing.assert_array_equal(found, batch[0])


RANGED = ["RandomBrightness", "RandomHue", "RandomPosterization", "Equalization", "AutoContrast"]


@pytest.mark.parametrize("name", [*RANGED, "Solarization"])
def test_values_of_another_range(name: str) -> None:
    factor = {"RandomBrightness": (0.5,), "RandomHue": (0.5,), "RandomPosterization": (4,)}
    args = {"Solarization": (0.2, 0.8)}.get(name, factor.get(name, ()))
    theirs, ours = made(
        lambda library: getattr(library.layers, name)(*args, value_range=(0, 1))
    )
    drawn, found = augmented(ours, UNIT)
    by_name = {name: parameters for name, _, _, parameters in CASES}
    given = by_name[name](theirs, drawn)
    # Keras writes a list where it compares with a tuple
    theirs.value_range = tuple(theirs.value_range)
    expected = np.asarray(theirs.transform_images(keras.ops.convert_to_tensor(UNIT), given))
    assert_close(found, expected, 1e-4)


STATISTICS: list[tuple[str, tuple[Any, ...], str, float, float]] = [
    ("RandomFlip", (), "flips", 0.5, 0.5),
    ("RandomRotation", (0.25,), "angle", 0.0, 180 / 12**0.5),
    ("RandomTranslation", ((0, 0.5), 0.1), "height", 1.0, 2 / 12**0.5),
    ("RandomZoom", ((-0.2, 0.8),), "height_zoom", 1.3, 1 / 12**0.5),
    ("RandomShear", (0.5,), "x", 0.0, 1 / 12**0.5),
    ("RandomContrast", (0.5,), "contrast_factor", 1.25, 0.5 / 12**0.5),
    ("RandomHue", (0.6,), "factor", 0.0, 0.3 / 3**0.5),
    ("RandomGrayscale", (0.3,), "apply", 0.3, 0.21**0.5),
    ("RandomInvert", ((0.2, 0.6),), "apply", 0.4, 0.24**0.5),
    ("RandomPosterization", (5,), "shift_factor", 5.5, 5**0.5 / 2),
    ("MixUp", (0.2,), "weight", 0.5, (0.25 / 1.4) ** 0.5),
    ("MixUp", (3.0,), "weight", 0.5, (0.25 / 7) ** 0.5),
]


@pytest.mark.parametrize(("name", "args", "drawn", "mean", "deviation"), STATISTICS)
def test_statistics(
    name: str, args: tuple[Any, ...], drawn: str, mean: float, deviation: float
) -> None:
    layer = getattr(kerac.layers, name)(*args)
    images = np.zeros((3000, 4, 4, 3), "float32")
    found = np.asarray(augmented(layer, images)[0][drawn], "float64")
    assert found.shape[0] == 3000
    scale = max(deviation, 0.1)
    assert abs(found.mean() - mean) < 0.07 * scale
    assert abs(found.std() - deviation) < 0.07 * scale


def test_mixing_takes_each_image_once() -> None:
    layer = kerac.layers.MixUp()
    drawn, _ = augmented(layer, np.zeros((300, 1, 1, 1), "float32"))
    assert sorted(drawn["order"]) == list(range(300))
    assert (drawn["order"] == np.arange(300)).sum() < 10


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_labels_are_mixed_as_images_are(name: str) -> None:
    images = np.repeat(np.eye(6, dtype="float32"), 400, 0).reshape(6, 20, 20, 6)
    mixed = getattr(kerac.layers, name)()({"images": images, "labels": np.eye(6, dtype="float32")})
    np.testing.assert_allclose(mixed["images"].mean((1, 2)), mixed["labels"], atol=0.11)
    np.testing.assert_allclose(mixed["labels"].sum(1), 1, rtol=1e-5)
    assert (mixed["labels"] != np.eye(6)).any()


@pytest.mark.parametrize("name", ["RandAugment", "AugMix", "RandomColorJitter"])
def test_several_changes_at_once(name: str) -> None:
    arguments: dict[str, Any] = {}
    if name == "RandomColorJitter":
        kinds = ("brightness", "contrast", "saturation", "hue")
        arguments = {f"{kind}_factor": 0.5 for kind in kinds}
    check_layer_config(lambda layers: getattr(layers, name)(**arguments))
    layer = getattr(kerac.layers, name)(seed=5, **arguments)
    _, found = augmented(layer, BYTES)
    assert found.shape == BYTES.shape
    assert found.min() >= -1e-3
    assert found.max() <= 255.001
    assert abs(found - BYTES).max() > 1
    _, other = augmented(layer, BYTES, key=4)
    assert (found == other).all() == (name != "AugMix")  # the seed decides, not the key
    assert (np.asarray(layer(BYTES, training=False)) == BYTES).all()


def test_seeds() -> None:
    def flips(seed: int | None) -> tuple[Array, Array]:
        layer = kerac.layers.RandomBrightness(0.5, seed=seed)
        return np.asarray(layer(BYTES)), np.asarray(layer(BYTES))

    one, two = flips(1)
    again, _ = flips(1)
    assert (one == again).all()
    assert (one != two).any()
    assert (one != flips(2)[0]).any()


def test_augmentation_in_a_model(tmp_path: Any) -> None:
    def make(library: Any) -> Any:
        layers = library.layers
        return library.Sequential(
            [
                library.Input((9, 12, 3)),
                layers.Rescaling(1 / 255),
                layers.RandomFlip("horizontal"),
                layers.RandomRotation(0.1),
                layers.RandomZoom(0.2),
                layers.RandomContrast(0.3, value_range=(0, 1)),
                layers.Conv2D(4, 3, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(2),
            ]
        )

    theirs, ours = made(make)
    ours.set_weights(theirs.get_weights())
    assert_close(ours.predict(BYTES), theirs.predict(BYTES, verbose=0), 1e-5)
    ours.compile("sgd", "mse")
    targets = np.ones((5, 2), "float32")
    losses = ours.fit(BYTES, targets, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    ours.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_close(again.predict(BYTES, verbose=0), ours.predict(BYTES), 1e-5)


MISTAKES: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("RandomRotation", (1.5,), {}, "factor is 1.5, but must be a number or two from -1 to 1"),
    ("RandomZoom", (-1.0,), {}, "a factor is -1, but must lie above -1"),
    ("RandomShear", ((-0.3, 0.5),), {}, "x_factor is .* from 0 to 1"),
    ("RandomFlip", ("sideways",), {}, "mode is 'sideways', but one of"),
    ("RandomGaussianBlur", (), {"kernel_size": 4}, "must be one or two odd numbers"),
    ("RandomErasing", (), {"fill_value": (1, 2)}, "must be a number or three"),
    ("Resizing", (3, 3), {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "to crop"),
    ("RandomColorJitter", (), {"hue_factor": 2}, "factor is 2, but must be"),
]


@pytest.mark.parametrize(("name", "args", "keywords", "message"), MISTAKES)
def test_mistakes(name: str, args: Any, keywords: Any, message: str) -> None:
    with pytest.raises(kerac.ir.errors.CompileError, match=message):
        getattr(kerac.layers, name)(*args, **keywords)


def test_inputs_that_are_no_images() -> None:
    with pytest.raises(kerac.ir.errors.ShapeError, match="images of 3 or 4 axes, but is"):
        kerac.layers.RandomFlip()(kerac.Input((4,)))
    with pytest.raises(kerac.ir.errors.ShapeError, match="must have 3 channels, but have 4"):
        augmented(kerac.layers.RandomHue(0.5), np.zeros((1, 2, 2, 4), "float32"))
    with pytest.raises(kerac.ir.errors.UnsupportedError, match="'bounding_boxes', 'images', but"):
        kerac.layers.RandomFlip()({"images": BYTES, "bounding_boxes": BYTES})
