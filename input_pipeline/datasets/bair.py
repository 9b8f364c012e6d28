"""BAIR: a robot arm that pushes things about."""

from input_pipeline.datasets.builder import ClipsBuilder
from input_pipeline.datasets.whole_videos import select_whole_videos


class Bair(ClipsBuilder):
    """The BAIR robot pushing data set (Ebert et al. 2017) in the form that Siarohin et al. use."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The authors' archive, https://yadi.sk/d/Rr-fjn-PdmmqeA, unpacked: a folder with `train` and
    `test`, which hold videos.
    """

    select_clips = staticmethod(select_whole_videos)
