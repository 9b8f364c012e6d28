"""The measurements of `benchmarks.gpu_report`: which ones, in which order, and as time allows."""

import argparse
import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.one_side import Side
from benchmarks.processes import OutOfMemory
from fomm_jax.errors import InputError

logger = logging.getLogger(__name__)

KINDS = ("training", "animation", "original", "kernels", "input")
UNITS = {"training": "pairs", "animation": "frames"}
SIZES = 7  # in a series of training, each twice the one before
ANIMATION_SIZES = 4  # in a series of animation, each four times the one before
FIRST_GUESS = 20.0  # seconds that a measurement is expected to take before any of its series ran

FORMS = {
    ("ours", "float32"): "ours, float32",
    ("ours", "tf32"): "ours, TF32",
    ("ours", "bfloat16"): "ours, bfloat16",
    ("original", "float32"): "original, eager, float32",
    ("original", "tf32"): "original, eager, TF32",
    ("original", "bfloat16"): "original, compiled, bfloat16",
}


@dataclasses.dataclass(frozen=True)
class Part:
    """A measurement in a process of its own."""

    name: str  # as the report calls it
    kind: str  # one of KINDS
    series: str  # parts of one series differ in size only, the smallest comes first
    module: str = ""  # the program
    argument: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of the program
    skip: str = ""  # why this part cannot be measured at all, or ""

    @property
    def form(self) -> str:
        """The value of `FORMS` for a part that measures a side."""
        precision = "bfloat16"
        if not self.argument["bfloat16"]:
            precision = "tf32" if self.argument["tf32"] else "float32"
        return FORMS[self.argument["who"], precision]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a part."""

    part: Part
    state: str  # "measured", "out of memory", "failed", "left out" or "skipped"
    seconds: float = 0.0  # that the part took
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # if it was measured
    reason: str = ""  # if it was not, in one line


def make_plan(options: argparse.Namespace, no_original: str) -> list[Part]:
    """Return all parts, the most important ones first.

    Args:
      options: the options of the command.
      no_original: why the original cannot be measured, or "".
    """

    def side(task: str, who: str, precision: str, batch: int) -> Part:
        measured = Side(
            who=who,
            task=task,
            bfloat16=precision == "bfloat16",
            config=options.config,
            original=str(options.original.resolve()) if options.original else "",
            batch=batch,
            steps=options.steps,
            threads=options.threads,
            tf32=None if precision == "bfloat16" else precision == "tf32",
            count_flops=False,
        )
        series = f"{task}, {FORMS[who, precision]}"
        name = f"{series}, {batch} {UNITS[task]}"
        if task == "animation" and batch == 1:
            series, name = f"{series}, one frame", f"{series}, one frame"
        kind = "original" if who == "original" else task
        return Part(name, kind, series, "benchmarks.one_side", dataclasses.asdict(measured))

    pairs, frames = options.pairs, options.frames
    larger_pairs = [pairs * 2**power for power in range(1, SIZES)]
    larger_frames = [frames * 4**power for power in range(1, ANIMATION_SIZES)]
    parts = [
        side("training", "ours", "bfloat16", pairs),
        side("training", "original", "tf32", pairs),
        side("animation", "ours", "bfloat16", frames),
        side("animation", "ours", "bfloat16", 1),
        side("training", "original", "bfloat16", pairs),
        *_other_parts(options),
        side("training", "ours", "tf32", pairs),
        side("animation", "original", "tf32", frames),
        side("animation", "original", "tf32", 1),
        side("training", "ours", "float32", pairs),
        side("training", "original", "float32", pairs),
        side("animation", "original", "bfloat16", frames),
        side("animation", "original", "bfloat16", 1),
    ]
    for more_pairs, more_frames in itertools.zip_longest(larger_pairs, larger_frames):
        parts.append(side("training", "ours", "bfloat16", more_pairs))
        if more_frames:
            parts.append(side("animation", "ours", "bfloat16", more_frames))
        parts += [side("training", "ours", form, more_pairs) for form in ("tf32", "float32")]
    parts = [part for part in parts if part.kind in options.parts]
    if no_original and "original" in options.parts:
        others = [part for part in parts if part.kind != "original"]
        return [*others, Part("the original", "original", "the original", skip=no_original)]
    return parts


def _other_parts(options: argparse.Namespace) -> list[Part]:
    """Return the parts that measure no side: the costliest kernels, and the wait for input."""
    common = {"config": options.config, "batch": options.pairs}
    trace = str((options.output / "profile").resolve())
    videos = str(options.videos.resolve()) if options.videos else None
    return [
        Part(
            "the costliest kernels",
            "kernels",
            "the costliest kernels",
            "benchmarks.gpu.kernels",
            {**common, "folder": trace},
        ),
        Part(
            "the wait for input",
            "input",
            "the wait for input",
            "benchmarks.gpu.input_wait",
            {**common, "steps": options.steps, "videos": videos},
        ),
    ]


def carry_out(
    parts: Sequence[Part],
    measure: Callable[[Part, float], Mapping[str, Any]],
    time_left: Callable[[], float],
) -> Iterator[Outcome]:
    """Measure one part after another, and yield what became of each.

    A series ends with the first size that memory or time does not allow; its larger sizes are not
    mentioned. A part that fails in another way ends nothing.

    Args:
      parts: the parts in their order.
      measure: measures a part within a number of seconds, and raises an `InputError` if it cannot.
      time_left: tells the seconds until the report must be ready.
    """
    ended: set[str] = set()
    lasted: dict[str, float] = {}  # seconds of the last part of each series
    for part in parts:
        left = time_left()
        if part.series in ended:
            continue
        if part.skip:
            yield Outcome(part, "skipped", reason=part.skip)
            continue
        expected = lasted.get(part.series, FIRST_GUESS)
        if expected > left:
            ended.add(part.series)
            reason = f"about {expected:.0f} s are needed, and {max(left, 0):.0f} s were left"
            yield Outcome(part, "left out", reason=reason)
            continue
        logger.info("%s (%.0f s left)", part.name, left)
        figures: Mapping[str, Any] = {}
        state, reason = "measured", ""
        try:
            figures = measure(part, left)
        except OutOfMemory as error:
            state, reason = "out of memory", str(error)
            ended.add(part.series)
        except InputError as error:
            state, reason = "failed", str(error)
        seconds = lasted[part.series] = left - time_left()
        if reason:
            logger.warning("%s: %s: %s", part.name, state, reason)
        yield Outcome(part, state, seconds, figures, reason)
