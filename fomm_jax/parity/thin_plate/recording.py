"""Recordings of the original of the thin-plate spline model."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from fomm_jax.models.thin_plate.dense_motion import Dropout
from fomm_jax.models.thin_plate.model import StepDraws
from fomm_jax.ops.thin_plate_splines import EuclideanTransform
from fomm_jax.parity.recordings import BATCH, DType, Recording


@dataclasses.dataclass(frozen=True)
class ThinPlateRecording(Recording):
    """The recording of a thin-plate spline model; see `Recording`.

    Its training steps also have the names of the transformations that dropout left out, and its
    runs have epochs. Large arrays are recorded by their norm and some samples.
    """

    RESUMED_FROM: ClassVar[int] = 6

    def perturbation(self, step_name: str, dtype: DType) -> StepDraws:
        """Return what a step, such as `float64/step_0`, drew at random."""
        epoch, settings = self.epoch(step_name.split("/")[0]), self.config.train.thin_plate
        maps = self.config.model.thin_plate.num_tps + 1
        kept = self.arrays.get(f"{step_name}/dropout/drop", np.ones((BATCH, maps)))
        theta = self.array(f"{step_name}/transform/theta")
        control_params = self.array(f"{step_name}/transform/control_params")[:, 0]
        return StepDraws(
            transform=EuclideanTransform(
                theta=jnp.asarray(theta, dtype), control_params=jnp.asarray(control_params, dtype)
            ),
            dropout=Dropout(
                kept=jnp.asarray(kept, dtype),
                active=jnp.full(BATCH, epoch < settings.dropout_epoch),
            ),
            background_begun=jnp.full(BATCH, epoch >= settings.bg_start),
        )
