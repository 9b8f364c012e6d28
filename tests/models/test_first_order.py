"""The transfer of keypoints from driving frames to a source, against hand calculation."""

import jax.numpy as jnp
import numpy as np

from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.models.first_order.keypoints import Keypoints
from fomm_jax.models.first_order.model import FirstOrderModel

RANDOM = np.random.default_rng(0)


def normalization(relative):
    return NormalizationConfig(use_relative_movement=relative, use_relative_jacobian=relative)


def draw_keypoints(batch, count=5):
    return Keypoints(
        jnp.asarray(RANDOM.uniform(-1, 1, (batch, count, 2))),
        jnp.asarray(np.eye(2) + RANDOM.normal(0, 0.2, (batch, count, 2, 2))),
    )


def test_relative_keypoints_move_the_source_by_what_the_driving_ones_moved(x64):
    source, driving, initial = draw_keypoints(1), draw_keypoints(3), draw_keypoints(1)
    transferred = FirstOrderModel.transfer(
        source, driving, initial, jnp.asarray(2.0), normalization(True)
    )
    value = np.asarray(source.value) + 2 * (np.asarray(driving.value) - np.asarray(initial.value))
    np.testing.assert_allclose(transferred.value, value, rtol=0, atol=1e-14)
    jacobian = (
        np.asarray(driving.jacobian) @ np.linalg.inv(initial.jacobian) @ np.asarray(source.jacobian)
    )
    np.testing.assert_allclose(transferred.jacobian, jacobian, rtol=0, atol=1e-12)


def test_relative_movement_may_leave_the_jacobians_alone(x64):
    source, driving, initial = draw_keypoints(1), draw_keypoints(3), draw_keypoints(1)
    config = NormalizationConfig(use_relative_movement=True, use_relative_jacobian=False)
    transferred = FirstOrderModel.transfer(source, driving, initial, jnp.asarray(1.0), config)
    np.testing.assert_array_equal(transferred.jacobian, driving.jacobian)
    zero_order = [Keypoints(keypoints.value) for keypoints in (source, driving, initial)]
    transferred = FirstOrderModel.transfer(*zero_order, jnp.asarray(1.0), normalization(True))
    assert transferred.jacobian is None


def test_the_initial_frame_leaves_the_source_as_it_is(x64):
    source, initial = draw_keypoints(1), draw_keypoints(1)
    transferred = FirstOrderModel.transfer(
        source, initial, initial, jnp.asarray(3.0), normalization(True)
    )
    np.testing.assert_allclose(transferred.value, source.value, rtol=0, atol=1e-14)
    np.testing.assert_allclose(transferred.jacobian, source.jacobian, rtol=0, atol=1e-12)


def test_absolute_keypoints_are_the_driving_ones():
    driving = draw_keypoints(3)
    transferred = FirstOrderModel.transfer(
        draw_keypoints(1), driving, draw_keypoints(1), jnp.asarray(3.0), normalization(False)
    )
    assert transferred is driving
