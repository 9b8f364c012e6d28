"""The colours of a picture as people see them: sRGB, without what is transparent.

littlecms computes, by way of Pillow.
"""

import functools
import io
import logging

import numpy as np
from PIL import Image, ImageCms

logger = logging.getLogger(__name__)

Colour = tuple[int, int, int]  # red, green, blue, from 0 to 255
WHITE: Colour = (255, 255, 255)

# The mode in which Pillow holds pixels, by the colour space of a profile (ICC.1, table 19).
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}

# Levels by which sRGB itself differs, for reasons of rounding, after a way through its profile.
_ROUNDING = 2


def to_rgb(image: Image.Image, background: Colour | None, name: str) -> np.ndarray:
    """Return the pixels of an open picture.

    Args:
      image: the picture, or the current frame of an animation.
      background: the colour that is seen where the picture is transparent. None leaves out the
        transparency, so that hidden colours appear.
      name: the name of the file, for messages.

    Returns:
      (h, w, 3) uint8 in sRGB. The profile of the picture is applied. 16-bit grey is scaled by 1/257
      and rounded; of 16-bit colour Pillow keeps the upper 8 bits.
    """
    has_alpha = image.has_transparency_data
    if image.mode.startswith("I"):  # Pillow would clip 16 bits of grey to 8
        grey = np.rint(np.asarray(image) / 257).clip(0, 255).astype(np.uint8)
        colours = Image.fromarray(grey)
    elif has_alpha:
        colours = image.convert("RGBA").convert("L" if _is_grey(image) else "RGB")
    else:
        colours = image
    colours = _apply_profile(colours, image.info.get("icc_profile"), name)
    if has_alpha and background is not None:
        colours = _over(background, colours, image.convert("RGBA").getchannel("A"))
    return np.array(colours)


def hide_transparent(pixels: np.ndarray, background: Colour) -> np.ndarray:
    """Return (h, w, 3) uint8: RGBA pixels (h, w, 4) in front of a background."""
    image = Image.fromarray(pixels)
    return np.array(_over(background, image.convert("RGB"), image.getchannel("A")))


def _over(background: Colour, colours: Image.Image, alpha: Image.Image) -> Image.Image:
    seen = Image.new("RGB", colours.size, background)
    seen.paste(colours, mask=alpha)
    return seen


def _is_grey(image: Image.Image) -> bool:
    return image.getbands()[0] in ("1", "L", "I")


def _apply_profile(image: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """Return a picture in sRGB; one without a profile is taken for sRGB."""
    if profile:
        try:
            mode, transform = _transform_to_srgb(profile)
        except (OSError, ValueError, ImageCms.PyCMSError):
            logger.warning("%s: its colour profile is damaged and is not used", name)
        else:
            is_cmyk = image.mode == "CMYK"
            is_meant = is_cmyk == (mode == "CMYK") and (mode != "L" or _is_grey(image))
            if transform is not None and is_meant:
                return transform.apply(image.convert(mode))
    return image.convert("RGB")


@functools.lru_cache(maxsize=8)  # making one takes longer than applying it
def _transform_to_srgb(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """Return the mode of the pixels that a profile describes, and its way to sRGB.

    Returns:
      In place of the way, None if the profile is the one of sRGB, or does not describe pixels.

    Raises:
      OSError, ValueError, ImageCms.PyCMSError: the profile is damaged.
    """
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = _MODES.get(opened.profile.xcolor_space)
    if mode is None:
        return "RGB", None
    transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
    if mode == "CMYK":
        return mode, transform
    noise = np.random.default_rng(0).bytes(64 * 64 * len(mode))
    colours = Image.frombytes(mode, (64, 64), noise)
    shift = np.asarray(transform.apply(colours), int) - np.asarray(colours.convert("RGB"), int)
    return mode, transform if np.abs(shift).max() > _ROUNDING else None
