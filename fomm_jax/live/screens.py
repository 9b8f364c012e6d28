"""Where live pictures are shown: a window, a virtual camera for video calls, or a pipe."""

import contextlib
import logging
import sys
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.raw_frames import RawWriter

logger = logging.getLogger(__name__)

_VIRTUAL_RATE = 30.0  # frames a second that a virtual camera says it has
_DRIVERS = {
    "linux": "v4l2loopback (`sudo modprobe v4l2loopback`)",
    "darwin": "the virtual camera of OBS",
    "win32": "the virtual camera of OBS",
}


class Screen(Protocol):
    """Shows pictures; a context manager."""

    def __enter__(self) -> Self:
        """Open the screen."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the screen."""
        ...

    def show(self, picture: np.ndarray, preview: np.ndarray, title: str) -> None:
        """Show a picture.

        Args:
          picture: the animated picture, (h, w, 3) uint8; of one size for the whole run.
          preview: what the person in front of the camera may see beside it, of the same height.
          title: a line about the run.
        """
        ...

    def pressed_keys(self) -> list[str]:
        """Return the keys that were pressed since the call before, by their names in Tk."""
        ...


class Window(contextlib.AbstractContextManager["Window"]):
    """A window that shows the preview beside the picture, and hears keys.

    Raises:
      InputError: there is no screen, or Python came without Tk.
    """

    def __init__(self) -> None:
        try:
            import tkinter  # not a part of every Python

            from PIL import ImageTk

            self._root = tkinter.Tk()
        except ImportError as error:
            raise InputError(
                "window: this Python has no Tk (on Debian, `apt install python3-tk`); expected"
                " it, or output=-"
            ) from error
        except tkinter.TclError as error:
            raise InputError(
                f"window: cannot be opened ({error}); expected a screen, or output=-"
            ) from error
        self._keys: list[str] = []
        self._root.bind("<Key>", lambda event: self._keys.append(event.keysym))
        self._root.protocol("WM_DELETE_WINDOW", lambda: self._keys.append("q"))
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._make_photo: Any = ImageTk.PhotoImage
        self._photo: Any = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the window."""
        self._photo = None
        self._root.destroy()

    def show(self, picture: np.ndarray, preview: np.ndarray, title: str) -> None:
        """Show the preview and the picture side by side."""
        image = Image.fromarray(np.concatenate([preview, picture], axis=1))
        if self._photo is None or (self._photo.width(), self._photo.height()) != image.size:
            self._photo = self._make_photo(image)
            self._label.configure(image=self._photo)
        else:
            self._photo.paste(image)
        self._root.title(title)

    def pressed_keys(self) -> list[str]:
        """Return the new keys; closing the window counts as `q`."""
        self._root.update()
        keys, self._keys[:] = self._keys[:], []
        return keys


class VirtualCamera(contextlib.AbstractContextManager["VirtualCamera"]):
    """A camera that other programs find; it opens with the first picture.

    Raises:
      InputError: pyvirtualcam is not installed.
    """

    def __init__(self) -> None:
        try:
            import pyvirtualcam  # an extra
        except ImportError as error:
            raise InputError(
                "output=virtual: needs the package pyvirtualcam; expected"
                " `pip install 'fomm_jax[live]'`"
            ) from error
        self._open: Any = pyvirtualcam.Camera
        self._camera: Any = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the camera."""
        if self._camera is not None:
            self._camera.close()

    def show(self, picture: np.ndarray, preview: np.ndarray, title: str) -> None:
        """Send the picture alone.

        Raises:
          InputError: the driver of virtual cameras is missing.
        """
        if self._camera is None:
            height, width = picture.shape[:2]
            try:
                self._camera = self._open(width=width, height=height, fps=_VIRTUAL_RATE)
            except RuntimeError as error:
                driver = _DRIVERS.get(sys.platform, "one")
                raise InputError(
                    f"output=virtual: no driver of virtual cameras answers; expected {driver}"
                ) from error
        self._camera.send(picture)

    def pressed_keys(self) -> list[str]:
        """Return no keys."""
        return []


class Pipe(RawWriter):
    """A pipe that takes the pictures as raw frames."""

    _has_begun = False

    def show(self, picture: np.ndarray, preview: np.ndarray, title: str) -> None:
        """Write the picture alone."""
        if not self._has_begun:
            height, width = picture.shape[:2]
            logger.info("standard output: RGB24 frames of %dx%d", width, height)
            self._has_begun = True
        self.write(picture)

    def pressed_keys(self) -> list[str]:
        """Return no keys."""
        return []
