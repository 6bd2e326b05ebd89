"""`kerac.applications` against `keras.applications`: layers, weights, images and arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

import kerac
from kerac import applications
from kerac.ir import evaluate_graph
from tests.compare import assert_close
from tests.frontend.checking import random_value

NETWORKS = [name for name in dir(applications) if name[0].isupper()]
# one of each family; `--exhaustive` takes all, of which some take Keras half a minute to build
USUAL = [
    *("ConvNeXtTiny", "DenseNet121", "EfficientNetB1", "InceptionV3", "MobileNet", "MobileNetV2"),
    *("MobileNetV3Large", "ResNet50", "ResNet50V2", "VGG16", "Xception"),
]
KEYWORDS: list[dict[str, Any]] = [
    {"input_shape": (75, 75, 3), "classes": 10, "classifier_activation": None},
    {"include_top": False, "pooling": "avg"},
    {"include_top": False, "input_shape": (96, 80, 1), "pooling": "max"},
]


@pytest.fixture
def no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras makes weights of zeros, which takes less time."""
    for name in ("uniform", "normal", "truncated_normal"):
        monkeypatch.setattr(
            keras.src.backend.random, name,
            lambda shape, *_, dtype=None, **__: np.zeros(shape, dtype or "float32"),
        )  # fmt: skip


def plain(config: Any) -> Any:
    """A config without arguments of calls that are None or False, as Keras writes some."""
    if isinstance(config, dict):
        return {
            key: {k: v for k, v in item.items() if v} if key == "kwargs" else plain(item)
            for key, item in config.items()
        }
    return [plain(item) for item in config] if isinstance(config, list | tuple) else config


def both(name: str, **keywords: Any) -> tuple[Any, Any]:
    """The network by either library."""
    made = []
    for library in (kerac, keras):
        library.utils.clear_session()
        made.append(getattr(library.applications, name)(weights=None, **keywords))
    return made[0], made[1]


def check_layers(name: str, keywords: dict[str, Any]) -> None:
    ours, theirs = both(name, **keywords)
    kerac.utils.clear_session()
    read = kerac.models.model_from_json(theirs.to_json())
    assert plain(ours.get_config()) == plain(read.get_config())
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]


@pytest.mark.usefixtures("no_start")
def test_layers() -> None:
    check_layers("MobileNetV3Small", KEYWORDS[0])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "network" in metafunc.fixturenames:
        is_exhaustive = metafunc.config.getoption("--exhaustive")
        metafunc.parametrize("network", NETWORKS if is_exhaustive else USUAL)


@pytest.mark.slow
@pytest.mark.usefixtures("no_start")
def test_layers_of_many(network: str) -> None:
    check_layers(network, KEYWORDS[NETWORKS.index(network) % len(KEYWORDS)])


@pytest.mark.slow
@pytest.mark.usefixtures("no_start")
@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("MobileNet", {"alpha": 0.25, "depth_multiplier": 2, "input_shape": (128, 128, 3)}),
        ("MobileNetV2", {"alpha": 1.4, "input_shape": (96, 96, 3)}),
        ("MobileNetV3Small", {"minimalistic": True, "alpha": 1.25, "dropout_rate": 0.0}),
        ("MobileNetV3Small", {"include_preprocessing": False, "input_shape": (64, 64, 3)}),
    ],
)
def test_arguments_of_one_family(name: str, keywords: dict[str, Any]) -> None:
    check_layers(name, {**keywords, "classes": 7})


@pytest.mark.slow
@pytest.mark.usefixtures("no_start")
def test_channels_before_images() -> None:
    for library in (kerac, keras):
        library.backend.set_image_data_format("channels_first")
    try:
        check_layers("MobileNetV2", {"input_shape": (3, 64, 64), "classes": 3})
    finally:
        for library in (kerac, keras):
            library.backend.set_image_data_format("channels_last")


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".weights.h5", ".h5"])
def test_weights_from_a_file(ending: str, tmp_path: Path) -> None:
    keras.utils.clear_session()
    keywords = {"input_shape": (32, 32, 3), "classes": 5, "alpha": 0.25}
    theirs = keras.applications.MobileNet(weights=None, **keywords)
    generator = np.random.default_rng(0)
    for variable in theirs.weights:
        variable.assign(random_value(variable, generator))
    path = tmp_path / f"model{ending}"
    if ending == ".h5":  # as the weights of ImageNet are stored
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, theirs)
    else:
        theirs.save_weights(path)
    ours = kerac.applications.MobileNet(weights=path, **keywords)
    images = generator.uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    assert_close(ours.predict(images, verbose=0), np.asarray(theirs(images)))


