"""Record the original of the thin-plate spline model. Run by hand; needs PyTorch and a clone.

    git clone https://github.com/yoyo-nb/Thin-Plate-Spline-Motion-Model ORIGINAL
    python tests/make_thin_plate_fixture.py --original=ORIGINAL

For each config.yaml in `tests/data/recorded_thin_plate`, it writes a manifest, from which weights
are drawn, and arrays beside it, in float64. Pictures are drawn as those of `make_fixtures.py`.
"""

import argparse
import json
import math
import pathlib
import sys
from unittest import mock

import numpy as np
import torch

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from make_fixtures import draw_pairs  # noqa: E402
from original_runner import make_vgg19  # noqa: E402

from fomm_jax.parity import clones  # noqa: E402
from fomm_jax.parity.recordings import BATCH, to_nhwc  # noqa: E402
from fomm_jax.parity.seeded_weights import draw_checkpoint  # noqa: E402
from fomm_jax.parity.thin_plate import original  # noqa: E402
from fomm_jax.parity.thin_plate.recording import ThinPlateRecording  # noqa: E402
from fomm_jax.parity.torch_networks import ResNet18  # noqa: E402

FOLDER = ROOT / "tests" / "data" / "recorded_thin_plate"
STEPS = 3  # of training
CLIP = 3  # number of driving frames in the animation
WHOLE = 4_096  # elements of the largest array that is stored whole
RESNETS = {"kp_detector": "fg_encoder", "bg_predictor": "bg_encoder"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--original", required=True, help="a clone of the original's repository")
    clone = pathlib.Path(parser.parse_args().original)
    sys.modules["torchvision"] = mock.MagicMock()
    sys.modules["torchvision"].models.vgg19 = lambda pretrained: make_vgg19()
    sys.modules["torchvision"].models.resnet18 = ResNet18
    torch.set_num_threads(1)
    for number, folder in enumerate(sorted(path for path in FOLDER.iterdir() if path.is_dir())):
        record(clone, folder, seed=100 + number)


def record(clone, folder, seed):
    """Write the manifest and the arrays of one model."""
    recording = ThinPlateRecording(folder)
    pairs = draw_pairs(np.random.default_rng(seed), *recording.config.dataset.frame_shape[:2])
    inputs = {"inputs/source": pairs[:, 0], "inputs/driving": pairs[:, 1]}
    networks = original.make_networks(clone, recording.config)
    manifest = make_manifest(networks, seed, torch.from_numpy(pairs[:, 1]) / 255)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    arrays = inputs | record_outputs(networks, manifest, pairs)
    arrays |= record_training(clone, recording.config, networks, manifest, pairs)
    np.savez_compressed(folder / "arrays.npz", **arrays)


def load(networks, manifest):
    """Give the networks the weights of a manifest, in float64."""
    original.load_weights(networks, draw_checkpoint(manifest))
    for network in networks.values():
        network.double()


def make_manifest(networks, seed, frames):
    """Describe the weights; those of the last layers so that points spread and follow the frame."""
    modules = {name: network for name, network in networks.items() if name != "pyramid"}
    buffers = {name: {} for name in modules}
    if "down.weight" in modules["dense_motion_network"].state_dict():
        kernel = modules["dense_motion_network"].state_dict()["down.weight"]
        buffers["dense_motion_network"]["down.weight"] = kernel.flatten().tolist()
    manifest = {
        "seed": seed,
        "modules": {
            name: {key: list(value.shape) for key, value in module.state_dict().items()}
            for name, module in modules.items()
        },
        "buffers": buffers,
        "adjust": {
            "kp_detector": {"fg_encoder.fc.bias": {"scale": 10.0}},
            "avd_network": {"decoder.9.weight": {"scale": 0.25}},
            "bg_predictor": {
                "bg_encoder.fc.weight": {"scale": 0.006},
                "bg_encoder.fc.bias": {"scale": 0.3, "shift": [1, 0, 0, 0, 1, 0]},
            },
        },
    }
    if "bg_predictor" not in modules:
        del manifest["adjust"]["bg_predictor"]
    original.load_weights(networks, draw_checkpoint(manifest))
    encoder, features = networks["kp_detector"].fg_encoder, []
    hook = encoder.fc.register_forward_pre_hook(lambda _, given: features.append(given[0]))
    with torch.no_grad():
        for training in (False, True):
            encoder.train(training)(frames.float())
    hook.remove()
    means = np.stack([array.mean(0).numpy() for array in features], axis=1)
    directions = np.linalg.qr(means.astype(np.float64))[0].T
    manifest["adjust"]["kp_detector"]["fg_encoder.fc.weight"] = {
        "remove": np.round(directions, 7).tolist(),
        "scale": 0.6,
    }
    return manifest


def record_outputs(networks, manifest, pairs):
    """Return the outputs of all networks in evaluation mode, and an animated clip."""
    load(networks, manifest)
    source, driving = (as_tensor(pairs[:, i]) for i in range(2))
    with torch.no_grad(), clones.quiet():
        outputs = original.run(networks, source[:BATCH], driving[:BATCH])
        arrays = shorten({f"eval_float64/{name}": array for name, array in outputs.items()})
        picture, frames = source[:1], driving[:CLIP]
        kp_source, kp_driving = (networks["kp_detector"](x)["fg_kp"] for x in (picture, frames))
        scale = math.sqrt(hull(kp_source[0])) / math.sqrt(hull(kp_driving[0]))
        many = kp_source.expand(CLIP, -1, -1)
        modes = {
            "standard": kp_driving,
            "relative": kp_source + scale * (kp_driving - kp_driving[:1]),
            "avd": networks["avd_network"]({"fg_kp": many}, {"fg_kp": kp_driving})["fg_kp"],
        }
        for mode, points in modes.items():
            pictures = picture.expand(CLIP, -1, -1, -1)
            motion = networks["dense_motion_network"](
                source_image=pictures, kp_driving={"fg_kp": points}, kp_source={"fg_kp": many}
            )
            prediction = networks["inpainting_network"](pictures, motion)["prediction"]
            arrays[f"{mode}/fg_kp"] = points.numpy()
            arrays[f"{mode}/prediction"] = to_nhwc(prediction.numpy()).astype(np.float32)
    arrays["source"], arrays["driving"] = (
        to_nhwc(array.numpy()).astype(np.float32) for array in (picture, frames)
    )
    arrays["source"] = arrays["source"][0]
    return arrays


def hull(points):
    from scipy.spatial import ConvexHull

    return ConvexHull(points.numpy()).volume


def record_training(clone, config, networks, manifest, pairs):
    """Return losses, draws and first gradients of steps of training in the first epoch."""
    load(networks, manifest)
    arrays = {"float64/epoch": np.asarray(0)}
    trained = [networks[name] for name in ("inpainting_network", "dense_motion_network")]
    detector, background = networks["kp_detector"], networks["bg_predictor"]
    for network in networks.values():
        network.train()
    settings = {"lr": config.train.lr_generator, "betas": (0.5, 0.999), "weight_decay": 1e-4}
    together = [*trained[0].parameters(), *trained[1].parameters(), *detector.parameters()]
    optimizers = [torch.optim.Adam(together, **settings)]
    optimizers.append(torch.optim.Adam(background.parameters(), **settings))
    module = clones.import_module(clone, "model")
    losses_of = module.GeneratorFullModel(
        detector, background, trained[1], trained[0], as_original(config)
    ).double()
    torch.manual_seed(manifest["seed"])
    for i in range(STEPS):
        name, rows = f"float64/step_{i}", slice(BATCH * i, BATCH * (i + 1))
        pair = {"source": as_tensor(pairs[rows, 0]), "driving": as_tensor(pairs[rows, 1])}
        with watching(module, trained[1]) as draws, clones.quiet():
            losses, _ = losses_of(pair, 0)
        arrays |= {f"{name}/{key}": value for key, value in draws.items()}
        arrays |= {f"{name}/losses/{key}": loss.detach().numpy() for key, loss in losses.items()}
        sum(losses.values()).backward()
        if i == 0:
            gradients = {
                f"{name}/grads/{network}/{key}": value.grad.numpy().copy()
                for network in networks.keys() - {"pyramid", "avd_network"}
                for key, value in networks[network].named_parameters()
            }
            arrays |= shorten(gradients, at_most=64)
        for network in (detector, trained[1], background):
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10, norm_type=math.inf)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    return arrays


