"""Counts the training videos that cannot be used, and stops when they are too many."""

import json
import logging
from collections.abc import Iterable

from fomm_jax.errors import InputError

MAX_NAMED_VIDEOS = 3  # in the message of the error

logger = logging.getLogger(__name__)


class BadVideos:
    """The training videos that turned out unusable, wholly or in part, and their limit.

    Args:
      num_videos: the number of training videos.
      max_share: the share of them that may be unusable, 0 to 1; one video always may be.
    """

    def __init__(self, num_videos: int, max_share: float) -> None:
        self._num_videos = num_videos
        self._max_share = max_share
        self._problems: dict[str, str] = {}  # the first problem of each video

    def __len__(self) -> int:
        """Return the number of unusable videos."""
        return len(self._problems)

    def add(self, problems: Iterable[str]) -> None:
        """Add the problems of drawn pairs (`DrawnPair.problems`) and name new videos to the user.

        Raises:
          InputError: more videos than allowed are unusable.
        """
        for text in problems:
            for video, problem in json.loads(text).items():
                if video not in self._problems:
                    self._problems[video] = problem
                    logger.warning("left out: %s", problem)
        # Among few videos, a single damaged one would exceed any small share.
        if len(self) > max(1, self._max_share * self._num_videos):
            raise InputError(
                f"{len(self)} of {self._num_videos} training videos cannot be used, more than"
                f" config.dataset.max_bad_share={self._max_share} allows; the first are:"
                f" {'; '.join([*self._problems.values()][:MAX_NAMED_VIDEOS])}"
            )
