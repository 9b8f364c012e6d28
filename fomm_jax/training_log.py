"""What training tells as it goes: a progress bar, scalars as event files, pictures."""

import os
import pathlib
from types import TracebackType
from typing import Self

import jax
import numpy as np
from tqdm import tqdm

from fomm_jax.config import VisualizeConfig
from fomm_jax.metric_writer import MetricWriter
from fomm_jax.picture_io import write_picture
from fomm_jax.train_step import StepOutputs
from fomm_jax.visualize import draw_grid

PICTURES_FOLDER = "pictures"  # inside a workdir


class TrainingLog:
    """The log of a run from `first_step` to `last_step`; a context manager.

    Of several processes the first one writes it, and the others are silent.

    Args:
      workdir: takes the event file, and PNGs in its folder `pictures`.
      first_step: what an earlier run wrote of it and later steps is told to be void.
      last_step: for the time left.
      batch_size: for pairs a second.
      visualize: how pictures are drawn.
    """

    def __init__(
        self,
        workdir: str | os.PathLike[str],
        *,
        first_step: int,
        last_step: int,
        batch_size: int,
        visualize: VisualizeConfig,
    ):
        self._pictures = pathlib.Path(workdir) / PICTURES_FOLDER
        self._batch_size = batch_size
        self._visualize = visualize
        self._recent: list[dict[str, float]] = []
        is_first = jax.process_index() == 0
        self._writer = MetricWriter(workdir, first_step=first_step) if is_first else None
        self._bar = tqdm(
            total=last_step,
            initial=first_step - 1,
            unit="step",
            desc="train",
            disable=not is_first,
        )

    def __enter__(self) -> Self:
        """The log itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close bar and event file."""
        self._bar.close()
        if self._writer is not None:
            self._writer.close()

    def add(self, scalars: dict[str, float]) -> None:
        """Count a step and show its scalars beside the bar."""
        self._recent.append(scalars)
        shown = {name: f"{value:.3g}" for name, value in scalars.items()}
        shown["pairs/s"] = f"{self._pairs_per_second():.1f}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def write_scalars(self, step: int) -> None:
        """Write the scalars' means over the steps since the last call."""
        means = {
            name: float(np.mean([scalars[name] for scalars in self._recent]))
            for name in self._recent[0]
        }
        if self._writer is not None:
            self._writer.scalars(step, means | {"pairs_per_second": self._pairs_per_second()})
        self._recent.clear()

    def write_picture(self, step: int, outputs: StepOutputs) -> None:
        """Draw the pairs that lie on this process's first device."""
        if self._writer is None:
            return
        local = jax.device_get(jax.tree.map(lambda array: array.addressable_data(0), outputs))
        transformed = None
        if local.transformed is not None:
            transformed = (local.transformed, local.transformed_keypoints)
        picture = draw_grid(
            self._visualize,
            local.source,
            local.driving,
            local.source_keypoints,
            local.driving_keypoints,
            local.generated,
            transformed=transformed,
        )
        self._writer.picture(step, "training", picture)
        write_picture(self._pictures / f"{step:08d}.png", picture)

    def _pairs_per_second(self) -> float:
        return (self._bar.format_dict["rate"] or 0.0) * self._batch_size
