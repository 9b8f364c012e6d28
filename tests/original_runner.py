"""The original implementation, run from a clone of its repository to make recordings.

The results have the original's names and axes, as `fomm_jax.parity.recordings` describes them.
"""

import importlib
import sys
import types
from unittest import mock

import numpy as np
import torch
import yaml

from fomm_jax.parity.recordings import as_floats, seeded_vgg19, to_nchw, to_nhwc
from fomm_jax.weights.torch.names import to_torch_layout

TRANSFER_MODES = ((0, 0), (0, 1), (1, 0), (1, 1))  # (relative movement, adapted scale)


class Original:
    """The original's modules, imported from a clone."""

    def __init__(self, clone):
        # The original imports these beside its networks. Here they are not needed, and some are
        # hard to install.
        for name in ("torchvision", "frames_dataset", "logger"):
            sys.modules[name] = mock.MagicMock()
        sys.modules["torchvision"].models.vgg19 = lambda pretrained: make_vgg19()
        sys.path.insert(0, str(clone))
        self.normalize = importlib.import_module("animate").normalize_kp
        self.modules = types.SimpleNamespace(
            **{
                name: importlib.import_module(f"modules.{name}")
                for name in ("discriminator", "generator", "keypoint_detector", "model")
            }
        )

    def networks(self, config):
        """Make the networks of a configuration, with random weights."""
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

    def load(self, recording, dtype):
        """Return the configuration of a recording, and its networks before training."""
        config = yaml.safe_load((recording.folder / "config.yaml").read_text())
        networks = self.networks(config)
        for name, network in networks.items():
            state = recording.checkpoint[name].items()
            network.load_state_dict({key: torch.tensor(array) for key, array in state})
            network.to(dtype)
        return config, networks

    def evaluate(self, recording):
        """Return the outputs of all networks in evaluation mode, for the first pairs."""
        config, networks = self.load(recording, torch.float32)
        source, driving = read_pairs(recording, 0, torch.float32)
        for network in networks.values():
            network.eval()
        with torch.no_grad(), corners(config):
            kp_source, kp_driving = map(networks["kp_detector"], (source, driving))
            outputs = {f"kp_source/{name}": value for name, value in kp_source.items()}
            outputs |= {f"kp_driving/{name}": value for name, value in kp_driving.items()}
            kps = {"kp_source": kp_source, "kp_driving": kp_driving}
            outputs |= networks["generator"].dense_motion_network(source, **kps)
            outputs |= networks["generator"](source, **kps)
            pyramid = self.modules.model.ImagePyramide(config["train_params"]["scales"], 3)(driving)
            outputs |= {f"pyramid/{name}": level for name, level in pyramid.items()}
            for name, value in networks["discriminator"](pyramid, kp=kp_driving).items():
                if isinstance(value, list):
                    outputs |= {f"discriminator/{name}/{i}": part for i, part in enumerate(value)}
                else:
                    outputs[f"discriminator/{name}"] = value
        return {f"eval/{name}": value.numpy() for name, value in outputs.items()}

    def first_gradients(self, recording):
        """Return the gradients in float64 of the step that is recorded in float32."""
        return OriginalTraining(self, recording, torch.float64).step("float32/step_0")["gradients"]

    def animate(self, recording, count):
        """Animate the first source with `count` driving frames, in all modes of transfer."""
        config, networks = self.load(recording, torch.float32)
        source, driving = (
            torch.tensor(as_floats(recording.arrays[f"inputs/{name}"], np.float32))
            for name in ("source", "driving")
        )
        for network in networks.values():
            network.eval()
        arrays = {}
        with torch.no_grad(), corners(config):
            kp_source, kp_initial = map(networks["kp_detector"], (source[:1], driving[:1]))
            for relative, adapt in TRANSFER_MODES:
                frames = []
                for i in range(count):
                    kp = self.normalize(
                        kp_source,
                        networks["kp_detector"](driving[i : i + 1]),
                        kp_initial,
                        adapt_movement_scale=bool(adapt),
                        use_relative_movement=bool(relative),
                        use_relative_jacobian=bool(relative),
                    )
                    out = networks["generator"](source[:1], kp_source=kp_source, kp_driving=kp)
                    prediction = to_nhwc(out["prediction"].numpy())
                    frames.append((prediction, kp["value"].numpy(), kp["jacobian"].numpy()))
                prefix = f"animation/relative_{relative}_adapt_scale_{adapt}"
                names = ("prediction", "kp_value", "kp_jacobian")
                for name, parts in zip(names, zip(*frames, strict=True), strict=True):
                    arrays[f"{prefix}/{name}"] = np.concatenate(parts)
        return arrays


