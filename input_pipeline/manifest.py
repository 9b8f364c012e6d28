"""The manifest of a prepared dataset: its videos, the clips that were left out, and the reasons."""

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any

from fomm_jax.buckets import to_path
from fomm_jax.errors import InputError
from fomm_jax.files import reading, replacing

FILE_NAME = "manifest.json"
LAYOUT = 1  # of prepared datasets; raise it when old code would misread new datasets


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How the frames of a prepared dataset are stored."""

    height: int = 256  # pixels
    width: int = 256  # pixels
    fit: str = "crop"  # or "stretch"; see `clips.clip.read_clip`
    format: str = "png"  # or "jpeg" or "mp4"
    quality: int = 95  # of JPEG, 1 to 100
    keyframe_every: int = 10  # frames between key frames of mp4; reading begins at a key frame


@dataclasses.dataclass(frozen=True)
class PreparedClip:
    """A clip that became a video of the dataset."""

    name: str
    frames: int  # the number of frames
    fps: float  # frames a second
    bytes: int  # the size of its encoded frames
    sha256: str  # of its encoded frames one after another, or of its mp4 file


@dataclasses.dataclass(frozen=True)
class RefusedClip:
    """A clip or a source that could not be used."""

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class DatasetManifest:
    """The content of a prepared dataset."""

    dataset: str  # the name of the dataset
    encoding: Encoding
    train: Sequence[PreparedClip]
    test: Sequence[PreparedClip]
    refused: Sequence[RefusedClip]
    missing: Sequence[str]  # sources that the list of the dataset names and that are not there

    @property
    def totals(self) -> dict[str, int]:
        """The numbers of clips kept, refused and missing, and of frames and bytes of those kept."""
        clips = [*self.train, *self.test]
        return {
            "kept": len(clips),
            "refused": len(self.refused),
            "missing": len(self.missing),
            "frames": sum(clip.frames for clip in clips),
            "bytes": sum(clip.bytes for clip in clips),
        }


def write_dataset_manifest(folder: str | os.PathLike[str], manifest: DatasetManifest) -> None:
    """Write `manifest.json` into the folder of the dataset.

    Raises:
      InputError: the file cannot be written.
    """
    content = {"layout": LAYOUT, "totals": manifest.totals} | dataclasses.asdict(manifest)
    with replacing(to_path(folder) / FILE_NAME) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_dataset_manifest(folder: str | os.PathLike[str]) -> DatasetManifest:
    """Read `manifest.json` from the folder of a dataset, a local path or one that begins `gs://`.

    Raises:
      InputError: the file is missing or damaged, or its dataset has another layout.
    """
    path = to_path(folder) / FILE_NAME
    try:
        with reading(path):
            content: dict[str, Any] = json.loads(path.read_text())
        if content["layout"] != LAYOUT:
            raise InputError(
                f"{path}: has layout {content['layout']}; expected {LAYOUT}:"
                " prepare the dataset again"
            )
        return DatasetManifest(
            dataset=content["dataset"],
            encoding=Encoding(**content["encoding"]),
            train=[PreparedClip(**clip) for clip in content["train"]],
            test=[PreparedClip(**clip) for clip in content["test"]],
            refused=[RefusedClip(**clip) for clip in content["refused"]],
            missing=content["missing"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: is damaged; expected a file that `python -m input_pipeline.prepare` wrote"
        ) from error
