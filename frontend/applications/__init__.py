"""Networks of `keras.applications`, with the same layers, arguments and weights."""

from importlib import import_module
from typing import Any

_NETWORKS = {
    **dict.fromkeys(("ResNet50", "ResNet101", "ResNet152"), "resnet"),
    **dict.fromkeys(("ResNet50V2", "ResNet101V2", "ResNet152V2"), "resnet_v2"),
    "VGG16": "vgg16",
    "VGG19": "vgg19",
    "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2",
    **dict.fromkeys(("MobileNetV3Large", "MobileNetV3Small"), "mobilenet_v3"),
    **{f"EfficientNetB{number}": "efficientnet" for number in range(8)},
    **dict.fromkeys(("DenseNet121", "DenseNet169", "DenseNet201"), "densenet"),
    "InceptionV3": "inception_v3",
    "Xception": "xception",
    **{f"ConvNeXt{s}": "convnext" for s in ("Tiny", "Small", "Base", "Large", "XLarge")},
}
_MODULES = ("imagenet_utils", "resnet50", *dict.fromkeys(_NETWORKS.values()))


def __getattr__(name: str) -> Any:
    """A network or the module of a family, imported when it is first named."""
    if name in _MODULES:
        return import_module(f"kerac.applications.{name}")
    if name in _NETWORKS:
        return getattr(import_module(f"kerac.applications.{_NETWORKS[name]}"), name)
    raise AttributeError(f"module 'kerac.applications' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*_MODULES, *_NETWORKS))
