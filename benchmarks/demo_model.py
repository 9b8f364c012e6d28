"""Measure how well a model animates drawn figures or heads, by comparing it with true answers.

    python -m benchmarks.demo_model [--checkpoint=WORKDIR --pairs=100 --subject=portraits]

Figure (or head) A is animated with the motion of another one, B. The model has seen neither of them
in training. A is also drawn in that motion: the animation is compared with this true answer, by L1
on [0, 1] and by LPIPS. So are two baselines: the source picture without any motion, and the driving
frame. There are two cases. In the first, A's picture is in the pose of B's first frame, and the
motion is relative to that frame, which is the case that `--best_frame` aims at. In the second, A is
in a pose of its own, and the motion is absolute.

A linear map from the keypoints to the landmarks of the face, or the figures' joints, measures how
much the keypoints tell about them, although nobody has labelled them. The map is fitted on videos
drawn with the training seed, and tested on held-out ones.
"""

import argparse
import json
from collections.abc import Iterable, Iterator

import numpy as np
from tqdm import tqdm

from fomm_jax.animation.animator import Animator
from fomm_jax.cli.demo_scenes import SUBJECT
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import one_line_errors
from fomm_jax.evaluation.lpips import ARCHITECTURES, load_lpips, lpips
from input_pipeline.figures.scenes import SUBJECTS, random_scene

TRAINING_SEED, HELD_OUT_SEED = 0, 1  # seeds for `input_pipeline.figures.scenes`
NUM_FRAMES = 4  # of a video: every eighth one of the 32 that a video of a dataset has
RELATIVE = NormalizationConfig()
ABSOLUTE = NormalizationConfig(use_relative_movement=False, use_relative_jacobian=False)


def measure_animation(
    animator: Animator, num_pairs: int, subject: str = SUBJECT
) -> dict[str, dict]:
    """Return the mean distances from the answer over all frames but the first.

    Returns:
      The distances by case, by what is compared with the answer, and by name ("l1", …).
    """
    size = animator.config.dataset.frame_shape[0]
    weights = {network: load_lpips(network) for network in ARCHITECTURES}

    def distances(frames: np.ndarray, answer: np.ndarray) -> dict[str, float]:
        means = {"l1": float(np.abs(frames[1:] / 255 - answer[1:] / 255).mean())}
        for network in ARCHITECTURES:
            distance = lpips(network, weights[network], frames[1:], answer[1:])
            means[f"lpips_{network}"] = float(np.mean(distance))
        return means

    cases: dict[str, dict[str, list]] = {}
    for pair in tqdm(range(num_pairs), desc="animate", unit="pair"):
        still, mover = (random_scene(size, HELD_OUT_SEED, 2 * pair + i, subject) for i in range(2))
        moved = still.moved_as(mover)
        answer, driving = (scene.frames(NUM_FRAMES) for scene in (moved, mover))
        driving_distances = distances(driving, answer)
        for case, source, normalization in (
            ("source in the pose of the first driving frame", answer[0], RELATIVE),
            ("source in a pose of its own", still.frames(NUM_FRAMES)[0], ABSOLUTE),
        ):
            animation = np.stack([*animator.animate(source, driving, normalization=normalization)])
            for compared, means in {
                "animation": distances(animation, answer),
                "unmoved source": distances(np.broadcast_to(source, answer.shape), answer),
                "driving frame": driving_distances,
            }.items():
                cases.setdefault(case, {}).setdefault(compared, []).append(means)
    return {
        case: {
            compared: {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
            for compared, rows in ways.items()
        }
        for case, ways in cases.items()
    }


def measure_points(animator: Animator, num_scenes: int, subject: str = SUBJECT) -> dict[str, float]:
    """Return the mean distance of each predictor's landmarks or joints from the true ones.

    Distances are in units of the frame's side.

    Args:
      animator: the model, which detects the keypoints.
      num_scenes: held-out videos to measure. The map is fitted on four times as many videos, which
        are drawn with the training seed.
      subject: what the videos show.
    """
    size = animator.config.dataset.frame_shape[0]

    def collect(seed: int, numbers: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        keypoints, points = [], []
        for number in tqdm(numbers, desc="keypoints", unit="video"):
            scene = random_scene(size, seed, number, subject)
            frames = scene.frames(NUM_FRAMES)
            keypoints += [motion.value.ravel() for motion in animator.detect(frames)]
            points += [*scene.points(NUM_FRAMES)]
        return np.array(keypoints), np.array(points)

    keypoints, points = collect(TRAINING_SEED, range(4 * num_scenes))
    linear_map, *_ = np.linalg.lstsq(
        _with_one(keypoints), points.reshape(len(points), -1), rcond=None
    )
    held_out, truth = collect(HELD_OUT_SEED, range(num_scenes))
    predicted = (_with_one(held_out) @ linear_map).reshape(truth.shape)
    return {
        "linear map from the keypoints": float(np.linalg.norm(predicted - truth, axis=-1).mean()),
        "mean pose": float(np.linalg.norm(points.mean(axis=0) - truth, axis=-1).mean()),
    }


def _with_one(rows: np.ndarray) -> np.ndarray:
    """Append a constant column, whose weights are the linear map's offset."""
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def describe(animation: dict[str, dict], points: dict[str, float]) -> Iterator[str]:
    """Yield the lines of the Markdown tables: one table for each case, and one for the points."""
    for case, subjects in animation.items():
        yield f"\n| {case} | L1 | LPIPS, AlexNet | LPIPS, VGG16 |\n| --- | --- | --- | --- |"
        for subject, means in subjects.items():
            distances = [means["l1"], means["lpips_alexnet"], means["lpips_vgg16"]]
            yield f"| {subject} | {' | '.join(f'{distance:.4f}' for distance in distances)} |"
    yield "\n| landmarks or joints, mean distance in units of the frame's side | |\n| --- | --- |"
    for predictor, distance in points.items():
        yield f"| {predictor} | {distance:.4f} |"


def main() -> None:
    """Run the command that the head of this file describes."""
    parser = argparse.ArgumentParser(description="Measure a model on drawn figures or heads.")
    parser.add_argument("--checkpoint", help="the model; default: the demo model")
    parser.add_argument(
        "--pairs", type=int, default=100, help="the number of pairs that were held out"
    )
    parser.add_argument("--subject", choices=sorted(SUBJECTS), default=SUBJECT)
    options = parser.parse_args()
    with one_line_errors():
        animator = (
            Animator.from_checkpoint(options.checkpoint) if options.checkpoint else Animator.demo()
        )
        animation = measure_animation(animator, options.pairs, options.subject)
        points = measure_points(animator, options.pairs, options.subject)
    print("\n".join(describe(animation, points)))
    print(json.dumps({"pairs": options.pairs, "animation": animation, "points": points}))


if __name__ == "__main__":
    main()
