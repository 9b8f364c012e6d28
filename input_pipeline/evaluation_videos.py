"""The test videos, opened for reconstruction and animation."""

import itertools

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.types import Video
from input_pipeline.animation_pairs import choose_animation_pairs
from input_pipeline.picture_cache import PictureCache
from input_pipeline.splits import split_videos
from input_pipeline.videos import open_video


def open_test_videos(dataset: DatasetConfig, limit: int | None) -> list[Video]:
    """Open the first `limit` videos of the test split, or all of them if `limit` is None.

    The videos share one `PictureCache`, which bounds the memory for decoded frames.

    Raises:
      InputError: the dataset cannot be split, or a video cannot be read.
    """
    cache = PictureCache()
    paths = split_videos(dataset).test[:limit]
    return [open_video(path, dataset.frame_shape, cache=cache) for path in paths]


def open_test_pairs(dataset: DatasetConfig, limit: int) -> list[tuple[Video, Video]]:
    """Open the (source, driving) videos of at most `limit` pairs; see `choose_animation_pairs`.

    A video that is in several pairs is opened once. The videos share one `PictureCache`.

    Raises:
      InputError: the pairs cannot be chosen, or a video cannot be read.
    """
    cache = PictureCache()
    pairs = choose_animation_pairs(dataset, limit)
    videos = {
        path: open_video(path, dataset.frame_shape, cache=cache)
        for path in dict.fromkeys(itertools.chain.from_iterable(pairs))
    }
    return [(videos[source], videos[driving]) for source, driving in pairs]
