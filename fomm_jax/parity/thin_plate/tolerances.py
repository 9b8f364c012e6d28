"""How far our thin-plate spline model may be from its original, and why no closer.

The README beside the recordings tells how far the original is from itself.
"""

import dataclasses

from fomm_jax.parity.bounds import Bound, TrainingBounds

FLOAT64 = 1e-9  # of evaluation in float64, relative to the largest value
# Of evaluation in float32, relative to the largest value: twice what the original in float32 is
# from itself in float64. Random weights give a jagged deformation, which magnifies rounding.
FLOAT32 = {
    "kp_source": 2e-5,
    "kp_driving": 2e-5,
    "avd": 2e-5,
    "bg_param": 2e-5,
    "tps": 6e-4,
    "transformations": 6e-4,
    "deformation": 6e-4,
    "prediction": 7e-4,
    "deformed": 1.2e-3,
    "deformed_source": 1.2e-3,
    "warped_encoder_maps": 1.2e-3,
}
OTHERS_FLOAT32 = 4e-4
# Of a film in float32. In a few pixels, keypoints that are off by 1e-5 move such a deformation by
# more: our keypoints are twice as far from those in float64 as the original's, as its sums are in
# another order.
FLOAT32_FILM = Bound(2e-3, is_relative=True, percentile=99.9)
# At full size a few pixels lie on edges of the deformation, where it is a matter of rounding which
# side they show.
FULL_SIZE = 256  # pixels a side
PICTURES = ("prediction", "deformed", "deformed_source")
FULL_SIZE_PICTURE = Bound(1e-3, is_relative=True, percentile=99.9)


def bound_in_float32(name: str) -> Bound:
    """Return how far an output of the networks in float32 may be."""
    return Bound(FLOAT32.get(name.split("/")[0], OTHERS_FLOAT32), is_relative=True)


def bound_at_full_size(name: str) -> Bound:
    """Return how far an output of networks at full size, in float32, may be."""
    return FULL_SIZE_PICTURE if name in PICTURES else bound_in_float32(name)


_STATE = Bound(2e-7, is_relative=True)  # whole arrays are recorded in float32
TRAINING = TrainingBounds(
    single_losses=1e-4,
    single_prediction=Bound(FLOAT32["prediction"], is_relative=True),
    # They grow as the original's own would, if the last digits of its weights were others.
    losses=(1e-10, 1e-9, 1e-7, 1e-7, 1e-6, 1e-6),
    resumed_losses=(1e-10, 1e-9),
    state={
        "float64/step_0": _STATE,
        "float64/step_3": _STATE,
        "resumed_float64/step_1": _STATE,
    },
    gradients=1e-8,
)
AVD_TRAINING = dataclasses.replace(
    TRAINING,
    losses=(1e-12, 1e-11, 1e-11),
    state={"avd_float64/step_0": _STATE, "avd_float64/step_2": _STATE},
)
