"""Compare with recordings of the original, or with the original itself."""

import pathlib
import sys

from ml_collections import ConfigDict

from fomm_jax.cli.flags import CHECKPOINT, DRIVING, OUTPUT, REFERENCE, SOURCE, WORKDIR
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.errors import InputError
from fomm_jax.parity.compare import compare_live, compare_recordings, write_reports
from fomm_jax.parity.results import exceeds_tolerance
from fomm_jax.parity.results_text import summarize


def run(
    reference: pathlib.Path,
    config_dict: ConfigDict | None,
    checkpoint: str | None,
    pair: tuple[str | None, str | None],
    workdir: pathlib.Path,
) -> None:
    """Compare, write reports into `workdir`, and exit 1 where a difference is over its tolerance.

    Args:
      reference: recordings, or a clone of the original.
      config_dict: with a clone alone: the architecture.
      checkpoint: with a clone always; with recordings where they have none of their own.
      pair: with a clone alone: paths of source picture and driving video, or both None.
      workdir: takes the folder `comparison`.

    Raises:
      InputError: an argument lacks or does not go with the reference, or a file cannot be used.
    """
    if (reference / "modules" / "model.py").is_file():
        if config_dict is None or checkpoint is None:
            raise InputError("--reference is a clone: expected --config and --checkpoint=FILE too")
        found = compare_live(reference, from_config_dict(config_dict), checkpoint, *pair)
    else:
        if config_dict is not None or any(pair):
            raise InputError(
                "--config, --source, --driving: expected with a clone of the original alone;"
                f" {reference} is none, and recordings have their own"
            )
        found = compare_recordings(reference, checkpoint)
    folder = workdir / "comparison"
    write_reports(found, folder)
    print(f"{summarize(found)}\nJSON, Markdown and a page are in {folder}")
    sys.exit(exceeds_tolerance(found))


def run_comparison(config_dict: ConfigDict | None) -> None:
    """Compare with --reference."""

    if REFERENCE.value is None:
        raise InputError("--reference: expected recordings of the original, or a clone of it")
    if OUTPUT.value is not None:
        raise InputError("--output: is of no use with --mode=compare, which writes to --workdir")
    if len(SOURCE.value or []) > 1 or len(DRIVING.value or []) > 1:
        raise InputError("--source, --driving: expected one of each with --mode=compare")
    run(
        pathlib.Path(REFERENCE.value),
        config_dict,
        CHECKPOINT.value,
        (SOURCE.value[0] if SOURCE.value else None, DRIVING.value[0] if DRIVING.value else None),
        pathlib.Path(WORKDIR.value or "."),
    )
