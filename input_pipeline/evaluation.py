"""The test videos as reconstruction and animation read them."""

import itertools

from fomm_jax.config import DatasetConfig
from fomm_jax.types import Video
from input_pipeline.pairs import animation_pairs
from input_pipeline.sources import PictureCache, open_video
from input_pipeline.splits import split_videos


def open_test_videos(dataset: DatasetConfig, limit: int | None) -> list[Video]:
    """Open the first `limit` videos of the test split, or all where it is None.

    What is decoded on the way is kept in one `PictureCache`, so that memory is bounded.

    Raises:
      InputError: the dataset cannot be split or a video cannot be read.
    """
    cache = PictureCache()
    paths = split_videos(dataset).test[:limit]
    return [open_video(path, dataset.frame_shape, cache=cache) for path in paths]


def open_test_pairs(dataset: DatasetConfig, limit: int) -> list[tuple[Video, Video]]:
    """Open at most `limit` pairs of test videos, source and driving, as `animation_pairs` has them.

    Each video is opened once, with one `PictureCache` for all.

    Raises:
      InputError: as `animation_pairs`, or a video cannot be read.
    """
    cache = PictureCache()
    pairs = animation_pairs(dataset, limit)
    videos = {
        path: open_video(path, dataset.frame_shape, cache=cache)
        for path in dict.fromkeys(itertools.chain.from_iterable(pairs))
    }
    return [(videos[source], videos[driving]) for source, driving in pairs]
