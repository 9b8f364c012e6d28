"""Compare loss curves of training on Actions with those that were recorded of the original.

    python -m benchmarks.reproduction --run=W0 --run=W1 --plot=docs/images/actions_64_loss.png

The event files of runs of `configs/actions_64.py` are read. A Markdown table shows the mean
perceptual loss of each run beside that of the original, for each window of 100 steps.
"""

import argparse
import pathlib

import matplotlib.pyplot as plt
import numpy as np

from fomm_jax.reporting.events import read_curves

WINDOW = 100  # steps; the runs have the same number as `train.log_every`

# The mean perceptual loss of each window, by its last step, in three runs of the original
# (PyTorch 2.13) on the same data with the same settings. The first run was stopped after 600 steps.
ORIGINAL = {
    100: (122.8, 122.9, 124.4),
    200: (99.5, 99.1, 98.6),
    300: (90.1, 87.3, 90.3),
    400: (84.8, 80.9, 84.6),
    500: (77.0, 75.1, 77.8),
    600: (75.2, 72.5, 73.5),
    700: (69.8, 71.3),
    800: (67.6, 69.5),
    900: (66.1, 66.3),
    1000: (64.7, 66.0),
}


def print_table(curves: dict[str, dict[int, float]]) -> None:
    """Print each recorded window, with the deviation of the runs from the original's mean.

    Args:
      curves: by run, the perceptual loss by the last step of a window.
    """
    print("| steps | original, mean of the runs | " + " | ".join(curves) + " |")
    print("| --- | --- |" + " --- |" * len(curves))
    for last, recorded in ORIGINAL.items():
        mean = np.mean(recorded)
        cells = [
            f"{curve[last]:.1f} ({100 * (curve[last] / mean - 1):+.1f} %)" if last in curve else ""
            for curve in curves.values()
        ]
        print(f"| {last - WINDOW}–{last - 1} | {mean:.1f} | " + " | ".join(cells) + " |")


def plot(curves: dict[str, dict[int, float]], path: pathlib.Path) -> None:
    """Draw the runs as lines and the original's losses as points.

    Args:
      curves: by run, the perceptual loss by the last step of a window.
      path: the picture to write.
    """
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, curve in curves.items():
        axes.plot(list(curve), list(curve.values()), label=name)
    for i in range(3):
        points = {step: runs[i] for step, runs in ORIGINAL.items() if i < len(runs)}
        label = "original, three runs" if i == 0 else None
        axes.plot(list(points), list(points.values()), "k+", label=label)
    axes.set(xlabel="step", ylabel="perceptual loss, mean of 100 steps", xscale="log")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run the command that the head of this file describes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", action="append", required=True, type=pathlib.Path, metavar="W")
    parser.add_argument("--plot", type=pathlib.Path, help="picture to write")
    arguments = parser.parse_args()
    curves = {run.name: read_curves(run).get("perceptual", {}) for run in arguments.run}
    print_table(curves)
    if arguments.plot:
        plot(curves, arguments.plot)
        print(f"The plot is in {arguments.plot}")


if __name__ == "__main__":
    main()
