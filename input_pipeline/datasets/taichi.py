"""Tai-Chi-HD: people who practise tai chi."""

from pathlib import Path

from input_pipeline.datasets.builder import ClipsBuilder
from input_pipeline.datasets.clips import Selection
from input_pipeline.datasets.metadata_list import select_listed


class Taichi(ClipsBuilder):
    """Tai-Chi-HD of Siarohin et al. (2019): whole bodies in videos from the web.

    The list has 3,049 clips of 252 videos for training and 285 clips of 28 videos for testing.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    A folder with the list `taichi-metadata.csv` of
    https://github.com/AliaksandrSiarohin/video-preprocessing and, beside it, the videos that it
    names, as VIDEO_ID.mp4 (or .mkv, .webm and the like).

    VIDEO_ID is that of https://www.youtube.com/watch?v=VIDEO_ID. Nothing is downloaded here: the
    videos are got with a program of one's choice, where the law and the site's terms allow it. The
    manifest lists the ids of those that are missing.
    """

    @staticmethod
    def select_clips(folder: Path) -> Selection:
        """Take the clips of the list; see `metadata_list.select_listed`."""
        return select_listed(folder / "taichi-metadata.csv")
