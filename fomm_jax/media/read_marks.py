"""Reading the marks of generated media, whichever program wrote them."""

import dataclasses
import os

from fomm_jax.errors import InputError
from fomm_jax.files import check_is_file
from fomm_jax.media.picture_files import check_kind, open_picture, picture_kind
from fomm_jax.media.reading.decoding import open_container
from fomm_jax.provenance import c2pa
from fomm_jax.provenance.c2pa import Manifest
from fomm_jax.provenance.containers import read_gif_xmp, read_mp4_xmp
from fomm_jax.provenance.mark import SourceType, find_source_type
from fomm_jax.provenance.xmp import XmpMark, read_xmp

# A manifest begins with these bytes, in every format within the first bytes of a file (ISO 19566-5;
# C2PA specification, 11.1).
_MANIFEST_START, _MANIFEST_WITHIN = b"jumdc2pa", 2**20

_DESCRIPTIONS = {
    SourceType.CREATED: "a generative AI model made everything that is seen",
    SourceType.EDITED: "a generative AI model made a part of the picture",
    SourceType.COMPOSITE: "parts made by a generative AI model are beside parts that were not",
}


@dataclasses.dataclass(frozen=True)
class Marks:
    """The marks in a file, which tell how it was made."""

    xmp: XmpMark
    comment: str | None
    has_manifest: bool  # of C2PA
    manifest: Manifest | None  # None without c2pa-python, too

    @property
    def terms(self) -> dict[str, str]:
        """The terms of the IPTC's Digital Source Type, by the places where they stand."""
        terms = {
            "comment": find_source_type(self.comment or ""),
            "XMP": self.xmp.source_type,
            "C2PA manifest": next(iter(self.manifest.source_types), None)
            if self.manifest
            else None,
        }
        return {place: term for place, term in terms.items() if term}

    @property
    def source_type(self) -> SourceType | None:
        """How much of the file a generative model made, by its marks; None if they do not say."""
        generated = {term.value: term for term in SourceType}
        return next((generated[term] for term in self.terms.values() if term in generated), None)


def read_marks(path: str | os.PathLike[str]) -> Marks:
    """Read the marks of a picture or film.

    Raises:
      InputError: the file is missing, or is neither a picture nor a film.
    """
    check_is_file(path, "a picture or film")
    packet, comment = _read_picture(path) if picture_kind(path) else _read_film(path)
    with open(path, "rb") as file:
        has_manifest = _MANIFEST_START in file.read(_MANIFEST_WITHIN)
    is_checked = has_manifest and c2pa.is_installed()
    return Marks(
        xmp=read_xmp(packet) if packet else XmpMark(None, None),
        comment=comment,
        has_manifest=has_manifest,
        manifest=c2pa.read_manifest(path) if is_checked else None,
    )


def _read_picture(path: str | os.PathLike[str]) -> tuple[bytes | None, str | None]:
    """Return the XMP packet and the comment of a picture."""
    check_kind(path)
    try:
        with open_picture(path) as image:
            packet = read_gif_xmp(path) if image.format == "GIF" else image.info.get("xmp")
            return packet, _text(image.info.get("comment") or image.info.get("Comment"))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a picture or film") from error


def _read_film(path: str | os.PathLike[str]) -> tuple[bytes | None, str | None]:
    """Return the XMP packet and the comment of a film."""
    try:
        with open_container(path) as (container, _):
            tags = {name.lower(): text for name, text in container.metadata.items()}
            packet = read_mp4_xmp(path) if "mp4" in container.format.name else None
    except InputError as error:
        raise InputError(f"{path}: cannot be read as a picture or film") from error
    return packet, _text(tags.get("comment"))


def _text(comment: bytes | str | None) -> str | None:
    """Return a comment, which need not be UTF-8, as text that can be printed."""
    if isinstance(comment, str):
        comment = comment.encode("utf-8", "surrogateescape")
    return comment if comment is None else comment.decode("utf-8", "replace")


def describe(path: str | os.PathLike[str], marks: Marks) -> list[str]:
    """Describe the marks of a file in words, line by line."""
    source_type = marks.source_type
    if source_type is None:
        lines = [f"{path}: no mark found; that proves nothing, since marks can be removed"]
    else:
        lines = [f"{path}: marked as generated: {_DESCRIPTIONS[source_type]}"]
    lines += [f"  {place}: {term}" for place, term in marks.terms.items()]
    if marks.xmp.maker:
        lines.append(f"  made with: {marks.xmp.maker}")
    elif marks.comment:
        lines.append(f"  comment in full: {' '.join(marks.comment.split())}")
    return lines + [f"  C2PA: {line}" for line in _describe_manifest(marks)]


def _describe_manifest(marks: Marks) -> list[str]:
    if not marks.has_manifest:
        return ["no manifest"]
    manifest = marks.manifest
    if manifest is None:
        return ["there is a manifest, which c2pa-python (extra c2pa) can check"]
    signer = f"signed by {manifest.signer or 'somebody who is not named'}"
    if not manifest.is_valid:
        problem = (
            "file or manifest was changed" if manifest.is_changed else "the manifest is not valid"
        )
        return [f"{signer}; since then {problem} ({', '.join(manifest.problems)})"]
    lines = [f"{signer}; the file has not changed since"]
    if not manifest.is_trusted:
        lines.append("the certificate is on no list of trusted ones, so the signer may be anybody")
    return lines + [f"made of: {each}" for each in manifest.ingredients]
