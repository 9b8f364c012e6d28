"""Clones of the originals' repositories, and how their modules are imported."""

import importlib
import sys
import types
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError

# By `config.model.name`: the name of the repository, and a file that only its clones have.
CLONES = {
    "first-order": ("first-order-model", "modules/generator.py"),
    "thin-plate": ("Thin-Plate-Spline-Motion-Model", "modules/inpainting_network.py"),
}


def recognise_clone(path: Path) -> str:
    """Return the name of the model whose original a folder is a clone of.

    Raises:
      InputError: it is none.
    """
    for name, (_, file) in CLONES.items():
        if (path / file).is_file():
            return name
    repositories = " or ".join(repository for repository, _ in CLONES.values())
    raise InputError(f"{path}: expected a clone of {repositories}")


def check_clone(path: Path, config: Config) -> None:
    """Raise an `InputError` if a folder is no clone, or one of another model's original."""
    name = recognise_clone(path)
    if name != config.model.name:
        raise InputError(
            f"{path} is a clone of {CLONES[name][0]}, the original of the {name} model;"
            f" expected that of the {config.model.name} model, as config.model.name says"
        )


def import_module(path: Path, name: str) -> types.ModuleType:
    """Import a module of an original, such as `model`, from the package `modules` of a clone.

    A process can import from one clone alone, since the packages of all have one name. In place of
    torchvision, which would download weights, the originals get networks of the same layers.

    Raises:
      InputError: torch is not installed.
    """
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))
    sys.modules.setdefault("torchvision", _torchvision())
    with quiet():
        return importlib.import_module(f"modules.{name}")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings about code that was written for an older torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def as_in_yaml(scales: Sequence[float]) -> list[float]:
    """Convert whole numbers to integers, as a YAML file has them."""
    return [int(scale) if scale == int(scale) else scale for scale in scales]


def _torchvision() -> types.ModuleType:
    """Make a module with the functions of torchvision that the originals call."""
    from fomm_jax.parity.torch_networks import ResNet18, vgg19

    module = types.ModuleType("torchvision")
    models = types.SimpleNamespace(vgg19=vgg19, resnet18=ResNet18)
    module.models = models  # type: ignore[attr-defined]
    return module
