"""The motion model that a configuration asks for. A new model is one line in `model_class`."""

from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.models.first_order.model import FirstOrderModel
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.models.random_parameters import abstract_source
from fomm_jax.models.thin_plate.model import ThinPlateModel
from fomm_jax.ops.convolution import ANY_DEVICE, Convolutions


def model_class(config: Config) -> type[MotionModel]:
    """Return the class of the model."""
    return {"first-order": FirstOrderModel, "thin-plate": ThinPlateModel}[config.model.name]


def build_model(
    config: Config,
    convolutions: Convolutions = ANY_DEVICE,
    *,
    batch_norm_groups: int = 1,
    with_discriminator: bool = True,
    rngs: nnx.Rngs,
) -> MotionModel:
    """Build the model with random parameters.

    Args:
      config: the configuration of the run.
      convolutions: the forms of convolution that suit the devices.
      batch_norm_groups: the number of equal parts of a batch that are normalised apart.
      with_discriminator: False for an animation, which needs none.
      rngs: the source of random parameters.
    """
    return model_class(config)(
        config,
        convolutions,
        batch_norm_groups=batch_norm_groups,
        with_discriminator=with_discriminator,
        rngs=rngs,
    )


def abstract_model(
    config: Config,
    convolutions: Convolutions = ANY_DEVICE,
    *,
    batch_norm_groups: int = 1,
    with_discriminator: bool = True,
) -> MotionModel:
    """Build the model with shapes and dtypes in place of values."""
    return nnx.eval_shape(
        lambda: build_model(
            config,
            convolutions,
            batch_norm_groups=batch_norm_groups,
            with_discriminator=with_discriminator,
            rngs=abstract_source(),
        )
    )
