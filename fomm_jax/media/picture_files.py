"""Picture files: which kinds are known, how they are opened, and what can be read of damaged ones.

Pillow opens them. imageio has no list of allowed formats, and lets no damaged metadata pass.
"""

import contextlib
import functools
import io
import os
import threading
import warnings
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

from fomm_jax.errors import InputError

# The size of a decoded RGB picture: 10,922 frames of 256 x 256 side by side fit in. The header of a
# damaged file may claim far more.
MAX_BYTES = 2**31

# Pillow knows many more formats. Some of them start other programs, and no camera writes them.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "AVIF")

# Formats whose files may hold several pictures of which one is to be shown.
_COLLECTIONS = ("MPO", "HEIF")

# Pictures, not videos, that nothing here reads: how their files begin, and what they are called.
_OTHER_KINDS = (
    (b"II*\0", "TIFF or a camera's raw format"),
    (b"MM\0*", "TIFF or a camera's raw format"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop's format"),
    (b"\0\0\1\0", "the format of icons"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
)

# Brands of ISO base media files (ISO 23008-12, annexes E to L) that hold a picture or a sequence of
# pictures. Canon's CR3 has a brand of its own.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "HEIC"),
    **dict.fromkeys((b"mif1", b"msf1"), "HEIC"),  # unless a compatible brand says AVIF
    **dict.fromkeys((b"avci", b"avcs", b"vvic", b"vvis", b"jpeg", b"j2ki", b"mif2"), "HEIF"),
    b"crx ": "a camera's raw format",
}
PICTURE_BRANDS = tuple(_BRANDS)
_HEAD = 512  # bytes in which a kind is looked for

# PNG specification, 11: the chunks beside the critical ones that tell how the pixels look or move.
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = (b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"fdAT")

_JPEG_START, _JPEG_END, _JPEG_SCAN = b"\xff\xd8\xff", b"\xff\xd9", b"\xda"

# How the segments of a JPEG begin that tell how its pixels look: number and name. Adobe's (14)
# tells in which colours they are stored.
_JPEG_NEEDED = (b"\xe0", b"\xee")
_JPEG_KEPT = (*_JPEG_NEEDED, b"\xe1", b"\xe2ICC_PROFILE\0")

_pillow_lock = threading.Lock()


def picture_kind(path: str | os.PathLike[str]) -> str | None:
    """Name the format of a picture, whatever the name of its file; None if it is no picture."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    if head[4:8] == b"ftyp":
        return _kind_by_brands(head)
    for start, kind in _OTHER_KINDS:
        if head.startswith(start):
            return kind
    try:
        with open_picture(path) as image:
            return image.format
    except (OSError, SyntaxError, ValueError):
        if head.startswith(_PNG_SIGNATURE):
            return "PNG"
        if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            return "WEBP"
        return "SVG" if b"<svg" in head else None  # a declaration and comments may come before


def _kind_by_brands(head: bytes) -> str | None:
    major, length = head[8:12], int.from_bytes(head[:4], "big")
    compatible = [head[i : i + 4] for i in range(16, min(length, len(head)), 4)]
    if major in (b"mif1", b"msf1") and ({b"avif", b"avis"} & set(compatible)):
        return "AVIF"
    return _BRANDS.get(major)


def check_kind(path: str | os.PathLike[str]) -> None:
    """Raise an InputError if a file is a picture of a kind that cannot be read here."""
    kind = picture_kind(path)
    if kind == "HEIC" and not _register_heic():
        raise InputError(
            f"{path}: is a picture in HEIC, which needs the package pillow-heif;"
            " expected `pip install 'fomm_jax[heic]'`, or a picture in JPEG or PNG"
        )
    if kind is not None and kind not in (*_FORMATS, "MPO", "HEIC"):
        raise InputError(
            f"{path}: is a picture in {kind}, which is not supported; expected JPEG or PNG"
        )


def check_size(path: str | os.PathLike[str], header: Image.Image) -> None:
    """Raise an InputError if a picture would take more than `MAX_BYTES` when decoded to RGB."""
    if 3 * header.width * header.height > MAX_BYTES:
        raise InputError(
            f"{path}: tells of {header.width} x {header.height} pixels,"
            f" expected at most {MAX_BYTES // 3} in all"
        )


def is_animated(header: Image.Image) -> bool:
    """Tell whether the pictures in a file follow one another in time."""
    return header.format not in _COLLECTIONS and getattr(header, "is_animated", False)


@contextlib.contextmanager
def open_picture(file: str | os.PathLike[str] | BinaryIO) -> Iterator[Image.Image]:
    """Open a picture of a known format with Pillow, which reads the header and decodes nothing.

    Raises:
      OSError, SyntaxError, ValueError: the file is no picture. The message is Pillow's.
    """
    formats = (*_FORMATS, "HEIF") if _register_heic() else _FORMATS
    with quiet_pillow():
        image = Image.open(file, formats=formats)
    with image:
        yield image


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow, and lift its limit of pixels, while the block reads headers and metadata.

    Pillow would take the frames of a long video side by side for an attack, and warns of metadata
    that nobody looks at. Both settings hold for the whole program, so the block must be short.
    """
    with _pillow_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@functools.cache
def _register_heic() -> bool:
    """Make Pillow read HEIC; return False if the package for it is not installed."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def repair(path: str | os.PathLike[str]) -> bytes | None:
    """Return the bytes of a picture file without what is damaged beside its pixels.

    Returns:
      None if nothing can be repaired, above all if pixels are missing.
    """
    with open(path, "rb") as file:
        head = file.read(len(_PNG_SIGNATURE))
        if not head.startswith((_PNG_SIGNATURE, _JPEG_START)):
            return None  # without reading the rest, which may be a long film
        content = head + file.read()
    return _repair_png(content) if head == _PNG_SIGNATURE else _repair_jpeg(content)


def _repair_png(content: bytes) -> bytes | None:
    """Leave out texts, which may be too long for Pillow, and metadata with a wrong checksum."""
    chunks, offset = [_PNG_SIGNATURE], len(_PNG_SIGNATURE)
    while offset + 12 <= len(content):
        end = offset + 12 + int.from_bytes(content[offset : offset + 4], "big")
        chunk, kind = content[offset:end], content[offset + 4 : offset + 8]
        is_critical = kind[:1].isupper()
        is_whole = int.from_bytes(chunk[-4:], "big") == zlib.crc32(chunk[4:-4])
        if is_critical or (is_whole and kind in _PNG_KEPT):
            chunks.append(chunk)
        offset = end
    repaired = b"".join(chunks)
    return repaired if len(repaired) < len(content) else None


def _repair_jpeg(content: bytes) -> bytes | None:
    """Leave out metadata, or append the mark of the end, if it is all that is missing.

    Colour profiles and EXIF are kept if the picture can be decoded with them.
    """
    for kept in (_JPEG_KEPT, _JPEG_NEEDED):
        stripped = _strip_jpeg(content, kept)
        with contextlib.suppress(Exception):  # Pillow raises anything, depending on the damage
            if stripped is not None:
                _decode(stripped)
                return stripped
    for kept in (_JPEG_KEPT, _JPEG_NEEDED):
        stripped = _strip_jpeg(content, kept)
        if stripped is not None and (ended := _end_jpeg(stripped)) is not None:
            return ended
    return _end_jpeg(content)


def _strip_jpeg(content: bytes, kept: tuple[bytes, ...]) -> bytes | None:
    """Leave out comments, and the application segments that do not begin as one of `kept`.

    Returns:
      None if the segments before the pixels are not whole.
    """
    parts, offset = [content[:2]], 2
    while content[offset + 1 : offset + 2] != _JPEG_SCAN:
        if content[offset : offset + 1] != b"\xff" or offset + 4 > len(content):
            return None
        marker = content[offset + 1]
        if marker == 0xFF:  # a filling
            offset += 1
            continue
        end = offset + 2 + int.from_bytes(content[offset + 2 : offset + 4], "big")
        segment = content[offset:end]
        is_metadata = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not is_metadata or (segment[1:2] + segment[4:]).startswith(kept):
            parts.append(segment)
        offset = end
    return b"".join([*parts, content[offset:]])


def _end_jpeg(content: bytes) -> bytes | None:
    """Append the mark of the end, if it is all that is missing."""
    content = content.rstrip(b"\xff")
    # A decoder takes missing pixels from whatever follows, and ignores it after the last pixel.
    try:
        first, second = (
            _decode(content + further + _JPEG_END) for further in (b"", b"\x5a" * 1024)
        )
    except Exception:  # Pillow raises anything, depending on the damage
        return None
    return content + _JPEG_END if first == second else None


def _decode(content: bytes) -> bytes:
    with open_picture(io.BytesIO(content)) as image:
        return image.tobytes()
