"""The original's networks from a clone of its repository, to be timed beside ours.

https://github.com/AliaksandrSiarohin/first-order-model (PyTorch). Its modules are imported from the
clone. They ask torchvision for VGG19; here it gets one of the same layers with random weights.
"""

import dataclasses
import importlib
import sys
import types
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Step
from fomm_jax.config import Config
from fomm_jax.errors import InputError
from fomm_jax.perceptual_weights import BLOCK_DEPTHS, BLOCK_WIDTHS
from fomm_jax.train_state import ADAM_BETAS
from fomm_jax.types import Batch

try:
    import torch
except ImportError:
    raise InputError("--original: needs torch: `pip install fomm_jax[torch]`") from None


class Original:
    """The original's networks of a configuration, with random weights, on the CPU."""

    def __init__(self, path: Path, config: Config) -> None:
        """Import the original and make its networks.

        Raises:
          InputError: `path` is no clone of the original.
        """
        if not (path / "modules" / "model.py").is_file():
            raise InputError(f"--original: {path} has no modules/model.py; expected a clone")
        sys.path.insert(0, str(path))
        sys.modules.setdefault("torchvision", _torchvision())
        self._model = importlib.import_module("modules.model")
        detector, generator, discriminator = (
            getattr(importlib.import_module(f"modules.{module}"), name)
            for module, name in (
                ("keypoint_detector", "KPDetector"),
                ("generator", "OcclusionAwareGenerator"),
                ("discriminator", "MultiScaleDiscriminator"),
            )
        )
        # Our field names are the original's.
        model = dataclasses.asdict(config.model)
        generator_settings = model["generator"]
        generator_settings["dense_motion_params"] = generator_settings.pop("dense_motion")
        common = {name: model[name] for name in ("num_kp", "num_channels", "estimate_jacobian")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it was written for an older torch
            self._kp_detector = detector(**model["kp_detector"], **common)
            self._generator = generator(**generator_settings, **common)
            self._discriminator = discriminator(**model["discriminator"], **common)
        self._settings = dataclasses.asdict(config.train)
        self._settings["transform_params"] = self._settings.pop("transform")

    def train_step(self, pairs: Batch) -> Step:
        """A step of training on pairs (b, h, w, c) uint8."""
        networks = (self._kp_detector, self._generator, self._discriminator)
        generator_full = self._model.GeneratorFullModel(*networks, self._settings)
        discriminator_full = self._model.DiscriminatorFullModel(*networks, self._settings)
        adversarial = self._settings["loss_weights"]["generator_gan"] != 0
        optimizers = [
            torch.optim.Adam(
                network.parameters(), lr=self._settings[f"lr_{name}"], betas=ADAM_BETAS
            )
            for name, network in zip(
                ("kp_detector", "generator", "discriminator"), networks, strict=True
            )
        ]

        def update(losses: dict[str, Any], trained: Sequence[torch.optim.Optimizer]) -> None:
            sum(loss.mean() for loss in losses.values()).backward()
            for optimizer in trained:
                optimizer.step()
                optimizer.zero_grad()

        def step() -> None:
            batch = {"source": _to_tensor(pairs.source), "driving": _to_tensor(pairs.driving)}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                losses, generated = generator_full(batch)
                update(losses, optimizers[:2])
                if adversarial:
                    optimizers[2].zero_grad()
                    update(discriminator_full(batch, generated), optimizers[2:])

        return step

    def animate(self, source: np.ndarray, driving: np.ndarray) -> Step:
        """Animate a source (h, w, c) by driving frames (t, h, w, c), uint8, one after another."""
        kp_detector, generator = self._kp_detector.eval(), self._generator.eval()
        picture = _to_tensor(source[None])
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kp_source = kp_detector(picture)

        def step() -> None:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for frame in driving:
                    kp_driving = kp_detector(_to_tensor(frame[None]))
                    generated = generator(picture, kp_source=kp_source, kp_driving=kp_driving)
                    generated["prediction"].numpy()

        return step


def _to_tensor(frames: Any) -> torch.Tensor:
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
