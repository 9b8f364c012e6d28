"""Training pairs, each drawn from a video by a generator."""

import json

import numpy as np

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from input_pipeline.splits import VideoLocation, group_by_id, split_videos
from input_pipeline.transforms import augment, sample_pair
from input_pipeline.videos import PictureCache, Video, open_video

# Draws in a row. With half of the videos bad, the most that `max_bad_share` may allow, one in 10^12
# pairs would take more.
TRIES = 40


class PairSampler:
    """Draws a training pair from a video of a given number, or from one of an id's videos.

    Videos are opened when first needed and stay open, so that each is probed once. In place of a
    video or a frame that cannot be used another video is drawn, by the same generator.
    """

    def __init__(self, dataset: DatasetConfig) -> None:
        self._dataset = dataset
        videos = split_videos(dataset).train
        self.num_videos = len(videos)
        self._groups = group_by_id(videos) if dataset.id_sampling else [[v] for v in videos]
        self._opened: dict[VideoLocation, Video] = {}
        self._unusable: dict[VideoLocation, str] = {}
        self._cache = PictureCache()

    def __len__(self) -> int:
        """The number of videos, or of ids."""
        return len(self._groups)

    def __call__(self, element: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw a pair from the video or id `element` modulo `len`, where that can be used.

        Returns:
          "source" and "driving", each (h, w, 3) uint8, and "problems", a string: the videos that
          could not be used, and why, as a JSON object.

        Raises:
          InputError: a video cannot be used, and `dataset.strict` is set; or none of `TRIES` can.
        """
        problems: dict[str, str] = {}
        for _ in range(TRIES):
            group = self._groups[element % len(self._groups)]
            location = group[rng.integers(len(group))]
            try:
                source, driving = self._draw(location, rng)
            except InputError as error:
                if self._dataset.strict:
                    raise
                problems[str(location)] = str(error)
                element = int(rng.integers(len(self._groups)))
            else:
                problems_text = np.array(json.dumps(problems))
                return {"source": source, "driving": driving, "problems": problems_text}
        raise InputError(
            f"{TRIES} training videos drawn in a row cannot be used;"
            f" the first: {next(iter(problems.values()))}"
        )

    def _draw(self, location: VideoLocation, rng: np.random.Generator) -> np.ndarray:
        video = self._open(location)
        frames = video.frames(sample_pair(len(video), rng))
        return augment(frames, self._dataset.augmentation, rng)

    def _open(self, location: VideoLocation) -> Video:
        # Whether frames can be read is not remembered: what others had drawn before would decide
        # on whether this video is used.
        if location in self._unusable:
            raise InputError(self._unusable[location])
        if location not in self._opened:
            try:
                self._opened[location] = self._probe(location)
            except InputError as error:
                self._unusable[location] = str(error)
                raise
        return self._opened[location]

    def _probe(self, location: VideoLocation) -> Video:
        any_size = self._dataset.augmentation.crop_size is not None
        shape = self._dataset.frame_shape
        video = open_video(location, shape, any_size=any_size, cache=self._cache)
        if len(video) < 2:
            raise InputError(f"{location}: has one frame; training expects at least 2 in a video")
        return video
