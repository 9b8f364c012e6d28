"""Measure how long training waits for pairs from real clips, in a process of its own.

    python -m benchmarks.gpu.input_wait JSON

The argument is {"config": FILE, "batch": PAIRS, "steps": N, "videos": DIR or null}. The step
computes in bfloat16. The result is a line of JSON on stdout.
"""

import dataclasses
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks.command_line import config_from_file
from benchmarks.input_files import make_clips
from benchmarks.input_pipeline import for_timing, time_steps
from benchmarks.input_rates import all_cores
from fomm_jax.errors import one_line_errors
from input_pipeline.datasets.preparation import prepare_dataset
from input_pipeline.manifest import Encoding

logger = logging.getLogger(__name__)

LOADER_SECONDS = 3.0  # for which the loader alone is measured


def measure_wait(
    config_file: str, batch: int, steps: int, videos: str | None, folder: Path
) -> dict[str, Any]:
    """Cut clips, prepare them as JPEG, and train on them.

    Args:
      config_file: the file of the configuration.
      batch: pairs in a step.
      steps: steps that count.
      videos: a folder of videos to cut clips from; None draws figures.
      folder: the folder for the clips.

    Returns:
      Seconds of a step and of its wait, the pairs a second of the loader alone, and its processes.

    Raises:
      InputError: a file or the batch size cannot be used.
    """
    config, cores = config_from_file(config_file), len(os.sched_getaffinity(0))
    make_clips(Path(videos) if videos else None, folder / "clips")
    height, width = config.dataset.frame_shape[:2]
    encoding = Encoding(height, width, format="jpeg")
    root = prepare_dataset(
        "video_folder", folder / "clips", folder / "prepared", encoding, num_workers=cores
    )
    dataset = dataclasses.replace(config.dataset, root_dir=str(root), num_workers=cores)
    model = dataclasses.replace(config.model, compute_dtype="bfloat16")
    config = dataclasses.replace(config, dataset=dataset, model=model)
    # A repeat for each pair of a batch, so that the few clips fill it.
    repeats = max(config.train.num_repeats, batch)
    config = dataclasses.replace(
        config, train=dataclasses.replace(config.train, num_repeats=repeats)
    )
    rate, _ = all_cores(dataset, batch, repeats, LOADER_SECONDS)
    times = time_steps(for_timing(config, str(root), steps, batch), steps)
    return {
        "batch": batch,
        **times,
        "waiting_share": times["waiting_seconds_per_step"] / times["seconds_per_step"],
        "loader_pairs_per_second": rate.pairs_per_second,
        "loader_processes": cores,
        "videos": videos,
    }


def main() -> None:
    """Run the command that the head of this file describes."""
    argument = json.loads(sys.argv[1])
    flags.FLAGS.mark_as_parsed()  # Grain reads some of absl's flags
    with one_line_errors(), tempfile.TemporaryDirectory() as folder:
        result = measure_wait(
            argument["config"],
            argument["batch"],
            argument["steps"],
            argument["videos"],
            Path(folder),
        )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
