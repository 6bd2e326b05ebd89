"""The network of 3 x 3 convolutions with 19 layers (Simonyan and Zisserman, 2014)."""

from kerac.applications.vgg16 import decode_predictions, plain, preprocess_input

VGG19 = plain("vgg19", 2, 2, 4, 4, 4)

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
