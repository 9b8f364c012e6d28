"""BAIR: a robot arm that pushes objects."""

from input_pipeline.clips.whole_videos import select_whole_videos
from input_pipeline.datasets.builder import ClipsBuilder


class Bair(ClipsBuilder):
    """The BAIR robot pushing dataset (Ebert et al. 2017) in the form that Siarohin et al. use."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Download the archive that the authors of the first-order motion model publish,
    https://yadi.sk/d/Rr-fjn-PdmmqeA, and unpack it. The folder must hold the folders
    `train` and `test` with videos.
    """

    select_clips = staticmethod(select_whole_videos)
