"""The datasets of the paper, as builders for `input_pipeline.prepare`."""

from pathlib import Path

from fomm_jax.errors import InputError
from fomm_jax.files import reading
from input_pipeline.datasets.builder import ClipsBuilder
from input_pipeline.datasets.clips import Clip, Selection
from input_pipeline.datasets.metadata_list import select_listed
from input_pipeline.splits import list_videos


def select_whole_videos(folder: Path) -> Selection:
    """Take the videos in `train/` and `test/` as a whole.

    Raises:
      InputError: a folder is missing or empty, or holds something else.
    """
    for split in ("train", "test"):
        if not (folder / split).is_dir():
            raise InputError(f"{folder}: has no folder {split}; expected train and test in it")
    return Selection(
        train=[Clip(path.name, path) for path in list_videos(folder / "train")],
        test=[Clip(path.name, path) for path in list_videos(folder / "test")],
    )


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


class Bair(ClipsBuilder):
    """The BAIR robot pushing data set (Ebert et al. 2017) in the form that Siarohin et al. use."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The authors' archive, https://yadi.sk/d/Rr-fjn-PdmmqeA, unpacked: a folder with `train` and
    `test`, which hold videos.
    """

    select_clips = staticmethod(select_whole_videos)


class Mgif(ClipsBuilder):
    """MGif of Siarohin et al. (2019): animations of animals before a plain background, 256x256."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The authors' archive, https://yadi.sk/d/5VdqLARizmnj3Q, unpacked: a folder with `train` and
    `test`, which hold .gif files.
    """

    select_clips = staticmethod(select_whole_videos)


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


class Fashion(ClipsBuilder):
    """The fashion videos of the University of British Columbia (Zablotskaia et al. 2019).

    There are 500 videos for training and 100 for testing, each of one person from head to foot.
    The frames are higher than wide, and the authors of the first-order motion model stretch them
    to squares (`--fit=stretch`); cut to squares they would lose heads and feet.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    A folder with the lists `fashion_train.txt` and `fashion_test.txt` of
    https://vision.cs.ubc.ca/datasets/fashion/, which hold an address a line, and beside them the
    videos from there, each under the last part of its address. Nothing is downloaded here; the
    manifest lists what is missing.
    """

    @staticmethod
    def select_clips(folder: Path) -> Selection:
        """Take the videos of either list as a whole.

        Raises:
          InputError: a list cannot be read, or none of the videos is there.
        """
        train, test = (_read(folder / f"fashion_{split}.txt") for split in ("train", "test"))
        missing = [name for name in train + test if not (folder / name).is_file()]
        if len(missing) == len(train + test):
            raise InputError(
                f"{folder}: holds none of the {len(missing)} videos that its lists name;"
                f" expected files such as {missing[0]}"
            )
        gone = set(missing)
        return Selection(
            train=[Clip(name, folder / name) for name in train if name not in gone],
            test=[Clip(name, folder / name) for name in test if name not in gone],
            missing=missing,
        )


def _read(path: Path) -> list[str]:
    """The file names at the ends of the addresses in a list, each once."""
    with reading(path, "expected an address a line"):
        addresses = path.read_text(encoding="utf-8-sig").split()
    names = {address.rsplit("/", 1)[-1]: address for address in addresses}
    if not all(names):
        raise InputError(f"{path}: {names['']} ends in no file name; expected a video's address")
    if not names:
        raise InputError(f"{path}: is empty; expected an address a line")
    return list(names)
