"""How a picture is animated: the choices that a user has."""

import dataclasses
from typing import Literal

from fomm_jax.config.schema import AnimateConfig, NormalizationConfig
from fomm_jax.media.colours import WHITE, Colour

# Which part of a picture or video the model sees; `cropping.choose_framing` explains the words. The
# four numbers are x, y, width and height in pixels.
Crop = Literal["auto", "face", "centre", "none"] | tuple[int, int, int, int]
MotionTransfer = Literal["relative", "absolute", "avd"]

# In a video, the part may also follow the head.
DrivingCrop = Crop | Literal["follow"]

# Which faces of a picture are animated: all, the largest, or those with these numbers, which count
# from 1 and from left to right.
Faces = Literal["all", "largest"] | tuple[int, ...]
SoundFrom = Literal["driving", "source"]


@dataclasses.dataclass(frozen=True)
class AnimationOptions:
    """Options of an animation; docs/animation.md shows the effect of each."""

    # Part of the sources, and part of the driving videos, that the model sees.
    crop: Crop = "auto"
    crop_driving: DrivingCrop = "auto"
    # Animate faces of a picture, each in its place, in place of the part that `crop` chooses. The
    # film shows the whole source. None: the part that `crop` chooses.
    faces: Faces | None = None
    # Colour that is seen where a source is transparent.
    background: Colour = WHITE
    # Show the whole source, at its own size, with the animated part in its place.
    paste_back: bool = False
    # Show the source, the driving frame with its keypoints, and the animation.
    side_by_side: bool = False
    # "relative": add the motion since the first or best driving frame to the source's keypoints.
    # "absolute": use the driving keypoints as they are. "avd": give the source's object the pose of
    # each driving frame by the model's AVD network. None: do what the model's configuration says.
    motion_transfer: MotionTransfer | None = None
    # Scale movements by the ratio of the sizes of source and driving object. None: do what the
    # model's configuration says.
    adapt_scale: bool | None = None
    # Driving frame that relative motion starts from, because it shows the pose of the source: its
    # number from 0; "face" for the frame whose face is most like the source's; or "auto", which
    # compares faces where the evaluator is installed and finds them, and otherwise keypoints. None:
    # the first frame, or the one that a motion file names.
    best_frame: int | str | None = None
    # Smooth the keypoints over time with a One-Euro filter.
    smooth: bool = False
    # Where times and sound of the film come from, if the source is a video.
    sound_from: SoundFrom = "driving"
    # Copy the sound. None: copy it if there is sound and the output can hold it.
    sound: bool | None = None
    # File to write the driving motion to, after any smoothing.
    save_motion: str | None = None

    def for_model(self, config: AnimateConfig) -> "AnimationOptions":
        """Replace "auto" crops by "centre" unless the model animates faces."""
        if config.crop_faces:
            return self
        return dataclasses.replace(
            self,
            crop="centre" if self.crop == "auto" else self.crop,
            crop_driving="centre" if self.crop_driving == "auto" else self.crop_driving,
        )

    def normalization(self, default: NormalizationConfig) -> NormalizationConfig:
        """Return how motion is transferred: `default`, changed by these options."""
        changes = {}
        if self.motion_transfer is not None:
            is_relative = self.motion_transfer == "relative"
            changes["use_relative_movement"] = changes["use_relative_jacobian"] = is_relative
            changes["use_avd"] = self.motion_transfer == "avd"
        if self.adapt_scale is not None:
            changes["adapt_movement_scale"] = self.adapt_scale
        return dataclasses.replace(default, **changes)
