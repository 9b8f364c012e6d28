"""Recordings of the original of the thin-plate spline model."""

import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from fomm_jax.config.avd_stage import avd_stage
from fomm_jax.config.original_yaml import read_original_yaml
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.schema import Config
from fomm_jax.models.thin_plate.dense_motion import Dropout
from fomm_jax.models.thin_plate.model import StepDraws
from fomm_jax.ops.thin_plate_splines import EuclideanTransform
from fomm_jax.parity.recordings import BATCH, DType, Recording, as_floats, to_nhwc

AVD_BATCH = 8  # pairs in each step of the stage `avd`


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


@dataclasses.dataclass(frozen=True)
class AvdRecording(Recording):
    """What was recorded of the stage `avd`, for the model of a `ThinPlateRecording`.

    Its runs are named like `avd_float64`. The recorded pairs are those of two steps; further steps
    begin with them again.
    """

    @functools.cached_property
    def config(self) -> Config:
        """The configuration of the stage, with the detector as in the original."""
        model = from_config_dict(read_original_yaml(str(self.folder / "config.yaml")))
        stage = avd_stage(model, finished_model="")
        compat = dataclasses.replace(stage.compat, avd_batch_statistics=True)
        return dataclasses.replace(stage, compat=compat)

    def pairs_of(self, step_name: str, dtype: DType) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of a step by its name, such as `avd_float64/step_0`."""
        sources, drivings = (self.array(f"inputs/{name}") for name in ("source", "driving"))
        number = int(step_name.partition("/step_")[2]) % (len(sources) // AVD_BATCH)
        rows = slice(AVD_BATCH * number, AVD_BATCH * (number + 1))
        return as_floats(to_nhwc(sources[rows]), dtype), as_floats(to_nhwc(drivings[rows]), dtype)

    def perturbation(self, step_name: str, dtype: DType) -> jax.Array:
        """Return the factors by which the driving points were scaled."""
        return jnp.asarray(self.array(f"{step_name}/scale"), dtype)
