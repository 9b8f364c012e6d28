"""Checks of the data of a training before it begins, and before JAX is loaded."""

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from input_pipeline.picture_cache import PictureCache
from input_pipeline.splits import Split, VideoLocation, group_by_id, split_videos
from input_pipeline.videos import SeekableVideo, open_video

NUM_OPENED = 3  # videos that are opened beforehand


def check_training_data(dataset: DatasetConfig, batch_size: int, num_repeats: int) -> Split:
    """Check that there are enough videos to train on, and that the first ones can be used.

    If the first few videos cannot be used, neither can the others, most likely: they have another
    size than `dataset.frame_shape`, say. Single videos are checked when a batch needs them.

    Args:
      dataset: the dataset.
      batch_size: the number of pairs in a batch of all hosts.
      num_repeats: how often an epoch passes over the videos or ids.

    Returns:
      The videos.

    Raises:
      InputError: there are too few videos, or they cannot be used.
    """
    split = split_videos(dataset)
    num_elements = len(group_by_id(split.train) if dataset.id_sampling else split.train)
    check_batch_size(dataset, batch_size, num_elements, num_repeats)
    errors = []
    for location in split.train[:NUM_OPENED]:
        try:
            open_for_training(location, dataset, PictureCache())
        except InputError as error:
            errors.append(error)
        else:
            return split
    raise errors[0]


def check_batch_size(
    dataset: DatasetConfig, batch_size: int, num_elements: int, num_repeats: int
) -> None:
    """Check that a batch fits into an epoch.

    Args:
      dataset: the dataset.
      batch_size: the number of pairs in a batch of all hosts.
      num_elements: the number of videos, or of ids with `dataset.id_sampling`.
      num_repeats: how often an epoch passes over them.

    Raises:
      InputError: it does not, or there are no videos.
    """
    if not num_elements:
        raise InputError(f"{dataset.root_dir}: has no training videos; expected at least one")
    num_pairs = num_elements * num_repeats
    if not 1 <= batch_size <= num_pairs:
        unit = "ids" if dataset.id_sampling else "training videos"
        raise InputError(
            f"config.train.batch_size is {batch_size}; expected 1 to {num_pairs},"
            f" the {num_elements} {unit} in {dataset.root_dir} times config.train.num_repeats"
            f" {num_repeats}"
        )


def open_for_training(
    location: VideoLocation, dataset: DatasetConfig, cache: PictureCache
) -> SeekableVideo:
    """Open a video from which pairs can be drawn.

    Raises:
      InputError: it cannot be read, has another size than `dataset.frame_shape` and is not cropped,
        or has a single frame.
    """
    any_size = dataset.augmentation.crop_size is not None
    video = open_video(location, dataset.frame_shape, any_size=any_size, cache=cache)
    if len(video) < 2:
        raise InputError(f"{location}: has one frame; training expects at least 2 in a video")
    return video