class OriginalTraining:
    """The original's training on the inputs of a recording, from its checkpoint."""

    def __init__(self, original, recording, dtype):
        self.model = original.modules.model
        self.recording = recording
        self.dtype = dtype
        self.config, self.networks = original.load(recording, dtype)
        params = self.config["train_params"]
        networks = self.networks.values()
        self.generator_losses = self.model.GeneratorFullModel(*networks, params).to(dtype)
        self.discriminator_losses = self.model.DiscriminatorFullModel(*networks, params).to(dtype)
        self.optimizers = {}
        for name, network in self.networks.items():
            network.train()
            rate = params[f"lr_{name}"]
            self.optimizers[name] = torch.optim.Adam(network.parameters(), rate, betas=(0.5, 0.999))

    def step(self, name):
        """Train on the pairs and the transform that are recorded for a step."""
        recorded = self.recording.below(f"{name}/transform/")

        class RecordedTransform(self.model.Transform):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.theta = torch.tensor(recorded["theta"])
                self.control_params = torch.tensor(recorded["control_params"])

        source, driving = read_pairs(self.recording, int(name[-1]), self.dtype)
        pair = {"source": source, "driving": driving}
        transform = mock.patch.object(self.model, "Transform", RecordedTransform)
        with transform, corners(self.config):
            losses, generated = self.generator_losses(pair)
            sum(losses.values()).backward()
            gradients = self._gradients("generator", "kp_detector")
            for trained in ("generator", "kp_detector"):
                self.optimizers[trained].step()
            if self.config["train_params"]["loss_weights"]["generator_gan"] != 0:
                self.optimizers["discriminator"].zero_grad()
                adversarial = self.discriminator_losses(pair, generated)
                sum(adversarial.values()).backward()
                gradients |= self._gradients("discriminator")
                self.optimizers["discriminator"].step()
                losses |= adversarial
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        return {
            "losses": {key: loss.detach().numpy() for key, loss in losses.items()},
            "gradients": gradients,
            "prediction": generated["prediction"].detach().numpy(),
            "transformed_frame": generated["transformed_frame"].detach().numpy(),
            "state": {
                f"{network}/{key}": value.numpy().copy()
                for network in self.networks
                for key, value in self.networks[network].state_dict().items()
                if value.is_floating_point() and not key.endswith("down.weight")
            },
        }

    def _gradients(self, *names):
        return {
            f"{name}/{key}": value.grad.numpy().copy()
            for name in names
            for key, value in self.networks[name].named_parameters()
        }


def read_pairs(recording, step, dtype):
    """Return the source and driving frames of a step as tensors."""
    return [torch.tensor(to_nchw(frames)).to(dtype) for frames in recording.pairs(step, np.float32)]


def corners(config):
    """Make torch's grid_sample follow `compat.align_corners` of a configuration."""
    align = config.get("compat", {}).get("align_corners", False)
    sample = torch.nn.functional.grid_sample

    def aligned(*args, **kwargs):
        return sample(*args, align_corners=align, **kwargs)

    return mock.patch.object(torch.nn.functional, "grid_sample", aligned)


def make_vgg19():
    """Make the recordings' VGG19 up to relu5_1, in torchvision's layout."""
    layers = []
    for name, (kernel, bias) in seeded_vgg19().items():
        if name.endswith("_1") and layers:
            layers.append(torch.nn.MaxPool2d(2))
        conv = torch.nn.Conv2d(*kernel.shape[2:], 3, padding=1)
        conv.weight.data = torch.tensor(to_torch_layout(kernel))
        conv.bias.data = torch.tensor(bias)
        layers += [conv, torch.nn.ReLU()]
    return types.SimpleNamespace(features=layers)
