"""The original of the first-order model, imported from a clone of its repository.

The repository is https://github.com/AliaksandrSiarohin/first-order-model (PyTorch).
"""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.parity.bounds import Bound
from fomm_jax.parity.clones import as_in_yaml, check_clone, import_module, quiet
from fomm_jax.parity.tolerances import FULL_SIZE_TOLERANCE, KEYPOINT_TOLERANCE
from fomm_jax.parity.torch_networks import to_tensor, torch

# The values of `compat.align_corners` that the comparison runs with: torch's version decides which
# one the original has.
ALIGN_CORNERS = (False, True)


class OriginalNetworks(NamedTuple):
    """The original's networks as PyTorch modules on the CPU."""

    kp_detector: Any
    generator: Any
    discriminator: Any
    pyramid: Any  # shrinks a picture to the scales of the discriminator and the losses


def make_networks(path: Path, config: Config) -> OriginalNetworks:
    """Make the original's networks for a configuration, with random weights.

    Args:
      path: the folder of a clone of the original.
      config: the architecture.

    Raises:
      InputError: `path` is not a clone of the original.
    """
    check_clone(path, config)
    # The fields of our configuration have the names of the original's arguments.
    model = dataclasses.asdict(config.model)
    generator_settings = model["generator"]
    generator_settings["dense_motion_params"] = generator_settings.pop("dense_motion")
    # The original names the discriminators by their scales as YAML writes them: 1, not 1.0.
    model["discriminator"]["scales"] = as_in_yaml(config.model.discriminator.scales)
    common = {name: model[name] for name in ("num_kp", "num_channels", "estimate_jacobian")}
    with quiet():
        return OriginalNetworks(
            import_module(path, "keypoint_detector").KPDetector(**model["kp_detector"], **common),
            import_module(path, "generator").OcclusionAwareGenerator(
                **generator_settings, **common
            ),
            import_module(path, "discriminator").MultiScaleDiscriminator(
                **model["discriminator"], **common
            ),
            import_module(path, "model").ImagePyramide(
                as_in_yaml(config.train.scales), config.model.num_channels
            ),
        )


def load_weights(networks: OriginalNetworks, checkpoint: Mapping[str, Any]) -> None:
    """Load the weights of a checkpoint into the networks that it contains.

    Args:
      networks: the networks; those that the checkpoint lacks stay as they are.
      checkpoint: the original's state dict of each network, as numpy arrays.

    Raises:
      InputError: the tensors do not fit a network.
    """
    for name, network in networks._asdict().items():
        if name in checkpoint:
            load_tensors(network, name, checkpoint[name])


def load_tensors(network: Any, name: str, tensors: Mapping[str, np.ndarray]) -> None:
    """Load the tensors of a state dict into a network of the original.

    Raises:
      InputError: they do not fit; the message names the network.
    """
    state = {
        key.removeprefix("module."): torch.from_numpy(np.array(array))
        for key, array in tensors.items()
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{name}: does not fit the original's ({reason})") from error


def evaluate(
    networks: OriginalNetworks, source: np.ndarray, driving: np.ndarray, align_corners: bool
) -> dict[str, np.ndarray]:
    """Run all networks in evaluation mode.

    Args:
      networks: the original's networks.
      source: the source pictures, (b, h, w, c) uint8.
      driving: the driving frames, (b, h, w, c) uint8.
      align_corners: the argument of all calls of `grid_sample`. The original does not set it, so
        that the version of torch would decide.

    Returns:
      The outputs by the names of the recordings, in PyTorch's order of axes.
    """
    kp_detector, generator = networks.kp_detector.eval(), networks.generator.eval()
    motion: dict[str, Any] = {}
    hook = generator.dense_motion_network.register_forward_hook(
        lambda module, inputs, outputs: motion.update(outputs)
    )
    sample = functools.partial(torch.nn.functional.grid_sample, align_corners=align_corners)
    patched = mock.patch.object(torch.nn.functional, "grid_sample", sample)
    with torch.no_grad(), quiet(), patched:
        picture, frame = to_tensor(source), to_tensor(driving)
        keypoints = {"kp_source": kp_detector(picture), "kp_driving": kp_detector(frame)}
        generated = generator(picture, **keypoints)
        pyramid = networks.pyramid(frame)
        discriminated = networks.discriminator.eval()(pyramid, kp=keypoints["kp_driving"])
    hook.remove()
    tensors = {
        f"{which}/{name}": tensor
        for which, parts in keypoints.items()
        for name, tensor in parts.items()
    }
    tensors |= motion | generated
    tensors |= {f"pyramid/{name}": level for name, level in pyramid.items()}
    for name, output in discriminated.items():
        if name.startswith("feature_maps"):
            tensors |= {f"discriminator/{name}/{i}": level for i, level in enumerate(output)}
        else:
            tensors[f"discriminator/{name}"] = output
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def bound(name: str) -> Bound:
    """Return how far an output may be from the original's."""
    if name in ("kp_source/value", "kp_driving/value"):
        return Bound(KEYPOINT_TOLERANCE)
    # The discriminator's feature maps may have values of any size.
    return Bound(FULL_SIZE_TOLERANCE, is_relative=name.startswith("discriminator/"))
