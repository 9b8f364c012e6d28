"""The file that each animation is written to."""

import os
import pathlib
from collections.abc import Sequence

from fomm_jax.buckets import is_in_bucket
from fomm_jax.errors import InputError
from fomm_jax.media.writing.video_writer import WRITABLE_SUFFIXES

PIPE = "-"  # in place of a path: standard input or output


def output_paths(
    sources: Sequence[str], drivings: Sequence[str], output: str
) -> dict[tuple[str, str], str]:
    """Choose the file for each pair of source and driving.

    Args:
      sources: paths of pictures.
      drivings: paths of videos or motions, or `PIPE`.
      output: for one pair the file itself, or `PIPE`; for several a folder, which need not exist
        yet. One pair is also written into a folder if `output` exists as a folder or ends with a
        slash. In a bucket, where folders do not exist by themselves, every `output` that does not
        end like a film is one. In a folder the files are called `DRIVING-SOURCE.mp4`.

    Returns:
      The file for each (source, driving).

    Raises:
      InputError: there are several pairs and `output` is a file, `output` does not end like a
        film, or two pairs would be written to one file.
    """
    pairs = [(source, driving) for driving in drivings for source in sources]
    is_film = output == PIPE or output.lower().endswith(WRITABLE_SUFFIXES)
    is_folder = output.endswith(os.sep) or os.path.isdir(output)
    if not is_folder and (is_film or not is_in_bucket(output)):
        if len(pairs) == 1 and is_film:
            return {pairs[0]: output}
        if len(pairs) == 1:
            suffixes = " or ".join(WRITABLE_SUFFIXES)
            raise InputError(f"output={output}: expected a name that ends in {suffixes}")
        if is_film:
            raise InputError(
                f"output={output}: expected a folder for the {len(pairs)} animations of"
                f" {len(sources)} pictures by {len(drivings)} videos"
            )
    pair_of: dict[str, tuple[str, str]] = {}
    for pair in pairs:
        source, driving = (pathlib.Path(name).stem if name != PIPE else "pipe" for name in pair)
        path = os.path.join(output, f"{driving}-{source}.mp4")
        other = pair_of.setdefault(path, pair)
        if other != pair:
            raise InputError(
                f"{path}: would be written for {' and '.join(other)} and for {' and '.join(pair)};"
                " expected other names for some of them"
            )
    return {pair: path for path, pair in pair_of.items()}
