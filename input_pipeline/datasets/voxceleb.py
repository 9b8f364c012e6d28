"""VoxCeleb: celebrities who speak, in interviews."""

from pathlib import Path

from input_pipeline.datasets.builder import ClipsBuilder
from input_pipeline.datasets.clips import Selection
from input_pipeline.datasets.metadata_list import select_listed


# TFDS has a data set of this name, of sound.
class Voxceleb(ClipsBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Faces of VoxCeleb, as the first-order motion model is trained on them.

    VoxCeleb is of the Visual Geometry Group in Oxford (Nagrani et al. 2017), the boxes are of
    Siarohin et al. Their list has 19,764 clips of 3,442 videos with 435 persons, of which 522 are
    for testing. Boxes are higher than wide, and theirs are stretched to squares
    (`--fit=stretch`).
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    A folder with the list `vox-metadata.csv` of
    https://github.com/AliaksandrSiarohin/video-preprocessing and, beside it, the videos that it
    names, as VIDEO_ID.mp4 (or .mkv, .webm and the like).

    VIDEO_ID is that of https://www.youtube.com/watch?v=VIDEO_ID. Nothing is downloaded here: the
    videos are got with a program of one's choice, where the law and the site's terms allow it.
    Many are gone from the web; the manifest lists the ids of those that are missing. About the
    data set: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/
    """

    @staticmethod
    def select_clips(folder: Path) -> Selection:
        """Take the clips of the list; see `metadata_list.select_listed`."""
        return select_listed(folder / "vox-metadata.csv")
