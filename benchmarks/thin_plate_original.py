"""The original of the thin-plate spline model, as steps that can be timed.

Both steps are those of its own programs: `train.py` in the first epoch, and `demo.py` with absolute
motion.
"""

import contextlib
import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Step
from fomm_jax.config.schema import Config
from fomm_jax.parity.clones import as_in_yaml, import_module, quiet
from fomm_jax.parity.thin_plate.original import make_networks

# torch is imported through this module, which says in one line if it is not installed.
from fomm_jax.parity.torch_networks import to_tensor, torch
from fomm_jax.types import Batch
from fomm_jax.weights.train_state import ADAM_BETAS

WEIGHT_DECAY, LARGEST_GRADIENT = 1e-4, 10.0  # as `train.py` has them


class ThinPlateOriginal:
    """The original's networks of a configuration, with random weights; see `Original`."""

    def __init__(
        self, path: Path, config: Config, *, device: str = "cpu", compiled: bool = False
    ) -> None:
        """Import the original and make its networks; the arguments are those of `Original`."""
        networks = make_networks(path, config)
        self._model = import_module(path, "model")
        self._networks = {name: network.to(device) for name, network in networks.items()}
        train = dataclasses.asdict(config.train)
        self._settings = train | train["thin_plate"] | {"scales": as_in_yaml(config.train.scales)}
        self._settings["transform_params"] = train["transform"]
        self._device, self._compiled = device, compiled

    def train_step(self, pairs: Batch) -> Step:
        """Return a step of training on pairs (b, h, w, c) uint8."""
        detector, motion, inpainting = (
            self._networks[name]
            for name in ("kp_detector", "dense_motion_network", "inpainting_network")
        )
        background = self._networks.get("bg_predictor")
        if background is not None and self._settings["bg_start"] > 0:
            background = None  # not in the first epoch
        model = self._model.GeneratorFullModel(
            detector, background, motion, inpainting, self._settings
        )
        losses_of = self._ready(model.to(self._device))
        together = [
            parameter
            for network in (inpainting, motion, detector)
            for parameter in network.parameters()
        ]
        clipped = [detector, motion]
        optimizers = [self._optimizer(together)]
        if background is not None:
            clipped.append(background)
            optimizers.append(self._optimizer(background.parameters()))

        def step() -> None:
            batch = {
                "source": self._on_device(pairs.source),
                "driving": self._on_device(pairs.driving),
            }
            with quiet():
                with self._precision():
                    losses, _ = losses_of(batch, 0)
                sum(loss.mean() for loss in losses.values()).backward()
                for network in clipped:
                    torch.nn.utils.clip_grad_norm_(
                        network.parameters(), LARGEST_GRADIENT, norm_type=math.inf
                    )
                for optimizer in optimizers:
                    optimizer.step()
                    optimizer.zero_grad()
            if self._device != "cpu":
                torch.cuda.synchronize()

        return step

    def animate(self, source: np.ndarray, driving: np.ndarray) -> Step:
        """Return a step that animates a source (h, w, c) with all driving frames (t, h, w, c).

        Both are uint8. The source is encoded again for every frame, as in the original's own
        animation.
        """
        detector, motion, inpainting = (
            self._ready(self._networks[name].eval())
            for name in ("kp_detector", "dense_motion_network", "inpainting_network")
        )
        picture = self._on_device(source[None])
        pictures = picture.expand(len(driving), -1, -1, -1)
        with torch.no_grad(), quiet(), self._precision():
            points = detector(picture)["fg_kp"]
        kp_source = {"fg_kp": points.expand(len(driving), *points.shape[1:])}

        def step() -> None:
            with torch.no_grad(), quiet(), self._precision():
                kp_driving = detector(self._on_device(driving))
                moved = motion(source_image=pictures, kp_driving=kp_driving, kp_source=kp_source)
                inpainting(pictures, moved)["prediction"].float().cpu().numpy()

        return step

    def _optimizer(self, parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            parameters,
            lr=self._settings["lr_generator"],
            betas=ADAM_BETAS,
            weight_decay=WEIGHT_DECAY,
        )

    def _ready(self, module: Any) -> Any:
        return torch.compile(module) if self._compiled else module

    def _precision(self) -> contextlib.AbstractContextManager[None]:
        device = torch.device(self._device).type
        return torch.autocast(device, torch.bfloat16, enabled=self._compiled)

    def _on_device(self, frames: Any) -> torch.Tensor:
        return to_tensor(frames).to(self._device)
