"""Decoded frames of a video to pictures as players show them.

FFmpeg's filters compute. Most frames need none, and only change from YUV to RGB.
"""

import functools
import itertools
import threading
from fractions import Fraction
from typing import Any

import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from fomm_jax.media.colours import WHITE, hide_transparent
from fomm_jax.media.framing import scale_into

# Pixels within 1 % of square count as square: programs that round a size write such values. A ratio
# above 8 is damage.
_SQUARE_WITHIN, _MAX_ASPECT = 0.01, 8

_HDR = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)  # PQ and HLG
_WIDE = (ColorPrimaries.BT2020, ColorPrimaries.SMPTE431, ColorPrimaries.SMPTE432)

# Reference white becomes white, and what is brighter is clipped. Other intents keep highlights
# apart, and make faces darker than a camera's own SDR film does.
_TO_SDR = "out_primaries=bt709:out_transfer=bt709:intent=relative_colorimetric"

# The lines of the second field are computed from those of the first, within a frame: so each frame
# can be decoded alone.
_DEINTERLACE = "mode=frame:deint=interlaced"

_sdr_lock = threading.Lock()


class FramePainter:
    """Turns the decoded frames of a video into pictures of one size.

    Interlaced frames show the moment of their first field, HDR and wide gamuts become BT.709,
    pixels become square, what is transparent becomes white, and mirrored or turned frames upright.
    A frame whose size differs from the video's is scaled to it, with its aspect ratio kept.

    Args:
      stream: the picture track.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._size = stream.codec_context.width, stream.codec_context.height
        self._pixel_aspect = _pixel_aspect(stream)
        self._reformatter = VideoReformatter()  # one for all frames: making one costs most

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """Return a frame as it is shown, (h, w, 3) uint8 RGB."""
        if frame.interlaced_frame:
            frame = _deinterlace(frame)
        if frame.color_trc in _HDR or frame.color_primaries in _WIDE:
            frame = _to_sdr(frame)
        has_alpha = _has_alpha(frame.format.name)
        width, height = self._square(frame.width, frame.height)
        converted = self._reformatter.reformat(
            frame, width, height, "rgba" if has_alpha else "rgb24", threads=1
        )
        picture = converted.to_ndarray()
        if has_alpha:
            picture = hide_transparent(picture, WHITE)
        if (frame.width, frame.height) != self._size:
            width, height = self._square(*self._size)
            picture = scale_into(picture, height, width)
        return np.ascontiguousarray(_turn_upright(picture, frame))

    def _square(self, width: int, height: int) -> tuple[int, int]:
        """Return the size at which pixels are square; no side becomes smaller."""
        aspect = self._pixel_aspect
        if aspect > 1:
            return round(width * aspect), height
        return width, round(height / aspect)


def _pixel_aspect(stream: VideoStream) -> Fraction:
    """Return the width of a pixel by its height."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if stream.codec_context.name == "gif":  # browsers ignore what a GIF says of its pixels
        return Fraction(1)
    if (
        aspect <= 0
        or not 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT
        or abs(aspect - 1) < _SQUARE_WITHIN
    ):
        return Fraction(1)
    return aspect


@functools.cache
def _has_alpha(pixel_format: str) -> bool:
    return any(component.is_alpha for component in VideoFormat(pixel_format).components)


def _turn_upright(picture: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """Mirror and turn a picture by the display matrix of its frame, to the next quarter turn."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return picture
    # ISO 14496-12, 6.2.2: a point (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d = (int(number) for number in np.frombuffer(data, np.int32)[:5])
    if abs(b) > abs(a):
        picture, a, d = picture.swapaxes(0, 1), c, b
    return picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _deinterlace(frame: VideoFrame) -> VideoFrame:
    graph = _make_graph(_layout(frame), [("estdif", _DEINTERLACE)])
    graph.push(frame)
    graph.push(None)  # the filter holds one frame back
    return graph.vpull()


def _to_sdr(frame: VideoFrame) -> VideoFrame:
    colours = frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries
    with _sdr_lock:
        graph = _sdr_graph(_layout(frame), colours)
        graph.push(frame)
        return graph.vpull()


@functools.lru_cache(maxsize=8)
def _sdr_graph(layout: tuple[str, int, int], colours: tuple[int, ...]) -> Graph:
    """Return the filter for frames of a layout and of certain colours; its tables take seconds."""
    return _make_graph(layout, [("scale", _TO_SDR), ("format", "rgb24")])


def _layout(frame: VideoFrame) -> tuple[str, int, int]:
    return frame.format.name, frame.width, frame.height


def _make_graph(layout: tuple[str, int, int], filters: list[tuple[str, str]]) -> Graph:
    pixel_format, width, height = layout
    graph = Graph()
    source = graph.add_buffer(
        width=width, height=height, format=VideoFormat(pixel_format), time_base=Fraction(1, 1000)
    )
    graph.link_nodes(source, *itertools.starmap(graph.add, filters), graph.add("buffersink"))
    graph.configure()
    return graph
