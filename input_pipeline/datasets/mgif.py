"""MGif: cartoon animals that walk."""

from input_pipeline.datasets.builder import ClipsBuilder
from input_pipeline.datasets.whole_videos import select_whole_videos


class Mgif(ClipsBuilder):
    """MGif of Siarohin et al. (2019): animations of animals before a plain background, 256x256."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The authors' archive, https://yadi.sk/d/5VdqLARizmnj3Q, unpacked: a folder with `train` and
    `test`, which hold .gif files.
    """

    select_clips = staticmethod(select_whole_videos)
