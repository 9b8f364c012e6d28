"""Put runs of several models on the same data side by side: curves, metrics and pictures.

    python main.py --config=configs/actions_64.py --workdir=W0 --mode=reconstruct
    python main.py --config=configs/tpsmm_actions_64.py --workdir=W1 --mode=reconstruct
    python -m benchmarks.side_by_side --run=W0 --run=W1 --videos=../shared/data/actions/test \\
        --output=docs/images/actions_two_models

Markdown tables of the curve and of the test metrics go to stdout. Two pictures are written: the
curves of the perceptual loss (`…_loss.png`), and frames of test videos above each run's
reconstructions of them from the first frame (`…_frames.png`). The runs have the names of their
folders.
"""

import argparse
import collections
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fomm_jax.errors import InputError, one_line_errors
from fomm_jax.files import reading
from fomm_jax.media.pictures import read_picture, write_picture
from fomm_jax.reporting.events import read_curves

WINDOW = 250  # steps that a row of the table averages
METRICS = ("l1", "psnr", "ssim", "lpips_alexnet", "lpips_vgg16", "jitter", "jitter_real")
NUM_VIDEOS, NUM_FRAMES = 4, 8  # that the picture of frames shows
ENLARGEMENT = 2

Curve = Mapping[int, float]  # the loss by the last step of what was averaged


def average_windows(curve: Curve) -> dict[int, float]:
    """Return the mean of a curve's points in each whole window, by the window's last step."""
    windows = collections.defaultdict(list)
    for step, loss in curve.items():
        windows[-(-step // WINDOW) * WINDOW].append(loss)
    return {end: float(np.mean(window)) for end, window in windows.items() if end <= max(curve)}


def print_curves(curves: Mapping[str, Curve]) -> None:
    """Print the mean loss of each window, a column for each run."""
    windows = {name: average_windows(curve) for name, curve in curves.items()}
    print(f"| steps | {' | '.join(curves)} |\n| --- |{' --- |' * len(curves)}")
    for end in sorted({end for window in windows.values() for end in window}):
        cells = [f"{window[end]:.1f}" if end in window else "" for window in windows.values()]
        print(f"| {end - WINDOW}–{end - 1} | {' | '.join(cells)} |")


def print_metrics(runs: Sequence[Path]) -> None:
    """Print the metrics of the runs' reconstructions, a row for each run."""
    print(f"\n| run | {' | '.join(METRICS)} |\n| --- |{' --- |' * len(METRICS)}")
    for run in runs:
        path = run / "reconstruction" / "metrics.json"
        with reading(path, "expected a run that --mode=reconstruct has measured"):
            found = json.loads(path.read_text())
        cells = [f"{found[name]:.4f}" if name in found else "" for name in METRICS]
        print(f"| {run.name} | {' | '.join(cells)} |")


def plot(curves: Mapping[str, Curve], path: Path) -> None:
    """Draw the curves of the runs."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, curve in curves.items():
        axes.plot(list(curve), list(curve.values()), label=name)
    axes.set(xlabel="step", ylabel="perceptual loss")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def contact_sheet(runs: Sequence[Path], videos: Path) -> np.ndarray:
    """Return frames of test videos, and below them the reconstructions of each run.

    Raises:
      InputError: there are no videos, or no reconstructions.
    """
    paths = sorted(videos.iterdir())
    if not paths:
        raise InputError(f"--videos: {videos} is empty")
    rows = []
    for path in paths[:: max(1, len(paths) // NUM_VIDEOS)][:NUM_VIDEOS]:
        strips = [path, *(run / "reconstruction" / "png" / f"{path.stem}.png" for run in runs)]
        rows += [choose_frames(read_picture(strip)) for strip in strips]
    sheet = np.concatenate(rows)
    return sheet.repeat(ENLARGEMENT, axis=0).repeat(ENLARGEMENT, axis=1)


def choose_frames(strip: np.ndarray) -> np.ndarray:
    """Return evenly spaced frames of square frames side by side, side by side."""
    frames = np.split(strip, strip.shape[1] // len(strip), axis=1)
    chosen = np.linspace(0, len(frames) - 1, NUM_FRAMES).round().astype(int)
    return np.concatenate([frames[number] for number in chosen], axis=1)


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--run", action="append", required=True, type=Path, help="workdir; may be given repeatedly")
    add("--videos", required=True, type=Path, help="folder of the test videos: frames side by side")
    add("--output", required=True, help="beginning of the pictures' paths")
    options = parser.parse_args(arguments)
    with one_line_errors():
        curves = {run.name: read_curves(run).get("perceptual", {}) for run in options.run}
        for name, curve in curves.items():
            if not curve:
                raise InputError(f"--run: {name} has no curve of the perceptual loss")
        print_curves(curves)
        print_metrics(options.run)
        sheet = contact_sheet(options.run, options.videos)
        plot(curves, Path(f"{options.output}_loss.png"))
        write_picture(Path(f"{options.output}_frames.png"), sheet, marking=None)
    print(f"\nPictures: {options.output}_loss.png, {options.output}_frames.png")


if __name__ == "__main__":
    main()
