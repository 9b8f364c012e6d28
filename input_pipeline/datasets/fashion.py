"""Fashion: models who turn before the camera."""

from pathlib import Path

from fomm_jax.errors import InputError
from input_pipeline.datasets.builder import ClipsBuilder
from input_pipeline.datasets.clips import Clip, Selection


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
    try:
        addresses = path.read_text(encoding="utf-8-sig").split()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text in UTF-8; expected an address a line") from error
    names = {address.rsplit("/", 1)[-1]: address for address in addresses}
    if not all(names):
        raise InputError(f"{path}: {names['']} ends in no file name; expected a video's address")
    if not names:
        raise InputError(f"{path}: is empty; expected an address a line")
    return list(names)
