"""What an installation without the extra `train` lacks."""

import importlib.util

from fomm_jax.errors import InputError

# Packages that only the extra `train` brings.
_PACKAGES = ("array_record", "grain", "matplotlib", "tensorboardX", "tensorflow_datasets")
# Modes that read datasets or draw plots, other than `animate` without files.
MODES = ("train", "train_avd", "reconstruct", "compare")


def check_can_train(purpose: str) -> None:
    """Raise an `InputError` if a package of the extra `train` is missing.

    Args:
      purpose: what needs it, for the message.
    """
    for name in _PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise InputError(
                f"{purpose}: needs the package {name}; expected `pip install 'fomm_jax[train]'`"
            )
