"""The progress of a run on stderr: a bar on a terminal, a line now and then in a file."""

import logging
import sys
import time

from tqdm import tqdm

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 60.0
# Fits 80 columns; tqdm gives the bar the rest of the terminal's width.
BAR = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


class Progress:
    """Shows how far a run is, how long it will take, and its loss.

    The time left is estimated from the steps after the first one, which takes as long as the
    programs take to compile. Before the first step has ended, nothing is shown.

    Args:
      first_step: the first step of the run.
      last_step: the last step.
      batch_size: pairs in a step.
    """

    def __init__(self, first_step: int, last_step: int, batch_size: int) -> None:
        self._first_step, self._last_step = first_step, last_step
        self._batch_size = batch_size
        self._step = first_step - 1
        self._bar: tqdm | None = None
        self._first_ended = self._line_written = 0.0  # moments

    def add(self, loss: float) -> None:
        """Count a step that has ended."""
        self._step += 1
        now = time.monotonic()
        if self._step == self._first_step:
            self._first_ended = now
        seconds = now - self._first_ended
        speed = (self._step - self._first_step) / seconds if seconds else 0.0  # steps a second
        rate = f", {speed * self._batch_size:.3g} pairs/s" if speed else ""
        if sys.stderr.isatty():
            self._draw(f"loss {loss:.3g}{rate}")
        elif self._line_is_due(now):
            self._line_written = now
            left = tqdm.format_interval((self._last_step - self._step) / speed) if speed else ""
            logger.info(
                "step %d of %d, loss %.3g%s%s",
                self._step,
                self._last_step,
                loss,
                rate,
                f", {left} left" if left else "",
            )

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def _line_is_due(self, now: float) -> bool:
        is_end = self._step in (self._first_step, self._last_step)
        return is_end or now - self._line_written >= SECONDS_BETWEEN_LINES

    def _draw(self, postfix: str) -> None:
        if self._bar is None:  # tqdm measures the time from here, after the first step
            self._bar = tqdm(
                total=self._last_step,
                initial=self._step,
                desc="train",
                postfix=postfix,
                bar_format=BAR,
                dynamic_ncols=True,
            )
        else:
            self._bar.set_postfix_str(postfix, refresh=False)
            self._bar.update()
