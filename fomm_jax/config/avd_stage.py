"""The stage of training in which a finished thin-plate spline model gets its AVD network."""

import dataclasses

from fomm_jax.config.schema import Config, LossWeightsConfig
from fomm_jax.config.validation import check_config

# The course of the stage, which the section `train_avd` sets.
COURSE = ("num_epochs", "num_repeats", "batch_size", "epoch_milestones", "checkpoint_freq")
NO_OTHER_LOSSES = LossWeightsConfig(
    generator_gan=0.0, perceptual=(0.0,) * 5, equivariance_value=0.0, equivariance_jacobian=0.0
)


def avd_stage(config: Config, finished_model: str) -> Config:
    """Return the configuration of the stage `avd`, whose course is that of `config.train_avd`.

    All else, such as the devices and the seed, is as in the training of the model.

    Args:
      config: the configuration of the model.
      finished_model: the checkpoint that the networks are taken from.

    Raises:
      InputError: the model has no such stage, or its fields do not fit together.
    """
    course = {name: getattr(config.train_avd, name) for name in COURSE}
    train = dataclasses.replace(
        config.train,
        stage="avd",
        init_from=finished_model,
        num_steps=0,
        checkpoint_every=0,
        loss_weights=NO_OTHER_LOSSES,
        **course,
    )
    of_stage = dataclasses.replace(config, train=train)
    check_config(of_stage)
    return of_stage
