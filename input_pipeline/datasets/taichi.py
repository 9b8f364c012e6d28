"""Tai-Chi-HD: people who practise tai chi."""

from pathlib import Path

from input_pipeline.clips.clip import Selection
from input_pipeline.clips.metadata_list import select_listed
from input_pipeline.datasets.builder import ClipsBuilder


class Taichi(ClipsBuilder):
    """Tai-Chi-HD of Siarohin et al. (2019): whole bodies, in videos from the web.

    The list has 3,049 clips of 252 videos for training and 285 clips of 28 videos for testing.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The folder must hold the list `taichi-metadata.csv` of
    https://github.com/AliaksandrSiarohin/video-preprocessing and the videos that
    the list names, called VIDEO_ID.mp4 (or .mkv, .webm and the like).

    VIDEO_ID is the id in https://www.youtube.com/watch?v=VIDEO_ID. This project downloads nothing:
    get the videos with a program of your choice, where the law and the site's terms allow it. The
    manifest of the prepared dataset lists the ids of missing videos.
    """

    @staticmethod
    def select_clips(folder: Path) -> Selection:
        """Select the clips of `taichi-metadata.csv`; see `metadata_list.select_listed`."""
        return select_listed(folder / "taichi-metadata.csv")
