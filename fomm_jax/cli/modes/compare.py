"""Compare with recordings of the original, or with the original itself."""

import pathlib
import sys

from fomm_jax import console
from fomm_jax.buckets import to_path
from fomm_jax.cli.flags import (
    CHECKPOINT,
    DRIVING,
    OUTPUT,
    REFERENCE,
    SOURCE,
    WORKDIR,
    names_as_flags,
    read_config,
)
from fomm_jax.errors import InputError
from fomm_jax.files import check_can_write
from fomm_jax.parity.compare import compare_live, compare_recordings, write_reports
from fomm_jax.parity.results import Comparisons, exceeds_tolerance
from fomm_jax.parity.results_text import JSON_NAME, summarize


def run() -> None:
    """Compare with --reference, and write reports into the folder `comparison` of --workdir.

    Without --workdir they go into runs/comparison, which git ignores here.

    The program ends with status 1 if a difference is over its tolerance.
    """
    if REFERENCE.value is None:
        raise InputError("--reference: expected recordings of the original, or a clone of it")
    if OUTPUT.value is not None:
        raise InputError("--output: is of no use with --mode=compare, which writes to --workdir")
    if len(SOURCE.value or []) > 1 or len(DRIVING.value or []) > 1:
        raise InputError("--source, --driving: expected one of each with --mode=compare")
    folder = to_path(WORKDIR.value or "runs") / "comparison"
    check_can_write(folder / JSON_NAME)
    reference = pathlib.Path(REFERENCE.value)
    is_clone = (reference / "modules").is_dir()
    comparisons = _compare_clone(reference) if is_clone else _compare_recordings(reference)
    write_reports(comparisons, folder)
    console.say(f"{summarize(comparisons)}\nJSON, Markdown and a page are in {folder}")
    sys.exit(exceeds_tolerance(comparisons))


def _compare_clone(clone: pathlib.Path) -> Comparisons:
    """Run a clone of the original on the model of --config and --checkpoint."""
    config = read_config()
    if config is None or CHECKPOINT.value is None:
        raise InputError("--reference is a clone: expected --config and --checkpoint=FILE too")
    source = SOURCE.value[0] if SOURCE.value else None
    driving = DRIVING.value[0] if DRIVING.value else None
    return compare_live(clone, config, CHECKPOINT.value, source, driving)


def _compare_recordings(recordings: pathlib.Path) -> Comparisons:
    """Compare with recordings, by the weights of --checkpoint if they have none of their own."""
    if read_config() is not None or SOURCE.value or DRIVING.value:
        raise InputError(
            "--config, --source, --driving: expected with a clone of the original alone;"
            f" {recordings} is not one, and recordings have their own"
        )
    with names_as_flags({"checkpoint"}):
        return compare_recordings(recordings, CHECKPOINT.value)
