"""How well a model animates drawn figures, measured against the drawn answers.

    python -m benchmarks.demo_model [--checkpoint=WORKDIR --pairs=100]

Figure A gets the motion of another figure B. Neither was trained on, and what A looks like in that
motion is drawn, so that the animation can be compared with the true answer: in L1 on [0, 1] and in
LPIPS, beside two baselines, the source picture that does not move and the driving frame. There are
two cases: A's picture is in the pose of B's first frame, and motion is relative to that (what
`--best_frame` aims at); or it is in a pose of its own, and motion is absolute.

A linear map from the keypoints to the figures' joints, fitted on figures of the training data,
tells how much the keypoints, which nobody has labelled, know of the body.
"""

import argparse
import json
from collections.abc import Iterable, Iterator

import numpy as np
from tqdm import tqdm

from fomm_jax.animation.animator import Animator
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import one_line_errors
from fomm_jax.evaluation.lpips import ARCHITECTURES, load_lpips, lpips
from input_pipeline.figures.drawing import find_joints
from input_pipeline.figures.scenes import Scene, random_scene

TRAINING_SEED, HELD_OUT_SEED = 0, 1  # of `input_pipeline.figures.scenes`
NUM_FRAMES = 32  # of a video
EVERY = 8  # frames between those that are measured
RELATIVE = NormalizationConfig()
ABSOLUTE = NormalizationConfig(use_relative_movement=False, use_relative_jacobian=False)


def measure_animation(animator: Animator, size: int, num_pairs: int) -> dict[str, dict]:
    """Mean distances from the answer, by case, way and figure; the first frame is left out."""
    weights = {network: load_lpips(network) for network in ARCHITECTURES}

    def distances(frames: np.ndarray, answer: np.ndarray) -> dict[str, float]:
        found = {"l1": float(np.abs(frames[1:] / 255 - answer[1:] / 255).mean())}
        for network in ARCHITECTURES:
            distance = lpips(network, weights[network], frames[1:], answer[1:])
            found[f"lpips_{network}"] = float(np.mean(distance))
        return found

    rows: dict[str, dict[str, list]] = {}
    for pair in tqdm(range(num_pairs), desc="animate", unit="pair"):
        figure, mover = (random_scene(size, HELD_OUT_SEED, 2 * pair + i) for i in range(2))
        moved = Scene(figure.appearance, figure.background, mover.motion)
        answer, driving = (scene.frames(NUM_FRAMES)[::EVERY] for scene in (moved, mover))
        of_driving = distances(driving, answer)
        for case, source, normalization in (
            ("source in the pose of the first driving frame", answer[0], RELATIVE),
            ("source in a pose of its own", figure.frames(NUM_FRAMES)[0], ABSOLUTE),
        ):
            animation = np.stack([*animator.animate(source, driving, normalization=normalization)])
            for way, found in {
                "animation": distances(animation, answer),
                "unmoved source": distances(np.broadcast_to(source, answer.shape), answer),
                "driving frame": of_driving,
            }.items():
                rows.setdefault(case, {}).setdefault(way, []).append(found)
    return {
        case: {
            way: {name: float(np.mean([row[name] for row in found])) for name in found[0]}
            for way, found in ways.items()
        }
        for case, ways in rows.items()
    }


def measure_joints(animator: Animator, size: int, num_scenes: int) -> dict[str, float]:
    """Mean distance of linearly predicted joints from the true ones, in frames' sides."""

    def collect(seed: int, numbers: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        keypoints, joints = [], []
        for number in tqdm(numbers, desc="keypoints", unit="video"):
            scene = random_scene(size, seed, number)
            times = np.arange(0, NUM_FRAMES, EVERY) / NUM_FRAMES
            frames = scene.frames(NUM_FRAMES)[::EVERY]
            keypoints += [found.value.ravel() for found in animator.detect(frames)]
            joints += [find_joints(scene.appearance, scene.motion.at(time)) for time in times]
        return np.array(keypoints), np.array(joints)

    keypoints, joints = collect(TRAINING_SEED, range(4 * num_scenes))
    linear, *_ = np.linalg.lstsq(_with_one(keypoints), joints.reshape(len(joints), -1), rcond=None)
    seen, truth = collect(HELD_OUT_SEED, range(num_scenes))
    predicted = (_with_one(seen) @ linear).reshape(truth.shape)
    return {
        "linear map from the keypoints": float(np.linalg.norm(predicted - truth, axis=-1).mean()),
        "mean pose": float(np.linalg.norm(joints.mean(axis=0) - truth, axis=-1).mean()),
    }


def _with_one(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def describe(animation: dict[str, dict], joints: dict[str, float]) -> Iterator[str]:
    """Lines of Markdown."""
    for case, ways in animation.items():
        yield f"\n| {case} | L1 | LPIPS, AlexNet | LPIPS, VGG16 |\n| --- | --- | --- | --- |"
        for way, found in ways.items():
            figures = [found["l1"], found["lpips_alexnet"], found["lpips_vgg16"]]
            yield f"| {way} | {' | '.join(f'{figure:.4f}' for figure in figures)} |"
    yield "\n| joints, mean distance in the frame's side | |\n| --- | --- |"
    for way, distance in joints.items():
        yield f"| {way} | {distance:.4f} |"


def main() -> None:
    """The command line; see the head of this file."""
    parser = argparse.ArgumentParser(description="Measure a model on drawn figures.")
    parser.add_argument("--checkpoint", help="of the model; default: the one that is carried")
    parser.add_argument("--pairs", type=int, default=100, help="pairs of held-out figures")
    options = parser.parse_args()
    with one_line_errors():
        animator = (
            Animator.from_checkpoint(options.checkpoint) if options.checkpoint else Animator.demo()
        )
        size = animator.config.dataset.frame_shape[0]
        animation = measure_animation(animator, size, options.pairs)
        joints = measure_joints(animator, size, options.pairs)
    print("\n".join(describe(animation, joints)))
    print(json.dumps({"pairs": options.pairs, "animation": animation, "joints": joints}))


if __name__ == "__main__":
    main()
