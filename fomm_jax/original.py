"""The original's networks, imported from a clone of its repository.

https://github.com/AliaksandrSiarohin/first-order-model (PyTorch). It asks torchvision for VGG19;
here it gets one of the same layers with random weights.
"""

import dataclasses
import importlib
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fomm_jax.config import Config
from fomm_jax.errors import InputError
from fomm_jax.perceptual_weights import BLOCK_DEPTHS, BLOCK_WIDTHS

try:
    import torch
except ImportError:
    raise InputError("the original needs torch: `pip install fomm_jax[torch]`") from None


class OriginalNetworks(NamedTuple):
    """PyTorch's modules on the CPU."""

    kp_detector: Any
    generator: Any
    discriminator: Any


def is_clone(path: Path) -> bool:
    """Whether a folder is a clone of the original."""
    return (path / "modules" / "model.py").is_file()


def import_module(path: Path, name: str) -> types.ModuleType:
    """A module of the original's, such as `model`, from a clone.

    Raises:
      InputError: `path` is no clone of the original.
    """
    if not is_clone(path):
        raise InputError(f"{path}: has no modules/model.py; expected a clone of first-order-model")
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))
    sys.modules.setdefault("torchvision", _torchvision())
    return importlib.import_module(f"modules.{name}")


def make_networks(path: Path, config: Config) -> OriginalNetworks:
    """The original's networks of a configuration, with random weights.

    Raises:
      InputError: `path` is no clone of the original.
    """
    # Our field names are the original's.
    model = dataclasses.asdict(config.model)
    generator_settings = model["generator"]
    generator_settings["dense_motion_params"] = generator_settings.pop("dense_motion")
    # It names the parts of the discriminator by how YAML writes the scales: 1, not 1.0.
    scales = [
        int(scale) if scale == int(scale) else scale for scale in model["discriminator"]["scales"]
    ]
    model["discriminator"]["scales"] = scales
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
        )


def load_weights(networks: OriginalNetworks, checkpoint: Mapping[str, Any]) -> None:
    """Put a checkpoint's tensors, as numpy arrays, into the networks that it has."""
    for name, network in networks._asdict().items():
        if name in checkpoint:
            network.load_state_dict(
                {key: torch.from_numpy(np.array(array)) for key, array in checkpoint[name].items()}
            )


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of code that was written for an older torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def to_tensor(frames: Any) -> torch.Tensor:
    """(b, h, w, c) uint8 to (b, c, h, w) in [0, 1]."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous().float() / 255


def _torchvision() -> types.ModuleType:
    """A module with the one function of torchvision's that the original calls."""

    def vgg19(**_pretrained: bool) -> types.SimpleNamespace:
        layers: list[torch.nn.Module] = []
        channels = 3
        # The last block is whole here, since the original cuts it itself.
        for width, depth in zip(BLOCK_WIDTHS, (*BLOCK_DEPTHS["vgg19"][:-1], 4), strict=True):
            for _ in range(depth):
                layers += [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU()]
                channels = width
            layers.append(torch.nn.MaxPool2d(2))
        return types.SimpleNamespace(features=torch.nn.Sequential(*layers))

    module = types.ModuleType("torchvision")
    module.models = types.SimpleNamespace(vgg19=vgg19)  # type: ignore[attr-defined]
    return module
