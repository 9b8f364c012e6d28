"""Record the original implementation for the tests. Run by hand; needs PyTorch and its repository.

    git clone https://github.com/AliaksandrSiarohin/first-order-model ORIGINAL
    python tests/make_fixtures.py --original=ORIGINAL

For each config.yaml in `tests/data/recorded`, it writes a checkpoint and arrays beside it. Pictures
and weights are random, with a seed made from the model's name. It also writes the fingerprints of
gradients in `tests/data/gradients`, for these models and for those in `../shared/reference/small`,
if that folder exists.
"""

import argparse
import pathlib
import sys
import zlib

import numpy as np
import torch
import yaml

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import reference  # noqa: E402
from original_runner import Original, OriginalTraining  # noqa: E402

from fomm_jax.parity.recordings import BATCH  # noqa: E402

PAIRS = 10  # pairs of pictures; enough for five steps of training
CLIP = 3  # number of driving frames in the animation
# The number of the step after which the state is recorded, in float32, whose rounding is finer than
# the tolerance for the state.
STATE_AFTER = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--original", required=True, help="a clone of the original's repository")
    original = Original(pathlib.Path(parser.parse_args().original))
    for folder in sorted(reference.IN_REPOSITORY.iterdir()):
        record(original, folder)
    for recording in reference.all_recordings():
        fingerprints = reference.fingerprints(original.first_gradients(recording))
        np.savez_compressed(
            recording.gradients_file,
            names=np.array(list(fingerprints)),
            fingerprints=np.stack(list(fingerprints.values())),
        )


def record(original, folder):
    """Write the checkpoint and the arrays of one model."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    random = np.random.default_rng(zlib.crc32(folder.name.encode()))
    frames = draw_pairs(random, *config["dataset_params"]["frame_shape"][:2])
    arrays = {"inputs/source": frames[:, 0], "inputs/driving": frames[:, 1]}
    networks = original.networks(config)
    for network in networks.values():
        randomise(network, random)
    states = {name: network.state_dict() for name, network in networks.items()}
    torch.save(states | {"epoch": 0}, folder / "checkpoint.pth.tar")
    transforms = [draw_transform(random, config) for _ in range(PAIRS // BATCH)]
    for precision, count in (("float32", 1), ("float64", len(transforms))):
        for i, transform in enumerate(transforms[:count]):
            for name, array in transform.items():
                arrays[f"{precision}/step_{i}/transform/{name}"] = array
    np.savez_compressed(folder / "arrays.npz", **arrays)

    recording = reference.Recording(folder)
    arrays |= original.evaluate(recording)
    step = OriginalTraining(original, recording, torch.float32).step("float32/step_0")
    arrays |= {f"float32/step_0/losses/{name}": loss for name, loss in step["losses"].items()}
    arrays["float32/step_0/prediction"] = step["prediction"]
    arrays["float32/step_0/transformed_frame"] = step["transformed_frame"]
    training = OriginalTraining(original, recording, torch.float64)
    for i in range(len(transforms)):
        prefix = f"float64/step_{i}"
        step = training.step(prefix)
        arrays |= {f"{prefix}/losses/{name}": loss for name, loss in step["losses"].items()}
        if i == STATE_AFTER:
            state = step["state"].items()
            arrays |= {f"{prefix}/state_after/{k}": v.astype(np.float32) for k, v in state}
    if folder.name == "tiny_first_order":
        arrays |= original.animate(recording, CLIP)
    np.savez_compressed(folder / "arrays.npz", **arrays)


def draw_pairs(random, height, width):
    """Draw pairs (n, 2, 3, h, w) uint8: soft coloured blobs move in front of a smooth ground."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    pairs = np.empty((PAIRS, 2, 3, height, width))
    for pair in pairs:
        slope, offset = random.uniform(-0.2, 0.2, (2, 3)), random.uniform(0.3, 0.7, 3)
        pair[:] = offset[:, None, None] + np.einsum("ac,ahw->chw", slope, np.stack([x, y]))
        for _ in range(4):
            centre, shift = random.uniform(-0.7, 0.7, 2), random.uniform(-0.3, 0.3, 2)
            size, colour = random.uniform(0.02, 0.1), random.uniform(-0.6, 0.6, 3)
            for i, frame in enumerate(pair):
                at = centre + i * shift
                blob = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / size)
                frame += colour[:, None, None] * blob
    return np.round(255 * np.clip(pairs, 0, 1)).astype(np.uint8)


def draw_transform(random, config):
    """Draw the thin-plate transform of a step."""
    values = config["train_params"]["transform_params"]
    theta = np.eye(2, 3) + random.normal(0, values["sigma_affine"], (BATCH, 2, 3))
    bend = random.normal(0, values["sigma_tps"], (BATCH, 1, values["points_tps"] ** 2))
    return {"theta": theta.astype(np.float32), "control_params": bend.astype(np.float32)}


def randomise(network, random):
    """Draw weights as a trained network might have: none is 0, and the jacobians are near 1."""
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("num_batches_tracked") or name == "down.weight" or ".down." in name:
                continue
            if name.endswith(("_u", "_v")):
                values = random.normal(size=value.shape)
                values /= np.linalg.norm(values)
            elif name.endswith("running_var") or ("norm" in name and name.endswith("weight")):
                values = random.uniform(0.6, 1.4, value.shape)
            elif value.ndim == 4:
                values = random.normal(0, np.sqrt(2 / np.prod(value.shape[1:])), value.shape)
            else:
                values = random.normal(0, 0.1, value.shape)
            if name == "jacobian.weight":
                values *= 0.05
            if name == "jacobian.bias":
                values += np.tile([1, 0, 0, 1], len(values) // 4)
            value.copy_(torch.from_numpy(values))


if __name__ == "__main__":
    main()
