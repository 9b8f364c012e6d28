"""Record the original implementation for the tests. Run by hand; needs PyTorch and its repository.

    git clone https://github.com/AliaksandrSiarohin/first-order-model ORIGINAL
    python tests/make_fixtures.py --original=ORIGINAL

Writes checkpoint and arrays of each model of `tests/data/recorded`, from its config.yaml, and
`tests/data/gradients`, for these and for the models of `../shared/reference/small` where they are.
The pictures and weights are random, seeded by the model's name.
"""

import argparse
import importlib
import pathlib
import sys
import types
import zlib
from unittest import mock

import numpy as np
import torch
import yaml

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import reference  # noqa: E402

from fomm_jax.parity import recordings  # noqa: E402

PAIRS = 10  # for five steps of training
CLIP = 3  # driving frames of the animation
STATE_AFTER = 3  # steps; rounded to float32, which is finer than what is asked of it


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
    """Checkpoint and arrays of one model."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    random = np.random.default_rng(zlib.crc32(folder.name.encode()))
    frames = draw_pairs(random, *config["dataset_params"]["frame_shape"][:2])
    arrays = {"inputs/source": frames[:, 0], "inputs/driving": frames[:, 1]}
    networks = original.networks(config)
    for network in networks.values():
        randomise(network, random)
    states = {name: network.state_dict() for name, network in networks.items()}
    torch.save(states | {"epoch": 0}, folder / "checkpoint.pth.tar")
    transforms = [draw_transform(random, config) for _ in range(PAIRS // recordings.BATCH)]
    for precision, count in (("float32", 1), ("float64", len(transforms))):
        for i, transform in enumerate(transforms[:count]):
            for name, array in transform.items():
                arrays[f"{precision}/step_{i}/transform/{name}"] = array
    np.savez_compressed(folder / "arrays.npz", **arrays)

    recording = reference.Recording(folder)
    arrays |= original.evaluate(recording)
    (step,) = original.train(recording, torch.float32, ["float32/step_0"])
    arrays |= {f"float32/step_0/losses/{name}": loss for name, loss in step["losses"].items()}
    arrays["float32/step_0/prediction"] = step["prediction"]
    arrays["float32/step_0/transformed_frame"] = step["transformed_frame"]
    names = [f"float64/step_{i}" for i in range(len(transforms))]
    for i, step in enumerate(original.train(recording, torch.float64, names)):
        arrays |= {f"{names[i]}/losses/{name}": loss for name, loss in step["losses"].items()}
        if i == STATE_AFTER:
            state = step["state"].items()
            arrays |= {f"{names[i]}/state_after/{k}": v.astype(np.float32) for k, v in state}
    if folder.name == "tiny_first_order":
        arrays |= original.animate(recording)
    np.savez_compressed(folder / "arrays.npz", **arrays)


def draw_pairs(random, height, width):
    """Pairs (n, 2, 3, h, w) uint8: soft coloured blobs move before a smooth ground."""
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
    values = config["train_params"]["transform_params"]
    batch = recordings.BATCH
    theta = np.eye(2, 3) + random.normal(0, values["sigma_affine"], (batch, 2, 3))
    bend = random.normal(0, values["sigma_tps"], (batch, 1, values["points_tps"] ** 2))
    return {"theta": theta.astype(np.float32), "control_params": bend.astype(np.float32)}


def randomise(network, random):
    """Weights like those of a trained network, none of them 0 and the jacobians near 1."""
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("num_batches_tracked") or name == "down.weight" or ".down." in name:
                continue
            if name.endswith(("_u", "_v")):
                drawn = random.normal(size=value.shape)
                drawn /= np.linalg.norm(drawn)
            elif name.endswith("running_var") or ("norm" in name and name.endswith("weight")):
                drawn = random.uniform(0.6, 1.4, value.shape)
            elif value.ndim == 4:
                drawn = random.normal(0, np.sqrt(2 / np.prod(value.shape[1:])), value.shape)
            else:
                drawn = random.normal(0, 0.1, value.shape)
            if name == "jacobian.weight":
                drawn *= 0.05
            if name == "jacobian.bias":
                drawn += np.tile([1, 0, 0, 1], len(drawn) // 4)
            value.copy_(torch.from_numpy(drawn))


class Original:
    """The original implementation, imported from a clone of its repository."""

    def __init__(self, folder):
        # What it asks for beyond the networks is not needed here, and partly hard to install.
        for name in ("torchvision", "frames_dataset", "logger"):
            sys.modules[name] = mock.MagicMock()
        sys.modules["torchvision"].models.vgg19 = lambda pretrained: seeded_vgg19()
        sys.path.insert(0, str(folder))
        self.normalize = importlib.import_module("animate").normalize_kp
        self.modules = types.SimpleNamespace(
            **{
                name: importlib.import_module(f"modules.{name}")
                for name in ("discriminator", "generator", "keypoint_detector", "model")
            }
        )

    def networks(self, config):
        params = config["model_params"]
        common = params["common_params"]
        return {
            "kp_detector": self.modules.keypoint_detector.KPDetector(
                **params["kp_detector_params"], **common
            ),
            "generator": self.modules.generator.OcclusionAwareGenerator(
                **params["generator_params"], **common
            ),
            "discriminator": self.modules.discriminator.MultiScaleDiscriminator(
                **params["discriminator_params"], **common
            ),
        }

    def _load(self, recording, dtype):
        config = yaml.safe_load((recording.folder / "config.yaml").read_text())
        networks = self.networks(config)
        for name, network in networks.items():
            state = recording.checkpoint[name].items()
            network.load_state_dict({key: torch.tensor(array) for key, array in state})
            network.to(dtype)
        return config, networks

    def evaluate(self, recording):
        config, networks = self._load(recording, torch.float32)
        source, driving = tensors(recording, 0, torch.float32)
        for network in networks.values():
            network.eval()
        with torch.no_grad(), corners(config):
            kp_source, kp_driving = map(networks["kp_detector"], (source, driving))
            found = {f"kp_source/{name}": value for name, value in kp_source.items()}
            found |= {f"kp_driving/{name}": value for name, value in kp_driving.items()}
            kps = {"kp_source": kp_source, "kp_driving": kp_driving}
            found |= networks["generator"].dense_motion_network(source, **kps)
            found |= networks["generator"](source, **kps)
            pyramid = self.modules.model.ImagePyramide(config["train_params"]["scales"], 3)(driving)
            found |= {f"pyramid/{name}": level for name, level in pyramid.items()}
            for name, value in networks["discriminator"](pyramid, kp=kp_driving).items():
                if isinstance(value, list):
                    found |= {f"discriminator/{name}/{i}": part for i, part in enumerate(value)}
                else:
                    found[f"discriminator/{name}"] = value
        return {f"eval/{name}": value.numpy() for name, value in found.items()}

    def train(self, recording, dtype, names):
        """Steps with the pairs and transforms that are recorded under the names."""
        config, networks = self._load(recording, dtype)
        params = config["train_params"]
        full = {
            "generator": self.modules.model.GeneratorFullModel(*networks.values(), params),
            "discriminator": self.modules.model.DiscriminatorFullModel(*networks.values(), params),
        }
        optimizers = {}
        for name, network in networks.items():
            network.train()
            rate = params[f"lr_{name}"]
            optimizers[name] = torch.optim.Adam(network.parameters(), rate, betas=(0.5, 0.999))
        for model in full.values():
            model.to(dtype)
        return [
            self._step(config, networks, full, optimizers, recording, dtype, name) for name in names
        ]

    def _step(self, config, networks, full, optimizers, recording, dtype, name):
        given = recording.below(f"{name}/transform/")

        class GivenTransform(self.modules.model.Transform):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.theta = torch.tensor(given["theta"])
                self.control_params = torch.tensor(given["control_params"])

        source, driving = tensors(recording, int(name[-1]), dtype)
        pair = {"source": source, "driving": driving}
        transform = mock.patch.object(self.modules.model, "Transform", GivenTransform)
        with transform, corners(config):
            terms, generated = full["generator"](pair)
            sum(terms.values()).backward()
            gradients = gradients_of(networks, ("generator", "kp_detector"))
            for trained in ("generator", "kp_detector"):
                optimizers[trained].step()
            if config["train_params"]["loss_weights"]["generator_gan"] != 0:
                optimizers["discriminator"].zero_grad()
                judged = full["discriminator"](pair, generated)
                sum(judged.values()).backward()
                gradients |= gradients_of(networks, ("discriminator",))
                optimizers["discriminator"].step()
                terms |= judged
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        return {
            "losses": {key: term.detach().numpy() for key, term in terms.items()},
            "gradients": gradients,
            "prediction": generated["prediction"].detach().numpy(),
            "transformed_frame": generated["transformed_frame"].detach().numpy(),
            "state": {
                f"{network}/{key}": value.numpy().copy()
                for network in networks
                for key, value in networks[network].state_dict().items()
                if value.is_floating_point() and not key.endswith("down.weight")
            },
        }

    def first_gradients(self, recording):
        (step,) = self.train(recording, torch.float64, ["float32/step_0"])
        return step["gradients"]

    def animate(self, recording):
        config, networks = self._load(recording, torch.float32)
        source, driving = (
            torch.tensor(recordings.as_floats(recording.arrays[f"inputs/{name}"], np.float32))
            for name in ("source", "driving")
        )
        for network in networks.values():
            network.eval()
        arrays = {}
        with torch.no_grad(), corners(config):
            kp_source, kp_initial = map(networks["kp_detector"], (source[:1], driving[:1]))
            for relative, adapt in ((0, 0), (0, 1), (1, 0), (1, 1)):
                frames = []
                for i in range(CLIP):
                    kp = self.normalize(
                        kp_source,
                        networks["kp_detector"](driving[i : i + 1]),
                        kp_initial,
                        adapt_movement_scale=bool(adapt),
                        use_relative_movement=bool(relative),
                        use_relative_jacobian=bool(relative),
                    )
                    out = networks["generator"](source[:1], kp_source=kp_source, kp_driving=kp)
                    prediction = recordings.to_nhwc(out["prediction"].numpy())
                    frames.append((prediction, kp["value"].numpy(), kp["jacobian"].numpy()))
                prefix = f"animation/relative_{relative}_adapt_scale_{adapt}"
                for name, parts in zip(
                    ("prediction", "kp_value", "kp_jacobian"),
                    zip(*frames, strict=True),
                    strict=True,
                ):
                    arrays[f"{prefix}/{name}"] = np.concatenate(parts)
        return arrays


def tensors(recording, step, dtype):
    return [
        torch.tensor(np.moveaxis(frames, -1, 1)).to(dtype)
        for frames in recording.pairs(step, np.float32)
    ]


def gradients_of(networks, names):
    return {
        f"{name}/{key}": value.grad.numpy().copy()
        for name in names
        for key, value in networks[name].named_parameters()
    }


def corners(config):
    """torch's grid_sample as the configuration wants it."""
    align = config.get("compat", {}).get("align_corners", False)
    sample = torch.nn.functional.grid_sample

    def aligned(*args, **kwargs):
        return sample(*args, align_corners=align, **kwargs)

    return mock.patch.object(torch.nn.functional, "grid_sample", aligned)


def seeded_vgg19():
    """The convolutions of VGG19 as torchvision lays them out, up to relu5_1."""
    layers = []
    for name, (kernel, bias) in reference.seeded_vgg19().items():
        if name.endswith("_1") and layers:
            layers.append(torch.nn.MaxPool2d(2))
        conv = torch.nn.Conv2d(*kernel.shape[2:], 3, padding=1)
        conv.weight.data = torch.tensor(reference.torch_weights.to_torch_layout(kernel))
        conv.bias.data = torch.tensor(bias)
        layers += [conv, torch.nn.ReLU()]
    return types.SimpleNamespace(features=layers)


if __name__ == "__main__":
    main()
