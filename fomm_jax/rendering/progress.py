"""How the progress of long work is shown: as a bar in the terminal, unless a caller shows it."""

from collections.abc import Callable, Iterable
from typing import Any

from tqdm import tqdm

# Passes items on as they come, and shows how many of them there were: items, what is done to them,
# and their number, which may be unknown.
Progress = Callable[[Iterable[Any], str, int | None], Iterable[Any]]


def show_bar(frames: Iterable[Any], name: str, total: int | None) -> Iterable[Any]:
    """Pass frames on, and show a bar on standard error."""
    return tqdm(frames, name, total, unit="frame")
