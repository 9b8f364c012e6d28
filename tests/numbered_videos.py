"""Small videos whose pixels give the video, the frame and the place in the frame, for tests."""

import numpy as np
from PIL import Image

NUM_FRAMES, SIZE = 6, 8


def draw_video(number, num_frames=NUM_FRAMES):
    """Draw a video (t, 8, 8, 3): its number in red, the frame's in green, the place in blue."""
    frames = np.empty((num_frames, SIZE, SIZE, 3), np.uint8)
    frames[..., 0] = number
    frames[..., 1] = np.arange(num_frames)[:, None, None]
    frames[..., 2] = np.arange(SIZE * SIZE).reshape(SIZE, SIZE)
    return frames


def write_stacked(path, number, num_frames=NUM_FRAMES):
    """Write the video with this number as a picture of frames side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(draw_video(number, num_frames)), axis=1)).save(path)


def write_frames(folder, number):
    """Write the video with this number as a folder of frames."""
    folder.mkdir(parents=True)
    for i, frame in enumerate(draw_video(number)):
        Image.fromarray(frame).save(folder / f"{i}.png")


def cut_short(path):
    """Damage a file by removing its last 40 bytes."""
    path.write_bytes(path.read_bytes()[:-40])


def read_batches(iterator, num_batches):
    """Read source and driving frames of some batches: (n, 2, b, h, w, 3)."""
    batches = [next(iterator) for _ in range(num_batches)]
    return np.stack([np.stack([batch.source, batch.driving]) for batch in batches])


def video_numbers(batches):
    """Return the numbers of the videos, (n, b), in the result of `read_batches`."""
    return batches[:, 0, :, 0, 0, 0]


def frame_numbers(batches):
    """Return the numbers of the frames, (n, 2, b), in the result of `read_batches`."""
    return batches[..., 0, 0, 1]
