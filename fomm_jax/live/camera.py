"""Open a camera, or a film that plays in place of one."""

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.device import enumerate_input_devices

from fomm_jax.errors import InputError
from fomm_jax.live.newest_frame import Frames
from fomm_jax.media.reading.probe import VideoInfo, probe_video
from fomm_jax.media.reading.shown_frames import FramePainter
from fomm_jax.media.reading.video_reader import iterate_frames

# FFmpeg's names for what gives it the frames of cameras, by the value of sys.platform.
_DRIVERS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
# avfoundation takes no camera without a rate that it knows; every camera knows this one.
_OPTIONS = {"avfoundation": {"framerate": "30"}}
_PREFIXES = {"dshow": "video="}


def open_camera(name: str | None) -> Frames:
    """Open a camera, or a film that plays at its own rate and then ends.

    Args:
      name: the camera, by the name that the system gives to it (/dev/video0 on Linux, a number or a
        name elsewhere), or the path of a film; None: the first camera.

    Returns:
      (h, w, 3) uint8 RGB frames of one size, as they come. A camera that ends raises an
      `InputError`.

    Raises:
      InputError: there is no such camera or film.
    """
    if name is not None and os.path.isfile(name):
        return _play(name, probe_video(name))
    driver = _DRIVERS.get(sys.platform)
    if driver is None:
        raise InputError(f"camera: expected a film, since cameras of {sys.platform} are not known")
    camera = name or _first_camera(driver)
    with _naming(camera, driver):
        options = _OPTIONS.get(driver, {})
        container = av.open(_PREFIXES.get(driver, "") + camera, format=driver, options=options)
    return _watch(container, camera, driver)


def _play(path: str, info: VideoInfo) -> Frames:
    """Yield the frames of a film, each at its time."""
    times = itertools.count() if info.times is None else iter(info.times * info.fps)
    begin = time.monotonic()
    for moment, frame in zip(times, iterate_frames(path, index=info.index), strict=False):
        time.sleep(max(0.0, begin + moment / info.fps - time.monotonic()))
        yield frame


def _watch(container: InputContainer, camera: str, driver: str) -> Frames:
    """Yield the frames of a camera."""
    with _naming(camera, driver), container:
        stream = container.streams.video[0]
        yield from map(FramePainter(stream), container.decode(stream))
    raise InputError(f"camera {camera}: has ended; expected frames until the animation is ended")


@contextlib.contextmanager
def _naming(camera: str, driver: str) -> Iterator[None]:
    """Turn FFmpeg's errors about a camera into an `InputError` that names those that are there."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        cameras = _cameras(driver)
        known = f"expected {' or '.join(cameras)}" if cameras else "no camera is found"
        raise InputError(f"camera {camera}: cannot be read ({error.strerror}); {known}") from error


def _first_camera(driver: str) -> str:
    cameras = _cameras(driver)
    if not cameras:
        raise InputError("camera: none is found; expected one, or the name of a film")
    return cameras[0]


def _cameras(driver: str) -> list[str]:
    """Return the names of the cameras of this computer."""
    try:
        devices = enumerate_input_devices(driver)
    except (av.FFmpegError, ValueError):
        return []
    # Some drivers tell no kinds of media.
    return [each.name for each in devices if "video" in each.media_types or not each.media_types]
