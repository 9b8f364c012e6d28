"""Pictures, frames and arguments that an `Animator` refuses."""

import numpy as np
import pytest
import reference

from fomm_jax.animation.animator import Animator
from fomm_jax.errors import InputError

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_first_order")


@pytest.mark.parametrize(
    ("picture", "message"),
    {
        "float": (np.zeros((32, 32, 3)), r"is float64\(32, 32, 3\); expected \(height, width, 3\)"),
        "grey": (np.zeros((32, 32), np.uint8), r"is uint8\(32, 32\); expected"),
        "transparent": (np.zeros((32, 32, 4), np.uint8), r"expected \(height, width, 3\) uint8"),
        "odd": (np.zeros((32, 30, 3), np.uint8), r"frames of 32 x 30 pixels: .* trained with \("),
    }.values(),
)  # fmt: skip
def test_pictures_of_other_forms_are_refused(animator, source, picture, message):
    with pytest.raises(InputError, match=rf"^source: .*{message}") as error:
        animator.encode(picture)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=message):
        list(animator.animate(source, [picture]))


def test_frames_of_several_sizes_are_refused(animator, source, frames):
    wide = np.zeros((32, 64, 3), np.uint8)
    with pytest.raises(InputError, match=r"^frame 4 is of size \(32, 64\); expected \(32, 32\)"):
        list(animator.animate(source, [*frames[:4], wide]))


def test_other_arguments_that_cannot_be_used(animator, model, source, frames):
    with pytest.raises(InputError, match=r"^batch_size: expected at least 1, got 0"):
        Animator(model, RECORDING.config, batch_size=0)
    wide = np.zeros((32, 64, 3), np.uint8)
    with pytest.raises(
        InputError, match=r"^frames have size \(32, 64\), the source has size \(32, 32\)"
    ):
        list(animator.compare(source, [wide]))
