"""Compare the arrays in a file with the arrays that a config asks for."""

from collections.abc import Mapping

from fomm_jax.errors import InputError

Shapes = Mapping[str, tuple[int, ...]]  # by the name of the array
MOST_NAMED = 5  # differences that a message lists; it counts the others


def check_shapes(shapes: Shapes, expected: Shapes) -> None:
    """Raise InputError if a file holds other arrays than the config asks for.

    Args:
      shapes: the arrays of the file.
      expected: the arrays that the config asks for.

    Raises:
      InputError: an array is missing, is of another shape, or is one that the config has no place
        for; the message names the first few.
    """
    differences = []
    for name, shape in expected.items():
        if name not in shapes:
            differences.append(f"{name} of shape {shape} is missing")
        elif shapes[name] != shape:
            differences.append(f"{name} has shape {shapes[name]}, the config asks for {shape}")
    differences += [f"the config has no {name}" for name in sorted(shapes.keys() - expected.keys())]
    if not differences:
        return
    more = len(differences) - MOST_NAMED
    listed = "; ".join(differences[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
    raise InputError(f"is of another architecture: {listed}")
