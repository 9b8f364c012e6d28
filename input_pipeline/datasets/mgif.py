"""MGif: cartoon animals that walk."""

from input_pipeline.clips.whole_videos import select_whole_videos
from input_pipeline.datasets.builder import ClipsBuilder


class Mgif(ClipsBuilder):
    """MGif of Siarohin et al. (2019): animals, animated before a plain background, at 256x256."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Download the authors' archive, https://yadi.sk/d/5VdqLARizmnj3Q, and unpack it. The folder
    must hold the folders `train` and `test` with .gif files.
    """

    select_clips = staticmethod(select_whole_videos)
