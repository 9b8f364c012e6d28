"""What a user may ask of an animation, beside source, driving and output."""

import dataclasses

from fomm_jax.config.schema import AnimateConfig, NormalizationConfig
from fomm_jax.rendering.cropping import Crop


@dataclasses.dataclass(frozen=True)
class AnimationOptions:
    """Options of `animate_files`; docs/animation.md shows each at work."""

    # What part of the sources and of the driving videos the model sees; see `choose_framing`.
    crop: Crop = "auto"
    crop_driving: Crop = "auto"
    # The result is the whole source with the animated part in its place, at the source's size.
    paste_back: bool = False
    # The result is the source, the driving frame with its keypoints, and the animation.
    side_by_side: bool = False
    # Motion relative to the first or best driving frame, or the driving keypoints as they are.
    # None: as the model's configuration says.
    relative: bool | None = None
    # Movements grow or shrink by the ratio of the sizes of who moves. None: as the model's
    # configuration says.
    adapt_scale: bool | None = None
    # Driving frame that relative motion starts from, since it shows the pose of the source: its
    # number from 0, or that whose face ("face") or keypoints are most like the source's. "auto" is
    # by faces where the evaluator is installed and finds them, else by keypoints. None: the first,
    # or the one that a kept motion says.
    best_frame: int | str | None = None
    # The keypoints go through a One-Euro filter.
    smooth: bool = False
    # The driving video's sound goes along. None: where it has one and the output can hold it.
    sound: bool | None = None
    # File to keep the driving motion in, as it was after smoothing.
    save_motion: str | None = None

    def for_model(self, config: AnimateConfig) -> "AnimationOptions":
        """The options for a model, of which only one of faces looks for them unasked."""
        if config.crop_faces:
            return self
        return dataclasses.replace(
            self,
            crop="centre" if self.crop == "auto" else self.crop,
            crop_driving="centre" if self.crop_driving == "auto" else self.crop_driving,
        )

    def normalization(self, default: NormalizationConfig) -> NormalizationConfig:
        """How keypoints are carried over, given what the model's configuration says."""
        changes = {}
        if self.relative is not None:
            changes["use_relative_movement"] = changes["use_relative_jacobian"] = self.relative
        if self.adapt_scale is not None:
            changes["adapt_movement_scale"] = self.adapt_scale
        return dataclasses.replace(default, **changes)
