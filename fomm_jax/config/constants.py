"""Sizes of the architecture that no field of the configuration sets.

The networks are built with them, and the validation of a configuration calculates with them.
"""

HEAD_KERNEL = 7  # pixels along a side; the heads of keypoint detector and dense motion network
RESNET_STRIDE = 32  # pixels of a frame for each pixel of the last maps of a ResNet-18
OCCLUSION_MAPS = 4  # of the thin-plate model, one for each size of the features
DISCRIMINATOR_KERNEL = 4  # pixels along a side; the blocks of the discriminator
# Convolutions of VGG16 and VGG19 whose rectified outputs the perceptual loss compares: relu1_1 …
# relu5_1. A pooling comes before each of them but the first.
PERCEPTUAL_TAPS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")

# A VGG is five blocks of 3x3 convolutions with a pooling layer between blocks: the output channels
# of the convolutions in each block, and their number (table 1 of the paper, columns D and E).
BLOCK_WIDTHS = (64, 128, 256, 512, 512)
BLOCK_DEPTHS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


def _perceptual_layers(depths: tuple[int, ...]) -> tuple[tuple[str, int], ...]:
    """Return name and output channels of the convolutions up to the last tap, conv5_1."""
    return tuple(
        (f"conv{block}_{layer}", width)
        for block, (width, depth) in enumerate(zip(BLOCK_WIDTHS, (*depths[:-1], 1), strict=True), 1)
        for layer in range(1, depth + 1)
    )


# The convolutions that the perceptual network needs, in order: (name, output channels).
VGG_LAYERS = {network: _perceptual_layers(depths) for network, depths in BLOCK_DEPTHS.items()}
