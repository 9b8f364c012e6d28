"""Drawn scenes such as the demo model knows, for the film of --mode=demo and for the page."""

from input_pipeline.figures.scenes import Scene, random_scene

SUBJECT = "portraits"  # what the demo model was trained on, of `scenes.SUBJECTS`


def draw_pair(size: int, seed: int, number: int) -> tuple[Scene, Scene]:
    """Return a scene in the motion of another one, and that other one.

    Args:
      size: the height and width of the frames in pixels.
      seed: any but 0, with which the model was trained.
      number: of the pair.
    """
    still, mover = (random_scene(size, seed, 2 * number + i, SUBJECT) for i in range(2))
    return still.moved_as(mover), mover
