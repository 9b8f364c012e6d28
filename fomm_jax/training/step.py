"""One step of training, as a pure function of state, batch and random key."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.models.networks import Networks, abstract_networks
from fomm_jax.models.vgg import VggWeights
from fomm_jax.ops.convolution import CONVOLVED
from fomm_jax.ops.thin_plate import ThinPlateTransform, sample_transform
from fomm_jax.training import losses
from fomm_jax.training.augmentation import augment
from fomm_jax.types import Batch, GeneratorOutput, Keypoints
from fomm_jax.weights.train_state import (
    Optimizers,
    TrainState,
    averaged,
    merge_networks,
    split_networks,
)

Losses = dict[str, jax.Array]  # weighted terms by name, each ()
Scalars = dict[str, jax.Array]  # the losses and DIAGNOSTICS
# The norm of all gradients together, and how far apart the keypoints are (absent if there is one).
DIAGNOSTICS = ("gradient_norm", "keypoint_spread")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StepOutputs:
    """What the networks made of the batch, for pictures of the training."""

    source: jax.Array  # (b, h, w, c) in [0, 1], augmented
    driving: jax.Array  # (b, h, w, c) in [0, 1], augmented
    transformed: jax.Array | None  # (b, h, w, c) the driving frame under the thin-plate transform
    source_keypoints: Keypoints
    driving_keypoints: Keypoints
    transformed_keypoints: Keypoints | None  # None where no equivariance loss asks for them
    generated: GeneratorOutput


TrainStep = Callable[
    [TrainState, Batch, jax.Array, VggWeights], tuple[TrainState, Scalars, StepOutputs]
]
Seen = tuple[jax.Array, jax.Array, ThinPlateTransform]  # source, driving, transform
# (params, statistics, vgg, seen) -> (statistics, (gradients by network, losses), outputs)
GradientsOf = Callable[
    [dict[str, nnx.State], dict[str, nnx.State], VggWeights, Seen],
    tuple[dict[str, nnx.State], tuple[dict[str, nnx.State], Losses], StepOutputs],
]
Carry = tuple[dict[str, nnx.State], tuple[dict[str, nnx.State], Losses]]
Update = Callable[
    [TrainState, jax.Array, jax.Array, ThinPlateTransform, VggWeights],
    tuple[TrainState, Scalars, StepOutputs],
]


def make_train_step(config: Config, optimizers: Optimizers) -> TrainStep:
    """The step from uint8 pairs: augmentation and transform are drawn from the key, then `update`.

    The key is that of the whole run; the state's step is folded into it.
    """
    update = make_update(config, optimizers)

    def train_step(
        state: TrainState, batch: Batch, key: jax.Array, vgg: VggWeights
    ) -> tuple[TrainState, Scalars, StepOutputs]:
        augment_key, transform_key = jax.random.split(jax.random.fold_in(key, state.step))
        source, driving = augment(augment_key, batch, config.dataset.augmentation)
        transform = sample_transform(
            transform_key,
            len(driving),
            driving.dtype,
            **dataclasses.asdict(config.train.transform),
        )
        return update(state, source, driving, transform, vgg)

    return train_step


def make_update(config: Config, optimizers: Optimizers) -> Update:
    """The deterministic part of the step: generator and keypoint detector, then discriminator.

    The discriminator's update sees the frame generated before the generator's own, detached. With
    `config.train.accumulate` the batch is taken in parts, one after another; batch normalisation
    then sees a part at a time.
    """
    gradients_of = make_gradients(config)
    accumulate = config.train.accumulate

    def update(
        state: TrainState,
        source: jax.Array,
        driving: jax.Array,
        transform: ThinPlateTransform,
        vgg: VggWeights,
    ) -> tuple[TrainState, Scalars, StepOutputs]:
        params = dict(state.params)
        seen = source, driving, transform
        if accumulate == 1:
            statistics, (gradients, terms), outputs = gradients_of(
                params, state.statistics, vgg, seen
            )
        else:

            def one_part(carry: Carry, part: Seen) -> tuple[Carry, StepOutputs]:
                statistics, sums = carry
                statistics, added, outputs = gradients_of(params, statistics, vgg, part)
                return (statistics, jax.tree.map(jnp.add, sums, added)), outputs

            parts = jax.tree.map(lambda array: _split(array, accumulate), seen)
            shapes = jax.eval_shape(
                gradients_of, params, state.statistics, vgg, jax.tree.map(lambda a: a[0], parts)
            )[1]
            zeros = jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), shapes)
            (statistics, sums), outputs = jax.lax.scan(one_part, (state.statistics, zeros), parts)
            gradients, terms = jax.tree.map(lambda array: array / accumulate, sums)
            outputs = jax.tree.map(_join, outputs)

        optimizer_states = dict(state.optimizers)
        for name, gradient in gradients.items():
            # Optax raises floats to integer powers, which strict promotion (our tests') refuses.
            with jax.numpy_dtype_promotion("standard"), jax.named_scope("optimizer"):
                updates, optimizer_states[name] = optimizers[name].update(
                    gradient, optimizer_states[name]
                )
            params[name] = optax.apply_updates(params[name], updates)
        averages = state.averages
        if averages is not None:
            averages = averaged(averages, params, state.step, config.train.ema_decay)
        new_state = TrainState(state.step + 1, params, statistics, optimizer_states, averages)
        scalars = terms | {"gradient_norm": optax.tree.norm(gradients)}
        if config.model.num_kp > 1:
            scalars["keypoint_spread"] = keypoint_spread(outputs.driving_keypoints)
        return new_state, scalars, outputs

    return update


def keypoint_spread(keypoints: Keypoints) -> jax.Array:
    """Standard deviation of a frame's keypoints in x and y together, as a share of its side.

    It is the mean over the frames: () from 0, all in one place, to 0.5, in opposite corners.
    """
    variance = jnp.mean(jnp.var(keypoints.value, axis=1), axis=-1)
    return jnp.mean(jnp.sqrt(variance)) / 2


def _split(array: jax.Array, parts: int) -> jax.Array:
    """(b, …) to (parts, b / parts, …); each part has an equal share of every device's pairs."""
    return jnp.swapaxes(array.reshape(-1, parts, *array.shape[1:]), 0, 1)