def test_weights_of_imagenet_lie_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keywords: dict[str, Any] = {"alpha": 0.25, "include_top": False, "input_shape": (128, 128, 3)}
    model = kerac.applications.MobileNet(weights=None, **keywords)
    monkeypatch.setenv("KERAC_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    model.save_weights(tmp_path / "w.weights.h5")
    (tmp_path / "w.weights.h5").rename(tmp_path / "models/mobilenet_2_5_128_tf_no_top.h5")
    again = kerac.applications.MobileNet(**keywords)
    for ours, wanted in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, wanted)


def test_a_network_goes_on_from_a_tensor() -> None:
    image = kerac.Input((40, 40, 3))
    x = kerac.layers.Rescaling(2.0)(image)
    model = kerac.applications.MobileNetV2(
        weights=None, include_top=False, alpha=0.35, input_tensor=x, pooling="avg"
    )
    assert model.inputs == [image]
    assert model.output_shape == (None, 1280)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("ndim", [3, 4])
def test_preprocessing(mode: Any, data_format: str, ndim: int) -> None:
    shape = (3, 5, 4) if data_format == "channels_first" else (5, 4, 3)
    shape = (2, *shape) if ndim == 4 else shape
    utils = applications.imagenet_utils
    for dtype in ("float32", "uint8"):
        image = np.random.default_rng(0).uniform(0, 255, shape).astype(dtype)
        ours = utils.preprocess_input(image.copy(), data_format, mode)
        theirs = keras.applications.imagenet_utils.preprocess_input(image, data_format, mode)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    if ndim == 4:
        symbol = kerac.Input(shape[1:])
        prepared = utils.preprocess_input(symbol, data_format, mode)
        graph = kerac.Model(symbol, prepared).trace()
        values = evaluate_graph(graph, [image.astype("float32")])[0]
        np.testing.assert_allclose(values, theirs, rtol=1e-5, atol=1e-4)


MODULES = (
    *("convnext", "densenet", "efficientnet", "inception_v3", "mobilenet", "mobilenet_v2"),
    *("mobilenet_v3", "resnet", "resnet50", "resnet_v2", "vgg16", "vgg19", "xception"),
)


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str) -> None:
    ours, theirs = getattr(applications, name), getattr(keras.applications, name)
    assert set(ours.__all__) >= {x for x in dir(theirs) if x[0] != "_"}
    image = np.random.default_rng(0).uniform(0, 255, (1, 4, 4, 3)).astype("float32")
    found, wanted = (module.preprocess_input(image.copy()) for module in (ours, theirs))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_names_of_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    utils = applications.imagenet_utils
    utils._classes.cache_clear()
    index = {str(i): [f"n{i:08}", f"thing_{i}"] for i in range(1000)}
    path = tmp_path / "imagenet_class_index.json"
    path.write_text(json.dumps(index))
    monkeypatch.setattr(utils, "get_file", lambda *_, **__: str(path))
    monkeypatch.setattr(keras.src.applications.imagenet_utils, "CLASS_INDEX", index)
    predictions = np.random.default_rng(0).random((2, 1000), "float32")
    for top in (5, 1):
        ours = applications.resnet.decode_predictions(predictions, top=top)
        assert ours == keras.applications.resnet.decode_predictions(predictions, top=top)
    with pytest.raises(ValueError, match=r"of shape \(N, 1000\), but got \(2, 10\)"):
        utils.decode_predictions(predictions[:, :10])
    utils._classes.cache_clear()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"weights": "nowhere.h5"}, "weights is 'nowhere.h5', but None, 'imagenet' or the path"),
        ({"classes": 10}, "classes is 10, but weights of ImageNet tell 1000 apart"),
        ({"classifier_activation": "relu"}, "classifier_activation is 'relu', but weights"),
        ({"input_shape": (64, 64, 3)}, r"input_shape is \(64, 64, 3\), but weights of ImageNet"),
        ({"weights": None, "input_shape": (8, 8, 3)}, "images must have 32 rows and columns"),
        ({"weights": None, "input_shape": (64, 64)}, "three lengths are expected"),
        ({"weights": None, "input_shape": (None, None, 3)}, "must be known where include_top"),
        ({"weights": None, "input_tensor": 3}, "input_tensor is 3, but a symbolic tensor"),
        ({"weights": None, "pooling": "sum"}, "pooling is 'sum', but 'avg' or 'max' is known"),
    ],
)  # fmt: skip
def test_errors(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"resnet50: .*{message}"):
        applications.ResNet50(**keywords)
