"""Fashion: videos of people who show clothes and turn in front of the camera."""

from pathlib import Path

from fomm_jax.errors import InputError
from input_pipeline.clips.clip import Clip, Selection
from input_pipeline.datasets.builder import ClipsBuilder
from input_pipeline.lists import read_text


class Fashion(ClipsBuilder):
    """The fashion videos of the University of British Columbia (Zablotskaia et al. 2019).

    There are 500 videos for training and 100 for testing, each of one person from head to foot.
    The frames are taller than wide. The authors of the first-order motion model stretch them to
    squares; to do the same, prepare the dataset with the fit `stretch`. Cutting squares out of the
    frames would remove heads and feet.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Put the lists `fashion_train.txt` and `fashion_test.txt` of
    https://vision.cs.ubc.ca/datasets/fashion/ into a folder. Each line of a list is the address of
    a video. Put the videos into the same folder, each under the name that ends its address. This
    project downloads nothing; the manifest of the prepared dataset lists the missing videos.
    """

    @staticmethod
    def select_clips(folder: Path) -> Selection:
        """Select the videos of both lists, uncut.

        Raises:
          InputError: a list cannot be used, or none of the videos is there.
        """
        train, test = (_read_file_names(folder / f"fashion_{split}.txt") for split in _SPLITS)
        missing = [name for name in train + test if not (folder / name).is_file()]
        if len(missing) == len(train + test):
            raise InputError(
                f"{folder}: holds none of the {len(missing)} videos that its lists name;"
                f" expected files such as {missing[0]}"
            )
        absent = set(missing)
        return Selection(
            train=[Clip(name, folder / name) for name in train if name not in absent],
            test=[Clip(name, folder / name) for name in test if name not in absent],
            missing=missing,
        )


_SPLITS = ("train", "test")
_EXPECTED = "the address of a video on each line"


def _read_file_names(path: Path) -> list[str]:
    """Read the file names at the ends of the addresses in a list, each name once."""
    addresses = {
        address.rsplit("/", 1)[-1]: address for address in read_text(path, _EXPECTED).split()
    }
    if not addresses:
        raise InputError(f"{path}: is empty; expected {_EXPECTED}")
    if "" in addresses:
        raise InputError(
            f"{path}: {addresses['']} does not end in a file name; expected {_EXPECTED}"
        )
    return list(addresses)
