"""The original of the thin-plate spline model, imported from a clone of its repository.

The repository is https://github.com/yoyo-nb/Thin-Plate-Spline-Motion-Model (PyTorch).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fomm_jax.config.schema import Config
from fomm_jax.parity.bounds import Bound
from fomm_jax.parity.clones import as_in_yaml, check_clone, import_module, quiet
from fomm_jax.parity.first_order.original import load_tensors
from fomm_jax.parity.recordings import Arrays
from fomm_jax.parity.thin_plate.tolerances import bound_at_full_size
from fomm_jax.parity.torch_networks import to_tensor, torch

ALIGN_CORNERS = (True,)  # the original sets it itself

Networks = dict[str, Any]  # PyTorch modules by the names of the checkpoint, and `pyramid`
Dicts = Mapping[str, torch.Tensor]


def make_networks(path: Path, config: Config) -> Networks:
    """Make the original's networks for a configuration, with random weights.

    Args:
      path: the folder of a clone of the original.
      config: the architecture.

    Raises:
      InputError: `path` is not a clone of the original.
    """
    check_clone(path, config)
    # The fields of our configuration have the names of the original's arguments.
    model = dataclasses.asdict(config.model.thin_plate)
    dense_motion, generator = model["dense_motion"], model["generator"]
    common = {"num_channels": config.model.num_channels, "multi_mask": model["multi_mask"]}
    num_tps, scales = model["num_tps"], as_in_yaml(config.train.scales)
    with quiet():
        networks = {
            "kp_detector": import_module(path, "keypoint_detector").KPDetector(num_tps),
            "dense_motion_network": import_module(path, "dense_motion").DenseMotionNetwork(
                num_tps=num_tps, bg=model["bg"], **dense_motion, **common
            ),
            "inpainting_network": import_module(path, "inpainting_network").InpaintingNetwork(
                **generator, **common
            ),
            "avd_network": import_module(path, "avd_network").AVDNetwork(
                num_tps, **model["avd_network"]
            ),
            "pyramid": import_module(path, "model").ImagePyramide(
                scales, config.model.num_channels
            ),
        }
        if model["bg"]:
            networks["bg_predictor"] = import_module(
                path, "bg_motion_predictor"
            ).BGMotionPredictor()
    return networks


def load_weights(networks: Networks, checkpoint: Mapping[str, Any]) -> None:
    """Load the weights of a checkpoint into the networks that it contains.

    Raises:
      InputError: the tensors do not fit a network.
    """
    for name in networks.keys() & checkpoint.keys():
        load_tensors(networks[name], name, checkpoint[name])


def evaluate(
    networks: Networks, source: np.ndarray, driving: np.ndarray, align_corners: bool
) -> Arrays:
    """Run all networks in evaluation mode, as the original's reconstruction does.

    Args:
      networks: the original's networks.
      source: the source pictures, (b, h, w, c) uint8.
      driving: driving frames that show the same scenes, (b, h, w, c) uint8.
      align_corners: True, which the original itself sets.

    Returns:
      The outputs by the names of the recordings, in PyTorch's order of axes.
    """
    assert align_corners
    with torch.no_grad(), quiet():
        return run(networks, to_tensor(source), to_tensor(driving))


def run(networks: Networks, source: torch.Tensor, driving: torch.Tensor) -> Arrays:
    """Run all networks in evaluation mode on tensors (b, c, h, w); see `evaluate`."""
    for network in networks.values():
        network.eval()
    points = {
        f"kp_{name}": networks["kp_detector"](frame)
        for name, frame in (("source", source), ("driving", driving))
    }
    tensors: dict[str, Any] = {
        **{f"{name}/fg_kp": kp["fg_kp"] for name, kp in points.items()},
        "avd/fg_kp": networks["avd_network"](points["kp_source"], points["kp_driving"])["fg_kp"],
    }
    background = None
    if "bg_predictor" in networks:
        background = tensors["bg_param"] = networks["bg_predictor"](source, driving)
    motion = networks["dense_motion_network"](source, bg_param=background, **points)
    generated = networks["inpainting_network"](source, motion)
    tensors |= motion | generated
    tensors |= {f"pyramid/{name}": level for name, level in networks["pyramid"](driving).items()}
    if networks["inpainting_network"].multi_mask:  # the original fails with one mask
        maps = motion["occlusion_map"]
        tensors["encode"] = networks["inpainting_network"].get_encode(driving, maps)
    arrays: Arrays = {}
    for name, tensor in tensors.items():
        levels = {f"{name}/{i}": level for i, level in enumerate(tensor)}
        parts = levels if isinstance(tensor, list) else {name: tensor}
        arrays |= {part: array.detach().numpy() for part, array in parts.items()}
    return arrays


def bound(name: str) -> Bound:
    """Return how far an output may be from the original's."""
    return bound_at_full_size(name)
