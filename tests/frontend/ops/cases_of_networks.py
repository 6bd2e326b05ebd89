"""What networks, losses and images are made of."""

from __future__ import annotations

import numpy as np

from tests.frontend.ops.case import Fixed, case, loosely, on_arrays, stepwise
from tests.frontend.ops.cases_of_elements import between, normal, whole

PROBABILITIES = between(0.05, 0.95, 3, 4)
IMAGES, VOLUMES, SEQUENCES = normal(2, 7, 6, 4), normal(2, 5, 4, 6, 2), normal(2, 9, 4)
KERNEL = normal(3, 2, 4, 5)
CTC = (whole(1, 5, 2, 3), normal(2, 7, 5), np.array([3, 2], "int32"), np.array([7, 6], "int32"))

OBJECTIVES = [
    case("binary_crossentropy", between(0, 1, 3, 4), PROBABILITIES),
    case("binary_crossentropy", between(0, 1, 3, 4), normal(3, 4), from_logits=True),
    case("categorical_crossentropy", between(0, 1, 3, 4), PROBABILITIES),
    case("categorical_crossentropy", between(0, 1, 3, 4), normal(3, 4), from_logits=True, axis=0),
    case("sparse_categorical_crossentropy", whole(0, 4, 3), PROBABILITIES),
    case("sparse_categorical_crossentropy", whole(0, 4, 3, 1), normal(3, 4), from_logits=True),
    case("ctc_loss", *CTC), case("ctc_loss", *CTC, mask_index=4),
    stepwise("ctc_decode", normal(2, 9, 5), np.array([9, 6], "int32")),
    stepwise("ctc_decode", normal(2, 9, 5), np.array([9, 6], "int32"), merge_repeated=False,
        mask_index=2),
    loosely(1e-4, on_arrays("ctc_decode", normal(2, 6, 4), np.array([6, 4], "int32"),
        "beam_search", beam_width=50, top_paths=2)),
]  # fmt: skip

NORMALIZED = [
    case("batch_normalization", IMAGES, normal(4), between(0.1, 2, 4), -1),
    case("batch_normalization", IMAGES, normal(7), between(0.1, 2, 7), 1, normal(7), normal(7),
        0.1),
    case("layer_normalization", IMAGES), case("layer_normalization", IMAGES, normal(4), normal(4)),
    case("layer_normalization", IMAGES, normal(7, 6), normal(7, 6), axis=[1, 2], epsilon=0.01),
    case("rms_normalization", IMAGES), case("rms_normalization", IMAGES, normal(4), epsilon=0.1),
    case("psnr", IMAGES, IMAGES + 0.1 * IMAGES[::-1], 4.0),
    stepwise("one_hot", whole(0, 3, 2, 2), 4),
    stepwise("one_hot", whole(0, 3, 5), 3, axis=0, dtype="int32"),
    stepwise("one_hot", whole(-1, 5, 6), 4), stepwise("multi_hot", whole(0, 5, 3, 4), 6),
    stepwise("multi_hot", whole(0, 5, 4), num_classes=5, dtype="int32"),
    case("dot_product_attention", normal(2, 5, 2, 4), normal(2, 6, 2, 4), normal(2, 6, 2, 4)),
    case("dot_product_attention", normal(2, 5, 2, 4), normal(2, 5, 2, 4), normal(2, 5, 2, 4),
        is_causal=True, scale=0.3),
]  # fmt: skip

WINDOWS = [
    case("conv", IMAGES, KERNEL), case("conv", IMAGES, KERNEL, 2, "same"),
    case("conv", IMAGES, normal(2, 2, 2, 6), dilation_rate=2),
    case("conv", SEQUENCES, normal(3, 4, 5), strides=2),
    case("conv", VOLUMES, normal(2, 2, 3, 2, 3), padding="same"),
    case("conv", normal(2, 4, 7, 6), KERNEL, data_format="channels_first"),
    case("depthwise_conv", IMAGES, normal(3, 3, 4, 2), padding="same"),
    case("depthwise_conv", SEQUENCES, normal(3, 4, 1), 2),
    case("separable_conv", IMAGES, normal(3, 3, 4, 2), normal(1, 1, 8, 3)),
    case("separable_conv", SEQUENCES, normal(3, 4, 1), normal(1, 4, 3), padding="same"),
    case("conv_transpose", IMAGES, normal(3, 2, 5, 4)),
    case("conv_transpose", IMAGES, normal(3, 2, 5, 4), 2, "same"),
    case("conv_transpose", SEQUENCES, normal(3, 5, 4), 2, "same", 1),
    case("conv_transpose", IMAGES, normal(2, 2, 5, 4), dilation_rate=2),
    case("max_pool", IMAGES, 2, 2), case("max_pool", SEQUENCES, 3, 2, "same"),
    case("max_pool", VOLUMES, (2, 1, 2), (1, 1, 2)),
    case("average_pool", IMAGES, (2, 3), 1, "same"),
    case("average_pool", normal(2, 4, 7, 6), 2, 2, data_format="channels_first"),
    case("adaptive_average_pool", IMAGES, 3), case("adaptive_max_pool", SEQUENCES, 4),
    case("adaptive_average_pool", VOLUMES, (2, 3, 2)), case("unfold", normal(2, 3, 6, 5), 2),
    case("unfold", normal(2, 3, 7, 5), (2, 3), 2, 1, 2), case("fold", normal(2, 12, 20), (6, 5), 2),
    case("fold", normal(2, 12, 9), (6, 6), 2, stride=2),
    case("fold", normal(2, 12, 16), (6, 6), 2, padding=1, stride=2),
]  # fmt: skip

