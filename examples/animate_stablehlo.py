"""Animate a picture by an exported model. This needs neither fomm_jax nor Flax.

    pip install jax flatbuffers pillow
    python animate_stablehlo.py animation.bin picture.png driving.gif animation.gif

`fomm_jax.Animator.demo().export("animation.bin")` writes the model.
"""

import pathlib
import sys

import jax
import numpy as np
from jax import export
from PIL import Image, ImageOps, ImageSequence

BATCH = 16  # frames at a time: one size, so that JAX compiles the model once


def read_frames(path, size):
    """Read the frames of a picture or a GIF, cropped to a (width, height)."""
    with Image.open(path) as image:
        frames = [ImageOps.fit(each.convert("RGB"), size) for each in ImageSequence.Iterator(image)]
    return np.stack(frames)


def main(model, picture, driving, film):
    """Animate the picture by the driving frames, and write a GIF."""
    exported = export.deserialize(bytearray(pathlib.Path(model).read_bytes()))
    animate = jax.jit(exported.call)
    _, height, width, _ = exported.in_avals[0].shape
    source = read_frames(picture, (width, height))[:1]
    frames = read_frames(driving, (width, height))
    filled = np.concatenate([frames, np.repeat(frames[-1:], -len(frames) % BATCH, axis=0)])
    batches = np.split(filled, len(filled) // BATCH)
    made = np.concatenate([animate(source, batch, frames[:1]) for batch in batches])[: len(frames)]
    first, *others = map(Image.fromarray, made)
    mark = b"Generated: a model has animated a picture. What it shows did not happen."
    first.save(film, save_all=True, append_images=others, duration=60, loop=0, comment=mark)


if __name__ == "__main__":
    main(*sys.argv[1:])
