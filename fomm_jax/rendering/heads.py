"""The places of one person's head in the frames of a video."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

from fomm_jax.media.framing import Box

# How far the centre of a head may be from the head's last place to be the same person's, as a share
# of the head's longer side. Two people who sit side by side are about two heads apart.
_REACH = 1.5
_MAX_REACHES = 2  # of a head that was missed in the frames between


@dataclasses.dataclass
class _Person:
    """The places where a head was seen."""

    places: dict[int, Box]  # by the number of the frame

    @property
    def last(self) -> int:
        """The number of the frame of the last place."""
        return next(reversed(self.places))

    def distance(self, head: Box) -> float:
        """Return how far the centre of a head is from the last place, in pixels."""
        return math.dist(_centre(self.places[self.last]), _centre(head))

    def reaches(self, head: Box, number: int) -> bool:
        """Tell whether a head in a later frame may be this person's."""
        left, top, right, bottom = self.places[self.last]
        reach = _REACH * max(right - left, bottom - top)
        return self.distance(head) <= reach * min(number - self.last, _MAX_REACHES)


def main_head(heads_of_frames: Sequence[Sequence[Box]]) -> Box | None:
    """Return the box around all places of the main person's head; None if there are no heads.

    Args:
      heads_of_frames: see `main_person`.
    """
    places = main_person(heads_of_frames).values()
    if not places:
        return None
    lefts, tops, rights, bottoms = zip(*places, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def main_person(heads_of_frames: Sequence[Sequence[Box]]) -> dict[int, Box]:
    """Return the places of the head that is seen largest and in most frames.

    From frame to frame, each head is taken to be that of the person who was nearest to its place.
    So a head that walks through the picture is followed from place to place.

    Args:
      heads_of_frames: the heads that were detected in each frame, in the order of the frames.

    Returns:
      The boxes of the person whose heads have the largest area in all, by the numbers of the
      frames; empty if there are no heads.
    """
    people: list[_Person] = []
    for number, heads in enumerate(heads_of_frames):
        _add_heads(people, number, heads)
    if not people:
        return {}
    return max(people, key=lambda person: sum(map(_area, person.places.values()))).places


def _add_heads(people: list[_Person], number: int, heads: Sequence[Box]) -> None:
    """Give each head of a frame to the nearest person within reach, or to a new one."""
    left = list(heads)
    pairs = itertools.product(list(people), heads)
    for person, head in sorted(pairs, key=lambda pair: pair[0].distance(pair[1])):
        if head in left and person.last < number and person.reaches(head, number):
            left.remove(head)
            person.places[number] = head
    people += [_Person({number: head}) for head in left]


def _area(head: Box) -> float:
    return (head[2] - head[0]) * (head[3] - head[1])


def _centre(head: Box) -> tuple[float, float]:
    return (head[0] + head[2]) / 2, (head[1] + head[3]) / 2
