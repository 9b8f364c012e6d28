"""The test videos as reconstruction and animation read them."""

from fomm_jax.config import DatasetConfig
from fomm_jax.types import Video
from input_pipeline.pairs import animation_pairs
from input_pipeline.sources import open_video
from input_pipeline.splits import split_videos


def open_test_videos(dataset: DatasetConfig, limit: int) -> list[Video]:
    """The first `limit` videos of the test split.

    Raises:
        InputError: where the dataset cannot be split or a video cannot be read.
    """
    paths = split_videos(dataset).test[:limit]
    return [open_video(path, dataset.frame_shape) for path in paths]


def open_test_pairs(dataset: DatasetConfig, limit: int) -> list[tuple[Video, Video]]:
    """At most `limit` pairs of test videos, source and driving, as `pairs.animation_pairs` says.

    Raises:
        InputError: as `animation_pairs`, or where a video cannot be read.
    """
    return [
        (open_video(source, dataset.frame_shape), open_video(driving, dataset.frame_shape))
        for source, driving in animation_pairs(dataset, limit)
    ]