PICTURES = between(0, 1, 2, 6, 5, 3)
MOVES = np.array(
    [[1.1, 0.2, 0.5, -0.1, 0.9, 0.3, 0, 0], [0.8, 0, 1, 0.3, 1.2, -1, 0, 0]], "float32"
)
SCALE = Fixed(np.array([1.3, 0.8], "float32"))
SHIFT = Fixed(np.array([0.5, -0.3], "float32"))
CORNERS = np.array([[[0, 0], [0, 4], [4, 0], [4, 4]]] * 2, "float32")
IMAGE_OPS = [
    *(
         case("image.resize", PICTURES, (9, 7), interpolation=i)
        for i in ("bilinear", "bicubic", "lanczos3")
    ),
    stepwise("image.resize", PICTURES, (4, 9), interpolation="nearest"),
    case("image.resize", PICTURES[0], (3, 3), antialias=True),
    case("image.resize", PICTURES, (4, 8), crop_to_aspect_ratio=True),
    case("image.resize", PICTURES, (4, 8), pad_to_aspect_ratio=True, fill_value=0.5),
    loosely(0.005, stepwise("image.resize", whole(0, 255, 2, 4, 4, 3, dtype="uint8"), (7, 7))),
    case("image.resize", normal(2, 3, 5, 4), (7, 7), data_format="channels_first"),
    case("image.crop_images", PICTURES, 1, 1, target_height=3, target_width=2),
    case("image.crop_images", PICTURES, bottom_cropping=1, right_cropping=2, target_height=3,
        target_width=2),
    case("image.pad_images", PICTURES, 1, 2, target_height=9, target_width=9),
    case("image.pad_images", PICTURES[0], 1, 2, 3, 0), case("image.rgb_to_grayscale", PICTURES),
    stepwise("image.rgb_to_grayscale", whole(0, 255, 4, 4, 3, dtype="uint8")),
    case("image.rgb_to_hsv", PICTURES), case("image.hsv_to_rgb", PICTURES),
    case("image.gaussian_blur", PICTURES, data_format="channels_last"),
    case("image.gaussian_blur", PICTURES[0], (5, 3), (0.5, 2.0), "channels_last"),
    case("image.sobel_edges", PICTURES),
    loosely(1e-3, case("image.ssim", between(0, 1, 2, 12, 13, 3), between(0, 1, 2, 12, 13, 3))),
    case("image.extract_patches", PICTURES, (2, 3)),
    case("image.extract_patches", PICTURES, 3, 2, padding="same"),
    case("image.extract_patches", PICTURES[0], 2, 1, 2),
    case("image.extract_patches_3d", normal(1, 4, 4, 4, 2), 2),
    *(
         case("image.affine_transform", PICTURES, Fixed(MOVES), fill_mode=m)
        for m in ("constant", "nearest", "wrap", "mirror", "reflect")
    ),
    stepwise("image.affine_transform", PICTURES[0], MOVES[0], "nearest", fill_value=0.5),
    loosely(1e-4, case("image.perspective_transform", PICTURES, Fixed(CORNERS), Fixed(CORNERS +
        normal(2, 4, 2) * 0.3))),
    *(
         case("image.map_coordinates", normal(5, 6), between(-1, 6, 2, 3, 4), 1, m)
        for m in ("constant", "nearest", "wrap", "mirror", "reflect")
    ),
    stepwise("image.map_coordinates", normal(5, 6), between(-1, 6, 2, 9), 0),
    *(
         case("image.scale_and_translate", PICTURES, (2, 8, 7, 3), Fixed(np.array([1.3, 0.8],
        "float32")), Fixed(np.array([0.5, -0.3], "float32")), (1, 2), m)
        for m in ("linear", "cubic", "lanczos3")
    ),
]  # fmt: skip
NETWORKS = (*OBJECTIVES, *NORMALIZED, *WINDOWS, *IMAGE_OPS)
