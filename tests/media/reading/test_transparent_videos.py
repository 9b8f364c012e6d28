"""Transparent parts of videos are white."""

import subprocess

import av
import imageio_ffmpeg
import numpy as np
import pytest

from fomm_jax.media.reading.frame_index import index_frames
from fomm_jax.media.reading.video_reader import iterate_frames, read_frames


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparent_parts_of_webm(tmp_path, codec):
    if codec not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {codec}")
    path = tmp_path / "a.webm"
    source = "color=red:s=64x48:r=25:d=0.4,format=yuva420p"
    moving = "geq=lum='p(X,Y)':cb='p(X,Y)':cr='p(X,Y)':a='255*lt(X,16+4*N)'"  # opaque at the left
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-f", "lavfi", "-i", f"{source},{moving}"]
    command += ["-c:v", codec, "-auto-alt-ref", "0", "-g", "4", "-pix_fmt", "yuva420p", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    frames = list(iterate_frames(path))
    assert len(frames) == 10
    for number, frame in enumerate(frames):
        edge = 16 + 4 * number
        np.testing.assert_allclose(frame[24, edge - 8], (254, 0, 0), atol=12)
        np.testing.assert_allclose(frame[24, edge + 8], 255, atol=12)
    index = index_frames(path)
    assert (index is None) == (codec == "libvpx")
    for number, frame in zip((7, 2), read_frames(path, (7, 2), index), strict=True):
        np.testing.assert_array_equal(frame, frames[number])
