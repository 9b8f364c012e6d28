"""Sizes of the architecture that no field of the configuration sets.

The networks are built with them, and the validation of a configuration calculates with them.
"""

HEAD_KERNEL = 7  # pixels along a side; the heads of keypoint detector and dense motion network
DISCRIMINATOR_KERNEL = 4  # pixels along a side; the blocks of the discriminator
# Convolutions of VGG16 and VGG19 whose rectified outputs the perceptual loss compares: relu1_1 …
# relu5_1. A pooling comes before each of them but the first.
PERCEPTUAL_TAPS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
