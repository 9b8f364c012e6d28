"""The original's networks, imported from a clone of its repository.

The repository is https://github.com/AliaksandrSiarohin/first-order-model (PyTorch). Its code takes
VGG19 from torchvision; here it gets a network of the same layers with random weights.
"""

import dataclasses
import functools
import importlib
import sys
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from fomm_jax.config.constants import BLOCK_DEPTHS, BLOCK_WIDTHS
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError

try:
    import torch
except ImportError:
    raise InputError("the original needs torch: `pip install fomm_jax[torch]`") from None


class OriginalNetworks(NamedTuple):
    """The original's networks as PyTorch modules on the CPU."""

    kp_detector: Any
    generator: Any
    discriminator: Any
    pyramid: Any  # shrinks a picture to the scales of the discriminator and the losses


def import_module(path: Path, name: str) -> types.ModuleType:
    """Import a module of the original, such as `model`, from a clone.

    Args:
      path: the folder of the clone.
      name: the name of the module in the original's package `modules`.

    Raises:
      InputError: `path` is not a clone of the original.
    """
    if not (path / "modules" / "model.py").is_file():
        raise InputError(f"{path} has no modules/model.py; expected a clone of first-order-model")
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))
    sys.modules.setdefault("torchvision", _torchvision())
    return importlib.import_module(f"modules.{name}")


def make_networks(path: Path, config: Config) -> OriginalNetworks:
    """Make the original's networks for a configuration, with random weights.

    Args:
      path: the folder of a clone of the original.
      config: the architecture.

    Raises:
      InputError: `path` is not a clone of the original.
    """
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
            tensors = {
                key.removeprefix("module."): torch.from_numpy(np.array(array))
                for key, array in checkpoint[name].items()
            }
            try:
                network.load_state_dict(tensors)
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


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings about code that was written for an older torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def to_tensor(frames: Any) -> torch.Tensor:
    """Convert pictures (b, h, w, c) uint8 to (b, c, h, w) in [0, 1]."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous().float() / 255


def as_in_yaml(scales: Sequence[float]) -> list[float]:
    """Convert whole numbers to integers, as a YAML file has them."""
    return [int(scale) if scale == int(scale) else scale for scale in scales]


def _torchvision() -> types.ModuleType:
    """Make a module with the only function of torchvision that the original calls."""

    def vgg19(**_pretrained: bool) -> types.SimpleNamespace:
        layers: list[torch.nn.Module] = []
        channels = 3
        # Build the whole network: the original itself cuts off the layers after relu5_1.
        for width, depth in zip(BLOCK_WIDTHS, BLOCK_DEPTHS["vgg19"], strict=True):
            for _ in range(depth):
                layers += [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU()]
                channels = width
            layers.append(torch.nn.MaxPool2d(2))
        return types.SimpleNamespace(features=torch.nn.Sequential(*layers))

    module = types.ModuleType("torchvision")
    module.models = types.SimpleNamespace(vgg19=vgg19)  # type: ignore[attr-defined]
    return module
