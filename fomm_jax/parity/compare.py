"""The mode `compare`: ours beside recordings of the original, or beside the original itself."""

import pathlib
from contextlib import AbstractContextManager

import jax
import numpy as np
from tqdm import tqdm

from fomm_jax.config.schema import Config
from fomm_jax.media.framing import fit_frame
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.video_reader import iterate_frames
from fomm_jax.parity.comparison_page import write_page
from fomm_jax.parity.findings import Comparisons, Findings
from fomm_jax.parity.recorded import compare_recording, find_recordings
from fomm_jax.parity.report import describe, format_table, write_json, write_markdown


def cpu() -> AbstractContextManager[None]:
    """On the CPU, as the original was recorded; accelerators round products, or lack float64."""
    return jax.default_device(jax.local_devices(backend="cpu")[0])


def compare_recordings(folder: pathlib.Path, checkpoint: str | None) -> Comparisons:
    """Compare with a recording, or with all in a folder, and print a table for each.

    Args:
      folder: of the recordings.
      checkpoint: file of the original's, for recordings that carry none.

    Raises:
      InputError: there is no recording, or a file is missing, damaged or of another architecture.
    """
    found: dict[str, Findings] = {}
    file = None if checkpoint is None else pathlib.Path(checkpoint)
    paths = find_recordings(folder)
    with tqdm(total=len(paths), desc="compare", unit="recording") as bar:
        for path in paths:
            bar.set_postfix_str(path.name)
            with cpu():
                findings = found[path.name] = compare_recording(path, file)
            bar.update()
            tqdm.write(f"\n{path}\n{format_table(findings.rows)}")
    return found


def compare_live(
    clone: pathlib.Path, config: Config, checkpoint: str, source: str | None, driving: str | None
) -> Comparisons:
    """Compare with the original run beside, with either value of `compat.align_corners`.

    Args:
      clone: folder of the original's repository.
      config: the architecture.
      checkpoint: file of the original's.
      source: path of a picture, or None for a drawn one.
      driving: path of a video, of which the first frame is taken, or None for a drawn one.

    Raises:
      InputError: torch is missing, or a file or the clone cannot be used.
    """
    from fomm_jax.parity.live import compare_with_original  # needs torch, an extra

    size = config.dataset.frame_shape[:2]
    drawn = _draw_pair(*size)
    pair = (
        drawn[0] if source is None else fit_frame(read_picture(source), *size),
        drawn[1] if driving is None else fit_frame(next(iterate_frames(driving)), *size),
    )
    found: dict[str, Findings] = {}
    with cpu():
        for findings in compare_with_original(clone, config, checkpoint, *pair):
            assert findings.timing is not None
            name = f"align_corners={findings.timing.align_corners}"
            found[name] = findings
            print(f"\n{name}\n{format_table(findings.rows)}\n{describe(findings.timing)}")
    return found


def write_reports(comparisons: Comparisons, folder: pathlib.Path) -> None:
    """Write `comparison.json`, `comparison.md`, `comparison.html` and films into a folder.

    Raises:
      InputError: nothing can be written there.
    """
    write_json(comparisons, folder)
    write_markdown(comparisons, folder)
    write_page(comparisons, folder)


def _draw_pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Two smooth coloured pictures (h, w, 3) uint8, the second one shifted."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    phases = np.arange(3) * 2

    def draw(shift: float) -> np.ndarray:
        waves = np.sin(9 * (x[..., None] + shift) + 7 * y[..., None] + phases)
        return (127.5 + 127.5 * waves).astype(np.uint8)

    return draw(0), draw(0.1)
