"""The original's networks from a clone of its repository, as steps that can be timed."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Step
from fomm_jax.config.schema import Config
from fomm_jax.parity.clones import as_in_yaml, import_module, quiet
from fomm_jax.parity.first_order.original import make_networks

# torch is imported through this module, which says in one line if it is not installed.
from fomm_jax.parity.torch_networks import to_tensor, torch
from fomm_jax.types import Batch
from fomm_jax.weights.train_state import ADAM_BETAS


class Original:
    """The original's networks of a configuration, with random weights."""

    def __init__(
        self, path: Path, config: Config, *, device: str = "cpu", compiled: bool = False
    ) -> None:
        """Import the original and make its networks.

        Args:
          path: a clone of the original's repository.
          config: the configuration of the networks.
          device: torch's name of the device that they run on.
          compiled: whether to compile them with `torch.compile` and run them under
            `torch.autocast`, which uses bfloat16 for the operations that torch considers safe.
            Otherwise they run as they are written, in float32.

        Raises:
          InputError: `path` is not a clone of the original.
        """
        networks = make_networks(path, config)
        self._model = import_module(path, "model")
        self._kp_detector = networks.kp_detector.to(device)
        self._generator = networks.generator.to(device)
        self._discriminator = networks.discriminator.to(device)
        self._settings = dataclasses.asdict(config.train)
        # The original finds the discriminators by their scales, as the YAML file writes them.
        self._settings["scales"] = as_in_yaml(config.train.scales)
        self._settings["transform_params"] = self._settings.pop("transform")
        self._device, self._compiled = device, compiled

    def train_step(self, pairs: Batch) -> Step:
        """Return a step of training on pairs (b, h, w, c) uint8."""
        networks = (self._kp_detector, self._generator, self._discriminator)
        generator_full, discriminator_full = (
            self._ready(full(*networks, self._settings).to(self._device))
            for full in (self._model.GeneratorFullModel, self._model.DiscriminatorFullModel)
        )
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
            batch = {"source": self._on_device(pairs.source)}
            batch["driving"] = self._on_device(pairs.driving)
            with quiet():
                with self._precision():
                    losses, generated = generator_full(batch)
                update(losses, optimizers[:2])
                if adversarial:
                    optimizers[2].zero_grad()
                    with self._precision():
                        losses = discriminator_full(batch, generated)
                    update(losses, optimizers[2:])
            if self._device != "cpu":
                torch.cuda.synchronize()

        return step

    def animate(self, source: np.ndarray, driving: np.ndarray) -> Step:
        """Return a step that animates a source (h, w, c) with all driving frames (t, h, w, c).

        Both are uint8. The source is encoded again for every frame, as in the original's own
        animation.
        """
        kp_detector = self._ready(self._kp_detector.eval())
        generator = self._ready(self._generator.eval())
        count = len(driving)
        picture = self._on_device(source[None])
        pictures = picture.expand(count, -1, -1, -1)
        with torch.no_grad(), quiet(), self._precision():
            keypoints = kp_detector(picture)
        kp_source = {
            name: values.expand(count, *values.shape[1:]) for name, values in keypoints.items()
        }

        def step() -> None:
            with torch.no_grad(), quiet(), self._precision():
                kp_driving = kp_detector(self._on_device(driving))
                generated = generator(pictures, kp_source=kp_source, kp_driving=kp_driving)
                generated["prediction"].float().cpu().numpy()

        return step

    def _ready(self, module: Any) -> Any:
        return torch.compile(module) if self._compiled else module

    def _precision(self) -> contextlib.AbstractContextManager[None]:
        device = torch.device(self._device).type
        return torch.autocast(device, torch.bfloat16, enabled=self._compiled)

    def _on_device(self, frames: Any) -> torch.Tensor:
        return to_tensor(frames).to(self._device)
