"""Raw files of datasets, for tests: videos, and lists like those of VoxCeleb."""

import numpy as np

from fomm_jax.media.pictures import write_picture
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from input_pipeline.videos import open_video

HEADER = "video_id,start,end,bbox,fps,width,height,partition"
ROW = "a,10,20,0-0-16-16,25,96,64,train"

SIDE = 16  # pixels, of the frames in pictures of frames side by side

_rng = np.random.default_rng(0)


def write_list(path, *rows, header=HEADER):
    """Write a list of clips in the format of the authors' lists."""
    path.write_text("\n".join([header, *rows, ""]))


def write_video(path, num_frames, fps, height=64, width=96):
    """Write a video of coarse noise, in which no frame and no place is like another."""
    with VideoWriter(path, FilmFormat(height, width, fps=fps)) as writer:
        for _ in range(num_frames):
            coarse = _rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
            writer.write(coarse.repeat(8, axis=0).repeat(8, axis=1))
    return path


def read_all(location, frame_shape=None):
    """Read all frames of a video: (t, h, w, 3)."""
    return np.stack(list(open_video(location, frame_shape)))


def cut_like_authors(frames, fps, start, end, box, ref):
    """Cut a clip as the authors' script `load_videos.py` does, before it resizes the clip.

    Args:
      frames: all frames of the video.
      fps: the rate of the video as FFmpeg prints it.
      start, end, box: the values of the list.
      ref: fps, width and height of the list.
    """
    ref_fps, ref_width, ref_height = ref
    parts = []
    for i, frame in enumerate(frames):
        if start * fps <= i * ref_fps < end * fps:
            height, width = frame.shape[:2]
            left, right = (int(x / (ref_width / width)) for x in (box[0], box[2]))
            top, bottom = (int(y / (ref_height / height)) for y in (box[1], box[3]))
            parts.append(frame[top:bottom, left:right])
    return np.stack(parts)


def smooth_frames(num_frames, side=SIDE):
    """Draw frames (t, side, side, 3) that JPEG and H.264 hardly change."""
    grid = np.linspace(0, 1, side)
    y, x = np.meshgrid(grid, grid, indexing="ij")
    times = np.arange(num_frames)[:, None, None, None]
    waves = np.sin(3 * x[..., None] + 2 * y[..., None] + 0.4 * times + np.arange(3))
    return (127.5 + 100 * waves).astype(np.uint8)


def write_stacked_frames(path, frames):
    """Write frames side by side into one picture."""
    write_picture(path, np.concatenate(list(frames), axis=1))
