"""How many pixels the networks see of a frame."""

from fomm_jax.config.schema import Config


def training_size(config: Config) -> tuple[int, int]:
    """Return the (height, width) of training frames after the augmentation."""
    return config.dataset.augmentation.crop_size or config.dataset.frame_shape[:2]


def shrunk(pixels: int, scale: float) -> int:
    """Return how many pixels are left if every (1 / scale)-th is taken, the first included."""
    return -(-pixels // int(1 / scale))


def can_be_halved(pixels: int, times: int) -> bool:
    """Return whether the number can be halved this many times without remainder."""
    return (pixels & -pixels).bit_length() > times
