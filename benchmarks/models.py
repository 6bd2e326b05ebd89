"""The networks that benchmarks and tests share, built by Keras itself with random weights.

`save(name, folder)` gives the .keras file of a network, written on the first call. All weights are
random but fixed by a seed, moving statistics of batch normalization included, so that no step of a
compiler meets zeros and ones only; they are scaled so that activations neither vanish nor explode.
"""

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

os.environ.setdefault("KERAS_BACKEND", "jax")    # read when keras is imported


@dataclass(frozen=True)
class Network:
    """One network: how Keras builds it, and what one row of its input looks like."""

    build: Callable[[], "keras.Model"]
    input_shape: tuple[int, ...]
    vocabulary: int | None = None    # the input is words below this number, not real numbers

    def sample(self, batch: int, seed: int = 0) -> np.ndarray:
        """Random input: words as int32, or normally distributed float32."""
        random = np.random.default_rng(seed)
        shape = (batch, *self.input_shape)
        if self.vocabulary is not None:
            return random.integers(0, self.vocabulary, shape, dtype=np.int32)
        return random.standard_normal(shape, dtype=np.float32)


def build_mlp() -> "keras.Model":
    """Two hidden layers on 100 features."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((100,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        name="mlp",
    )


def build_mnist_cnn() -> "keras.Model":
    """The convolutional network of the MNIST tutorials."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ],
        name="mnist_cnn",
    )


def build_cifar_cnn() -> "keras.Model":
    """The convolutional network of the CIFAR-10 tutorials; its outputs are logits."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ],
        name="cifar_cnn",
    )


def build_imdb_lstm() -> "keras.Model":
    """Sentiment of 400 words by one LSTM."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((400,), dtype="int32"),
            layers.Embedding(5000, 64),
            layers.SpatialDropout1D(0.2),
            layers.LSTM(100),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="imdb_lstm",
    )


def build_imdb_bilstm() -> "keras.Model":
    """Sentiment of 200 words by two bidirectional LSTMs, as in Keras's example."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((200,), dtype="int32"),
            layers.Embedding(5000, 128),
            layers.Bidirectional(layers.LSTM(64, return_sequences=True)),
            layers.Bidirectional(layers.LSTM(64)),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="imdb_bilstm",
    )


def build_application(name: str, input_shape: tuple[int, ...]) -> "keras.Model":
    """A network of keras.applications without its trained weights."""
    from keras import applications

    return getattr(applications, name)(weights=None, input_shape=input_shape)


def build_transformer() -> "keras.Model":
    """An encoder of four blocks, 256 wide, on 128 words, with learned positions."""
    import keras
    from keras import layers

    words = keras.Input((128,), dtype="int32")
    x = layers.Embedding(5000, 256)(words)
    positions = layers.Embedding(128, 256)(keras.ops.arange(128))
    x = x + positions
    for _ in range(4):
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = x + layers.MultiHeadAttention(8, 32)(y, y)
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = x + layers.Dense(256)(layers.Dense(1024, activation="gelu")(y))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(words, layers.Dense(10, activation="softmax")(x), name="transformer")


IMAGE = (224, 224, 3)
WIDE_IMAGE = (299, 299, 3)


def application(name: str, input_shape: tuple[int, ...] = IMAGE) -> Network:
    """A network of keras.applications."""
    return Network(partial(build_application, name, input_shape), input_shape)


# What tests run as well.
NETWORKS = {
    "mlp": Network(build_mlp, (100,)),
    "mnist_cnn": Network(build_mnist_cnn, (28, 28, 1)),
    "cifar_cnn": Network(build_cifar_cnn, (32, 32, 3)),
    "imdb_lstm": Network(build_imdb_lstm, (400,), vocabulary=5000),
    "imdb_bilstm": Network(build_imdb_bilstm, (200,), vocabulary=5000),
    "mobilenet_v2": application("MobileNetV2"),
    "resnet50": application("ResNet50"),
}
ALL_NETWORKS = {
    **NETWORKS,
    "transformer": Network(build_transformer, (128,), vocabulary=5000),
    "mobilenet_v3_large": application("MobileNetV3Large"),
    "efficientnet_b0": application("EfficientNetB0"),
    "inception_v3": application("InceptionV3", WIDE_IMAGE),
    "densenet121": application("DenseNet121"),
    "xception": application("Xception", WIDE_IMAGE),
    "vgg16": application("VGG16"),
    "convnext_tiny": application("ConvNeXtTiny"),
}


def random_weight(path: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Values for the weight at a Keras path, of a size that keeps activations in range.

    gamma² / variance is 1 on average. Kernels lie between what keeps the second moment through a
    relu, 2 / fan-in, and what keeps it without one, 1 / fan-in, for deep sums of branches grow.
    """
    normal = random.standard_normal(shape)
    match path.rpartition("/")[2]:
        case "gamma":
            values = random.uniform(0.4, 1.4, shape)
        case "moving_variance" | "variance":
            values = random.uniform(0.5, 1.5, shape)
        case "beta" | "bias" | "moving_mean" | "mean":
            values = 0.1 * normal
        case "embeddings":
            values = normal
        case "recurrent_kernel":
            values = normal / np.sqrt(shape[0])
        case _:
            depthwise = "depthwise" in path    # [..., channels, multiplier]
            fan_in = np.prod(shape[:-2] if depthwise else shape[:-1])
            values = normal * np.sqrt(1.2 / fan_in)
    return values.astype(np.float32)


def randomize(model: "keras.Model", seed: int = 0) -> "keras.Model":
    """Give every weight of a model new random values, in the order of its weights."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        variable.assign(random_weight(variable.path, tuple(variable.shape), random))
    return model


def cache_folder() -> Path:
    """Where benchmarks and tests keep the files; another one for every state of this module."""
    here = Path(__file__)
    return here.parent.parent / ".cache" / f"networks-{zlib.crc32(here.read_bytes()):08x}"


def save(name: str, folder: Path) -> Path:
    """The .keras file of a network in a folder; an existing one is taken as it is."""
    path = folder / f"{name}.keras"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Written under another name first, so that an interrupted call leaves no broken file;
        # the process id keeps test workers apart.
        partial_path = folder / f"{name}.{os.getpid()}.keras"
        randomize(ALL_NETWORKS[name].build()).save(partial_path)
        partial_path.replace(path)
    return path
