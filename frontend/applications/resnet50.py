"""The residual network of 50 layers, in a module of its own as Keras has it."""

from kerac.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