class watching:  # a context manager
    """Watches what a step draws at random."""

    def __init__(self, module, dense_motion):
        self.draws, self._module, self._network = {}, module, dense_motion

    def __enter__(self):
        draws, softmax, rand = self.draws, self._network.dropout_softmax, torch.rand

        class Watched(self._module.TPS):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                draws["transform/theta"] = self.theta.numpy()
                draws["transform/control_params"] = self.control_params.numpy()

        def drop(logits, probability):
            def draw(*shape):
                numbers = rand(*shape)
                kept = (numbers < 1 - probability).numpy().astype(np.float32)
                kept[:, 0] = 1
                draws["dropout/drop"] = kept
                return numbers

            with mock.patch.object(torch, "rand", draw):
                return softmax(logits, probability)

        self._patches = [
            mock.patch.object(self._module, "TPS", Watched),
            mock.patch.object(self._network, "dropout_softmax", drop),
        ]
        for patch in self._patches:
            patch.start()
        return draws

    def __exit__(self, *_):
        for patch in self._patches:
            patch.stop()


def as_original(config):
    """Return the original's training parameters of a configuration."""
    train, schedule = config.train, config.train.thin_plate
    weights, transform = train.loss_weights, train.transform
    return {
        "bg_start": schedule.bg_start,
        "scales": clones.as_in_yaml(train.scales),
        "dropout_epoch": schedule.dropout_epoch,
        "dropout_maxp": schedule.dropout_maxp,
        "dropout_inc_epoch": schedule.dropout_inc_epoch,
        "dropout_startp": schedule.dropout_startp,
        "loss_weights": {
            name: getattr(weights, name)
            for name in ("perceptual", "equivariance_value", "warp_loss", "bg")
        },
        "transform_params": {
            name: getattr(transform, name) for name in ("sigma_affine", "sigma_tps", "points_tps")
        },
    }


def as_tensor(pictures):
    """Convert pictures (b, c, h, w) uint8 to float64, divided in float32 as the original does."""
    return torch.from_numpy((pictures.astype(np.float32) / np.float32(255)).astype(np.float64))


def shorten(arrays, at_most=WHOLE):
    """Replace large arrays by their norms and samples, as the recordings have them."""
    short = {}
    for name, array in arrays.items():
        if array.size <= at_most:
            short[name] = array
            continue
        flat = array.reshape(-1)
        short[f"{name}/norm"] = np.linalg.norm(flat)
        short[f"{name}/samples"] = flat[np.linspace(0, flat.size - 1, 64).astype(int)]
    return short


if __name__ == "__main__":
    main()