def _join(array: jax.Array) -> jax.Array:
    """What `_split` has split."""
    return jnp.swapaxes(array, 0, 1).reshape(-1, *array.shape[2:])


def make_gradients(config: Config) -> GradientsOf:
    """The gradients of all networks on some pairs, at parameters that stay as they are."""
    definition = nnx.graphdef(abstract_networks(config))
    weights = config.train.loss_weights
    # What lies between the convolutions takes much memory and little time.
    keep_convolved = jax.checkpoint_policies.save_only_these_names(CONVOLVED)
    adversarial = weights.generator_gan != 0

    def gradients_of(
        params: dict[str, nnx.State], statistics: dict[str, nnx.State], vgg: VggWeights, seen: Seen
    ) -> tuple[dict[str, nnx.State], tuple[dict[str, nnx.State], Losses], StepOutputs]:
        source, driving, transform = seen

        def generator_objective(
            trained: dict[str, nnx.State],
        ) -> tuple[jax.Array, tuple[Losses, StepOutputs, dict[str, nnx.State]]]:
            networks = merge_networks(definition, params | trained, statistics)
            terms, outputs = generator_losses(config, networks, vgg, source, driving, transform)
            _, updated = split_networks(networks)
            return jnp.sum(jnp.stack(list(terms.values()))), (terms, outputs, updated)

        objective = (
            jax.checkpoint(generator_objective, policy=keep_convolved)
            if config.train.remat
            else generator_objective
        )
        trained = {name: params[name] for name in ("kp_detector", "generator")}
        gradients, (terms, outputs, updated) = jax.grad(objective, has_aux=True)(trained)

        if adversarial:

            def discriminator_objective(
                trained: nnx.State,
            ) -> tuple[jax.Array, dict[str, nnx.State]]:
                networks = merge_networks(definition, params | {"discriminator": trained}, updated)
                loss = discriminator_loss(config, networks, outputs)
                return loss, split_networks(networks)[1]

            (loss, updated), gradients["discriminator"] = jax.value_and_grad(
                discriminator_objective, has_aux=True
            )(params["discriminator"])
            terms = terms | {"disc_gan": loss}
        return updated, (gradients, terms), outputs

    return gradients_of


def generator_losses(
    config: Config,
    networks: Networks,
    vgg: VggWeights,
    source: jax.Array,
    driving: jax.Array,
    transform: ThinPlateTransform,
) -> tuple[Losses, StepOutputs]:
    """The weighted terms that train generator and keypoint detector.

    Args:
      config: the run's.
      networks: in training; their statistics are updated, the keypoint detector's three times.
      vgg: weights of the perceptual network.
      source, driving: (b, h, w, c) in [0, 1].
      transform: of the driving frame.
    """
    weights = config.train.loss_weights
    source_keypoints = networks.kp_detector(source, train=True)
    driving_keypoints = networks.kp_detector(driving, train=True)
    generated = networks.generator(source, source_keypoints, driving_keypoints, train=True)

    terms: Losses = {}
    if any(weights.perceptual):
        terms["perceptual"] = losses.perceptual(
            vgg,
            generated.prediction,
            driving,
            config.train.scales,
            weights.perceptual,
            # Float64 in parity with recordings, which "float32" must not take down.
            jnp.bfloat16 if config.model.compute_dtype == "bfloat16" else None,
        )
    if weights.generator_gan:
        seen = jax.lax.stop_gradient(driving_keypoints)
        judged = networks.discriminator(generated.prediction, seen, train=True)
        judged_real = networks.discriminator(driving, seen, train=True)
        terms["gen_gan"] = losses.generator_gan(judged, weights.generator_gan)
        if any(weights.feature_matching):
            terms["feature_matching"] = losses.feature_matching(
                judged, judged_real, weights.feature_matching
            )

    transformed = transformed_keypoints = None
    if weights.equivariance_value or weights.equivariance_jacobian:
        transformed = transform.warp_frame(driving, align_corners=config.compat.align_corners)
        transformed_keypoints = networks.kp_detector(transformed, train=True)
        if weights.equivariance_value:
            terms["equivariance_value"] = losses.equivariance_value(
                driving_keypoints, transformed_keypoints, transform, weights.equivariance_value
            )
        if weights.equivariance_jacobian:
            terms["equivariance_jacobian"] = losses.equivariance_jacobian(
                driving_keypoints, transformed_keypoints, transform, weights.equivariance_jacobian
            )
    outputs = StepOutputs(
        source,
        driving,
        transformed,
        source_keypoints,
        driving_keypoints,
        transformed_keypoints,
        generated,
    )
    return terms, outputs


def discriminator_loss(config: Config, networks: Networks, outputs: StepOutputs) -> jax.Array:
    """The discriminator's weighted term on what the generator's step put out, detached."""
    prediction, driving, keypoints = jax.lax.stop_gradient(
        (outputs.generated.prediction, outputs.driving, outputs.driving_keypoints)
    )
    judged = networks.discriminator(prediction, keypoints, train=True)
    judged_real = networks.discriminator(driving, keypoints, train=True)
    return losses.discriminator_gan(
        judged, judged_real, config.train.loss_weights.discriminator_gan
    )
