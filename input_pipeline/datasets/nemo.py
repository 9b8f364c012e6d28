"""Nemo: people who smile."""

from pathlib import Path

from input_pipeline.clips.clip import Selection
from input_pipeline.clips.metadata_list import select_listed
from input_pipeline.clips.whole_videos import select_whole_videos
from input_pipeline.datasets.builder import ClipsBuilder


class Nemo(ClipsBuilder):
    """The UvA-NEMO Smile Database of the University of Amsterdam: faces, cut out of its videos.

    The database has 1,240 videos of 400 persons, at 1920x1080 and 50 frames a second.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Request the database from its authors: https://www.uva-nemo.org/. The folder must hold
    either

    - the videos of the database and, beside them, the list `nemo-metadata.csv`. The script
      `crop_nemo.py` of https://github.com/AliaksandrSiarohin/video-preprocessing finds the faces
      and writes that list; or
    - the folders `train` and `test` with videos of faces that are cut out already.
    """

    @staticmethod
    def select_clips(folder: Path) -> Selection:
        """Select the clips of `nemo-metadata.csv`, or the videos of both folders without a list.

        Raises:
          InputError: the list cannot be used, or there is neither a list nor both folders.
        """
        path = folder / "nemo-metadata.csv"
        return select_listed(path) if path.exists() else select_whole_videos(folder)
