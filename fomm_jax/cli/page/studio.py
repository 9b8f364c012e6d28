"""What the page works with."""

import dataclasses
import pathlib

from fomm_jax.animation.animator import Animator
from fomm_jax.cli.page.examples import Examples
from fomm_jax.provenance.mark import Marking


@dataclasses.dataclass(frozen=True)
class Studio:
    """The model, and what comes with it."""

    animator: Animator
    checkpoint: str | None  # the path of the model; None: the demo model
    examples: Examples  # pictures and motions to try; may be empty
    results: pathlib.Path  # the folder for the films
    marking: Marking | None  # None: films carry no marks
