"""How far the first-order model may be from its original, and why no closer."""

EVALUATION_TOLERANCE = 1e-4  # absolute, for values of the order of 1
# Models at full size have longer sums, in which rounding adds up.
FULL_SIZE_TOLERANCE = 1e-3
KEYPOINT_TOLERANCE = 1e-4  # absolute, at any size
LOSS_TOLERANCE = 1e-6  # relative, in float64
SINGLE_LOSS_TOLERANCE = 1e-4  # relative, in float32
# For the prediction of a training step in float32. Normalising by the batch at 2x2 pixels magnifies
# rounding: the original's own prediction in float32 is up to 2.4e-4 from that in float64.
SINGLE_PREDICTION_TOLERANCE = 4e-4
# Steps of a trajectory in float64 whose losses must agree. Later ones depend on the order of
# summation.
DECISIVE_STEPS = 5
DECISIVE_RESUMED_STEPS = 2
# The same number for single recordings. In this one, the original's own rounding decides step 4
# (docs/fidelity.md); the trajectory from the recorded state holds the last steps to the recording.
FREE_STEPS = {"multiscale_kp_discriminator": 4}
# For the state after a step, absolute. Adam moves every parameter by 2e-4 a step. A gradient that
# is nothing but rounding, 1e-14 beside Adam's epsilon of 1e-8, moves its parameter by some 1e-9.
STATE_TOLERANCE = {0: 1e-7, 3: 3e-6}
GRADIENT_TOLERANCE = 1e-8  # of the first step in float64, relative to the largest element
