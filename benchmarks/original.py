"""The original's networks from a clone of its repository, to be timed beside ours."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Step
from fomm_jax.config import Config

# torch too: where it is missing, that module says so in one line.
from fomm_jax.original import import_module, make_networks, quiet, to_tensor, torch
from fomm_jax.train_state import ADAM_BETAS
from fomm_jax.types import Batch


class Original:
    """The original's networks of a configuration, with random weights, on the CPU."""

    def __init__(self, path: Path, config: Config) -> None:
        """Import the original and make its networks.

        Raises:
          InputError: `path` is no clone of the original.
        """
        self._model = import_module(path, "model")
        self._kp_detector, self._generator, self._discriminator, _ = make_networks(path, config)
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
            batch = {"source": to_tensor(pairs.source), "driving": to_tensor(pairs.driving)}
            with quiet():
                losses, generated = generator_full(batch)
                update(losses, optimizers[:2])
                if adversarial:
                    optimizers[2].zero_grad()
                    update(discriminator_full(batch, generated), optimizers[2:])

        return step

    def animate(self, source: np.ndarray, driving: np.ndarray) -> Step:
        """Animate a source (h, w, c) by driving frames (t, h, w, c), uint8, one after another."""
        kp_detector, generator = self._kp_detector.eval(), self._generator.eval()
        picture = to_tensor(source[None])
        with torch.no_grad(), quiet():
            kp_source = kp_detector(picture)

        def step() -> None:
            with torch.no_grad(), quiet():
                for frame in driving:
                    kp_driving = kp_detector(to_tensor(frame[None]))
                    generated = generator(picture, kp_source=kp_source, kp_driving=kp_driving)
                    generated["prediction"].numpy()

        return step
