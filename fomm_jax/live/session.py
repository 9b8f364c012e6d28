"""A live animation, from its first frame to its last."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fomm_jax.live.camera_framing import CameraFraming
from fomm_jax.live.controls import Controls, key_lines, press
from fomm_jax.live.label import add_label, add_lines
from fomm_jax.live.meter import Figures, Meter
from fomm_jax.live.newest_frame import Frames, NewestFrame
from fomm_jax.live.puppet import Puppet
from fomm_jax.live.screens import Screen
from fomm_jax.media.framing import cut_frame, scale_into
from fomm_jax.rendering.source import Source

_SMALLEST_SIDE = 480  # pixels; smaller pictures are enlarged, as video calls have them
_PATIENCE = 0.05  # seconds to wait for a frame before keys are looked at


@dataclasses.dataclass(frozen=True)
class Stage:
    """What a live animation works with."""

    sources: Sequence[Source]  # the pictures, at least one
    puppet: Puppet
    framing: CameraFraming
    is_labelled: bool = True  # whether pictures say that they are generated


def perform(stage: Stage, frames: Frames, screens: Sequence[Screen], controls: Controls) -> Figures:
    """Animate pictures by the newest frame of a camera, until a key ends it or the camera does.

    Args:
      stage: what to work with.
      frames: the frames of the camera, as they come.
      screens: where the pictures are shown, and where keys come from.
      controls: the controls to begin with.

    Returns:
      Rate, latency and dropped frames of the whole run.

    Raises:
      InputError: the camera cannot be read, or a screen cannot show pictures.
    """
    meter = Meter()
    with NewestFrame(frames) as camera:
        while not camera.has_ended:
            for screen in screens:
                for key in screen.pressed_keys():
                    controls = press(controls, key)
            if controls.has_quit:
                break
            capture = camera.take(_PATIENCE)
            if capture is None or controls.is_frozen:
                continue
            picture, preview = animate_frame(stage, capture.frame, controls)
            for screen in screens:
                screen.show(picture, preview, str(meter.recent(camera.num_dropped)))
            meter.count(capture.time)
        return meter.overall(camera.num_dropped)


def animate_frame(
    stage: Stage, frame: np.ndarray, controls: Controls
) -> tuple[np.ndarray, np.ndarray]:
    """Animate the chosen picture by a frame of the camera.

    Args:
      stage: what to work with.
      frame: (h, w, 3) uint8.
      controls: which picture is animated, and how.

    Returns:
      The animated picture and a preview of what the model sees, both (h, w, 3) uint8. The picture
      always has the size of the stage's first one, the preview its height.
    """
    source = stage.sources[controls.picture % len(stage.sources)]
    frame = np.ascontiguousarray(frame[:, ::-1] if controls.is_mirrored else frame)
    seen = cut_frame(frame, stage.framing(frame, controls), stage.framing.size)
    size = _output_size(stage.sources[0])
    picture = scale_into(stage.puppet.move(source, seen, controls.calibrations), *size)
    if controls.shows_source:
        seen = (seen // 2 + source.frame // 2).astype(np.uint8)
    height, width = seen.shape[:2]
    preview = scale_into(seen, size[0], round(size[0] * width / height))
    if controls.shows_help:
        preview = add_lines(preview, key_lines())
    return (add_label(picture) if stage.is_labelled else picture), preview


def _output_size(source: Source) -> tuple[int, int]:
    """Return the height and width of the pictures that are shown; video needs even ones."""
    height, width = source.view.height, source.view.width
    factor = max(1.0, _SMALLEST_SIDE / min(height, width))
    return 2 * round(factor * height / 2), 2 * round(factor * width / 2)
