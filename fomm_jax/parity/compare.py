"""Compare this project with recordings of the original, or with the running original."""

import pathlib
from contextlib import AbstractContextManager

import jax
import numpy as np
from tqdm import tqdm

from fomm_jax.buckets import AnyPath, to_path
from fomm_jax.config.schema import Config
from fomm_jax.media.framing import fit_frame
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.parity.recorded import compare_recording
from fomm_jax.parity.recordings import find_recordings
from fomm_jax.parity.results import Comparison, Comparisons
from fomm_jax.parity.results_page import write_results_page
from fomm_jax.parity.results_text import describe_timing, format_table, write_json, write_markdown


def on_cpu() -> AbstractContextManager[None]:
    """Compute on the CPU, on which the original was recorded.

    Accelerators round products to fewer bits, or lack float64.
    """
    return jax.default_device(jax.local_devices(backend="cpu")[0])


def compare_recordings(folder: pathlib.Path, checkpoint: str | None) -> Comparisons:
    """Compare with a recording, or with all recordings in a folder; print a table for each.

    Args:
      folder: a recording, or a folder of recordings.
      checkpoint: a checkpoint file of the original, for recordings that contain none.

    Returns:
      The comparison with each recording, by the name of its folder.

    Raises:
      InputError: there is no recording, or a file is missing, damaged or of another architecture.
    """
    comparisons: dict[str, Comparison] = {}
    checkpoint_file = None if checkpoint is None else to_path(checkpoint)
    paths = find_recordings(folder)
    with tqdm(total=len(paths), desc="compare", unit="recording") as bar:
        for path in paths:
            bar.set_postfix_str(path.name)
            with on_cpu():
                comparison = compare_recording(path, checkpoint_file)
            comparisons[path.name] = comparison
            bar.update()
            tqdm.write(f"\n{path}\n{format_table(comparison.arrays)}")
    return comparisons


def compare_live(
    clone: pathlib.Path, config: Config, checkpoint: str, source: str | None, driving: str | None
) -> Comparisons:
    """Run the original beside this project, with either value of `compat.align_corners`.

    Print a table and the times for each value.

    Args:
      clone: the folder of the original's repository.
      config: the configuration, which describes the architecture.
      checkpoint: a checkpoint file of the original.
      source: the path of a picture, or None for a drawn one.
      driving: the path of a video, whose first frame is used, or None for a drawn frame.

    Returns:
      The comparison for each value, by `align_corners=False` and `align_corners=True`.

    Raises:
      InputError: torch is missing, or a file or the clone cannot be used.
    """
    from fomm_jax.parity.live import compare_with_original  # needs torch, an optional dependency

    size = config.dataset.frame_shape[:2]
    drawn_source, drawn_driving = _draw_pair(*size)
    pair = (
        drawn_source if source is None else fit_frame(read_picture(source), *size),
        drawn_driving if driving is None else fit_frame(next(iterate_frames(driving)), *size),
    )
    comparisons: dict[str, Comparison] = {}
    with on_cpu():
        for comparison in compare_with_original(clone, config, checkpoint, *pair):
            assert comparison.timing is not None
            name = f"align_corners={comparison.timing.align_corners}"
            comparisons[name] = comparison
            table = format_table(comparison.arrays)
            print(f"\n{name}\n{table}\n{describe_timing(comparison.timing)}")
    return comparisons


def write_reports(comparisons: Comparisons, folder: AnyPath) -> None:
    """Write `comparison.json`, `comparison.md`, `comparison.html` and films into a folder.

    Raises:
      InputError: a file cannot be written.
    """
    write_json(comparisons, folder)
    write_markdown(comparisons, folder)
    write_results_page(comparisons, folder)


def _draw_pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw two smooth coloured pictures (h, w, 3) uint8, the second one shifted sideways."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    phases = np.arange(3) * 2

    def draw(shift: float) -> np.ndarray:
        waves = np.sin(9 * (x[..., None] + shift) + 7 * y[..., None] + phases)
        return (127.5 + 127.5 * waves).astype(np.uint8)

    return draw(0), draw(0.1)
