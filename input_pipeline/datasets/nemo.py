"""Nemo: people who smile."""

from pathlib import Path

from input_pipeline.datasets.builder import ClipsBuilder
from input_pipeline.datasets.clips import Selection
from input_pipeline.datasets.metadata_list import select_listed
from input_pipeline.datasets.whole_videos import select_whole_videos


class Nemo(ClipsBuilder):
    """The UvA-NEMO Smile Database of the University of Amsterdam: faces, cut out of its videos.

    The database has 1,240 videos of 400 persons, at 1920x1080 and 50 frames a second.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The database is given out on request: https://www.uva-nemo.org/. The folder holds either

    - its videos and beside them the list `nemo-metadata.csv`, which `crop_nemo.py` of
      https://github.com/AliaksandrSiarohin/video-preprocessing writes when it has looked for the
      faces, or
    - the folders `train` and `test` of faces that are cut out already.
    """

    @staticmethod
    def select_clips(folder: Path) -> Selection:
        """Take the clips of the list, or without a list the videos of the two folders."""
        path = folder / "nemo-metadata.csv"
        return select_listed(path) if path.exists() else select_whole_videos(folder)
