"""What a prepared dataset holds, and what was left out of it and why: its `manifest.json`."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from etils import epath

from fomm_jax.errors import InputError
from fomm_jax.files import reading, replacing

FILE_NAME = "manifest.json"
LAYOUT = 1  # of the prepared form; raised when old readers would misread a new one


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How frames are written."""

    height: int = 256  # pixels
    width: int = 256
    fit: str = "crop"  # or "stretch": see `clips.read_clip`
    format: str = "png"  # or "jpeg", or "mp4"
    quality: int = 95  # of JPEG, 1 to 100
    keyframe_every: int = 10  # frames of mp4, of which any can be read without those before it


@dataclasses.dataclass(frozen=True)
class KeptClip:
    """A video of the dataset."""

    name: str
    frames: int
    fps: float
    bytes: int  # of its encoded frames
    sha256: str  # of its encoded frames one after another, or of its mp4 file


@dataclasses.dataclass(frozen=True)
class RefusedClip:
    """What could not be used."""

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A prepared dataset."""

    dataset: str
    encoding: Encoding
    train: Sequence[KeptClip]
    test: Sequence[KeptClip]
    refused: Sequence[RefusedClip]
    missing: Sequence[str]  # sources that the dataset's list names and that are not there

    @property
    def totals(self) -> dict[str, int]:
        """Numbers of clips kept, refused and missing, of frames and of bytes."""
        kept = [*self.train, *self.test]
        return {
            "kept": len(kept),
            "refused": len(self.refused),
            "missing": len(self.missing),
            "frames": sum(clip.frames for clip in kept),
            "bytes": sum(clip.bytes for clip in kept),
        }


def write_manifest(folder: epath.PathLike, manifest: Manifest) -> None:
    """Write the manifest into the folder of the dataset.

    Raises:
      InputError: it cannot be written.
    """
    content = {"layout": LAYOUT, "totals": manifest.totals} | dataclasses.asdict(manifest)
    with replacing(epath.Path(folder) / FILE_NAME) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_manifest(folder: epath.PathLike) -> Manifest:
    """Read the manifest of a prepared dataset, from a local path or one that begins with `gs://`.

    Raises:
      InputError: it is missing, damaged or of another layout.
    """
    path = epath.Path(folder) / FILE_NAME
    try:
        with reading(path):
            content: dict[str, Any] = json.loads(path.read_text())
        if content["layout"] != LAYOUT:
            raise InputError(
                f"{path}: is of layout {content['layout']}; expected {LAYOUT}:"
                " prepare the dataset again"
            )
        return Manifest(
            dataset=content["dataset"],
            encoding=Encoding(**content["encoding"]),
            train=[KeptClip(**clip) for clip in content["train"]],
            test=[KeptClip(**clip) for clip in content["test"]],
            refused=[RefusedClip(**clip) for clip in content["refused"]],
            missing=content["missing"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: is damaged; expected what `python -m input_pipeline.prepare` writes"
        ) from error
