"""VoxCeleb: celebrities who speak in interviews."""

from pathlib import Path

from input_pipeline.clips.clip import Selection
from input_pipeline.clips.metadata_list import select_listed
from input_pipeline.datasets.builder import ClipsBuilder


# Not registered with TFDS, which has a dataset of this name that holds sound.
class Voxceleb(ClipsBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Faces of VoxCeleb, cut out as for the training of the first-order motion model.

    The Visual Geometry Group in Oxford published VoxCeleb (Nagrani et al. 2017); Siarohin et al.
    published the list of clips with a box around each face. Their list has 19,764 clips of 3,442
    videos with 435 persons; 522 clips are for testing. The boxes are higher than wide, and the
    authors stretch them to squares: prepare the dataset with the fit "stretch" to do the same.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The folder must hold the list `vox-metadata.csv` of
    https://github.com/AliaksandrSiarohin/video-preprocessing and the videos that
    the list names, called VIDEO_ID.mp4 (or .mkv, .webm and the like).

    VIDEO_ID is the id in https://www.youtube.com/watch?v=VIDEO_ID. This project downloads nothing:
    get the videos with a program of your choice, where the law and the site's terms allow it. Many
    of them have left the web; the manifest of the prepared dataset lists the ids of missing videos.
    About the dataset: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/
    """

    @staticmethod
    def select_clips(folder: Path) -> Selection:
        """Select the clips of `vox-metadata.csv`; see `metadata_list.select_listed`."""
        return select_listed(folder / "vox-metadata.csv")
