"""What a user probably meant by a root_dir that is nearly right."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fomm_jax.errors import InputError, naming
from fomm_jax.media.litter import is_litter
from fomm_jax.user_paths import parse_stored_path

# By the name of a part, the names that other datasets give it, in lower case.
OTHER_NAMES = {
    "train": ("train", "training", "trainset", "train_set"),
    "test": ("test", "testing", "testset", "test_set", "val", "valid", "validation", "eval", "dev"),
}
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
LEVELS = 3  # below root_dir; `prepare` makes DATASET/FORM/VERSION
MOST_FOLDERS = 8  # to look into on each level, since a dataset may have a folder for each video
MOST_NAMED = 3  # folders that a message lists


def parse_root(root: str) -> str:
    """Return the path of root_dir; a leading `~` stands for the home folder.

    Raises:
      InputError: it is an address, but not one in a bucket.
    """
    with naming(f"config.dataset.root_dir={root}"):
        return parse_stored_path(root)


def check_is_folder(root: Path) -> None:
    """Raise InputError if root_dir is not a folder."""
    if root.is_dir():
        return
    if not root.exists():
        raise InputError(f"config.dataset.root_dir: there is no folder {root}")
    meant = "its content, unpacked" if root.suffix.lower() in ARCHIVES else str(root.parent)
    raise InputError(
        f"config.dataset.root_dir: {root} is a file; expected a folder of videos, such as {meant}"
    )


def check_parts(root: Path) -> None:
    """Raise InputError if a folder without train/ and test/ has them in another form.

    They may have other names, one of the two may be missing, or they or a prepared dataset may be
    in folders further down.
    """
    folders = _folders(root)
    by_name = {folder.name.lower(): folder for folder in folders}
    likely = {
        part: next(by_name[name] for name in names if name in by_name)
        for part, names in OTHER_NAMES.items()
        if any(name in by_name for name in names)
    }
    has_one = any((root / part).is_dir() for part in OTHER_NAMES)
    has_nothing_else = bool(likely) and len(likely) == len(folders)
    if has_one or has_nothing_else or len(likely) == len(OTHER_NAMES):
        present = " and ".join(f"{folder.name}/" for folder in likely.values())
        absent = "".join(f" but no {part}/" for part in OTHER_NAMES if part not in likely)
        raise InputError(f"{root}: has {present}{absent}; expected train/ and test/")
    if datasets := [str(folder) for folder in _datasets_below(folders, LEVELS)]:
        more = f" or {len(datasets) - MOST_NAMED} more" if len(datasets) > MOST_NAMED else ""
        raise InputError(
            f"{root}: is a folder around the dataset; expected"
            f" config.dataset.root_dir={' or '.join(datasets[:MOST_NAMED])}{more}"
        )


def _datasets_below(folders: list[Path], levels: int) -> Iterator[Path]:
    """Yield the folders among these and below them that are a prepared or a split dataset."""
    for folder in folders[:MOST_FOLDERS]:
        with contextlib.suppress(OSError):  # a folder that may not be read
            is_split = (folder / "train").is_dir() and (folder / "test").is_dir()
            if is_split or (folder / "dataset_info.json").is_file():
                yield folder
            elif levels > 1:
                yield from _datasets_below(_folders(folder), levels - 1)


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted by name."""
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not is_litter(entry))
