"""Stand-ins for cameras and screens."""

import contextlib
import time

import numpy as np


def grey(level, size=16):
    """Return a frame of one level."""
    return np.full((size, size, 3), level, np.uint8)


class FakeScreen(contextlib.AbstractContextManager):
    """Remembers what it shows; presses keys before some frames.

    Args:
      keys: by the number of pictures shown before, the keys that are pressed then.
    """

    def __init__(self, keys=None):
        self.pictures, self.previews, self.titles = [], [], []
        self._keys = dict(keys or {})

    def __exit__(self, *_):
        """Close nothing."""

    def show(self, picture, preview, title):
        """Remember what is shown."""
        self.pictures.append(picture)
        self.previews.append(preview)
        self.titles.append(title)

    def pressed_keys(self):
        """Return the keys that are pressed at this moment."""
        return self._keys.pop(len(self.pictures), [])


def patient_camera(screen, frames):
    """Yield each frame once the one before it is shown, so that none is dropped."""
    for number, frame in enumerate(frames):
        while len(screen.pictures) < number:
            time.sleep(0.001)
        yield frame
