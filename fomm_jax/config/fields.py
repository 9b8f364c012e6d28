"""The types that fields of the configuration can have, with the values that they allow.

`PositiveInt` is an int to Python and to mypy. The constraint in its annotation, "at least 1", is
for `validation.check_config`, which reads it from the dataclasses of `schema.py`.
"""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A condition on the value of a field."""

    words: str  # completes "expected …", for instance "at least 1"
    is_met: Callable[[Any], bool]


def at_least(minimum: float) -> Constraint:
    """Allow numbers from `minimum` on."""
    return Constraint(f"at least {minimum}", lambda value: value >= minimum)


def at_most(maximum: float) -> Constraint:
    """Allow numbers up to `maximum`."""
    return Constraint(f"at most {maximum}", lambda value: value <= maximum)


def more_than(limit: float) -> Constraint:
    """Allow numbers above `limit`."""
    return Constraint(f"more than {limit}", lambda value: value > limit)


def less_than(limit: float) -> Constraint:
    """Allow numbers below `limit`."""
    return Constraint(f"less than {limit}", lambda value: value < limit)


def one_of(*choices: str) -> Constraint:
    """Allow these texts."""
    return Constraint(f"one of {', '.join(choices)}", lambda value: value in choices)


LARGEST_INT = 2**31 - 1  # steps are counted in 32 bits
SMALLEST_FLOAT, LARGEST_FLOAT = 1.2e-38, 3.4e38  # that float32 can hold

PositiveInt = Annotated[int, at_least(1), at_most(LARGEST_INT)]
NonNegativeInt = Annotated[int, at_least(0), at_most(LARGEST_INT)]
Milestone = Annotated[int, at_most(LARGEST_INT)]
PositiveFloat = Annotated[
    float,
    Constraint("more than 0 in float32", lambda value: value >= SMALLEST_FLOAT),
    at_most(LARGEST_FLOAT),
]
NonNegativeFloat = Annotated[float, at_least(0), at_most(LARGEST_FLOAT)]
# People write None in the hope of no file.
OptionalPath = Annotated[
    str,
    Constraint(
        "the path of a file, or an empty value for none",
        lambda value: value.lower() not in ("none", "null"),
    ),
]
# The data set is split by NumPy's legacy generator, which takes no larger seed.
Seed = Annotated[int, at_least(0), less_than(2**32)]
# Height and width are divided by 1 / scale, which therefore has to be a whole number.
Scale = Annotated[
    float,
    Constraint(
        "1 or 1 divided by a whole number",
        lambda value: 0 < value <= 1 and (1 / value).is_integer(),
    ),
]
VideoFormat = Annotated[str, one_of(".mp4", ".gif")]
