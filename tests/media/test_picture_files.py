"""Which files are pictures, which kinds are read, and what of damaged ones."""

import importlib.util
import io
import shutil
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, features
from PIL.PngImagePlugin import PngInfo

from fomm_jax.errors import InputError
from fomm_jax.media import picture_files
from fomm_jax.media.picture_files import picture_kind
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.reading.decoding import open_container

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow has no AVIF")


def pattern():
    y, x = np.mgrid[:48, :64]
    return np.stack([4 * x, 5 * y, 255 - 4 * x], axis=-1).astype(np.uint8)


def png(**options):
    file = io.BytesIO()
    Image.fromarray(pattern()).save(file, "PNG", **options)
    return file.getvalue()


def insert_chunk(content, kind, data, checksum=None):
    """Insert a chunk after the header of a PNG."""
    checksum = zlib.crc32(kind + data) if checksum is None else checksum
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
    return content[:33] + chunk + content[33:]


def raw_profile(text):
    texts = PngInfo()
    texts.add_text("Raw profile type exif", text)
    return png(pnginfo=texts)


def oriented(content_of_exif=None):
    exif = Image.Exif()
    exif[0x0112] = 3
    return png(exif=exif)


DAMAGED_METADATA = {
    "checksum of a text": lambda: insert_chunk(png(), b"tEXt", b"a\0b", checksum=1),
    "checksum of a time": lambda: insert_chunk(png(), b"tIME", bytes(7), checksum=1),
    "checksum of a resolution": lambda: insert_chunk(png(), b"pHYs", bytes(9), checksum=1),
    "length of a resolution": lambda: insert_chunk(png(), b"pHYs", b"\0"),
    "endless text": lambda: insert_chunk(
        png(), b"zTXt", b"a\0\0" + zlib.compress(bytes(70 * 2**20))
    ),
    "profile not in hexadecimal": lambda: raw_profile("\nexif\n 8\nxyz"),
    "profile too short": lambda: raw_profile("\nexif\n 8\n45786966"),
    "damaged EXIF": lambda: insert_chunk(png(), b"eXIf", b"II*\0\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("damage", DAMAGED_METADATA)
def test_damaged_metadata_does_not_refuse_good_pixels(tmp_path, damage, capsys):
    path = tmp_path / "a.png"
    path.write_bytes(DAMAGED_METADATA[damage]())
    np.testing.assert_array_equal(read_picture(path), pattern())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 1
    assert all(line.startswith(f"warning: {path}: ") for line in lines)
    if not damage.startswith(("length", "damaged EXIF")):  # Pillow itself lets these pass
        assert lines


def test_intact_metadata_beside_damaged_one_is_used(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(insert_chunk(oriented(), b"tEXt", b"a\0b", checksum=1))
    np.testing.assert_array_equal(read_picture(path), pattern()[::-1, ::-1])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100}])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_that_lacks_its_end_mark_alone_is_read(tmp_path, options, missing, capsys):
    whole, path = tmp_path / "whole.jpg", tmp_path / "a.jpg"
    Image.fromarray(pattern()).save(whole, **options)
    path.write_bytes(whole.read_bytes()[:-missing])
    np.testing.assert_array_equal(read_picture(path), read_picture(whole))
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"warning: {path}: is damaged, but not in its pixels; they are used"


@pytest.mark.parametrize("missing", [12, 50, 300])
def test_a_jpeg_that_lacks_pixels_is_refused(tmp_path, missing):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:-missing])
    with pytest.raises(InputError, match=r"a\.jpg: cannot be read as a picture"):
        read_picture(tmp_path / "a.jpg")


STRANGERS = {
    "TIFF": lambda path: Image.fromarray(pattern()).save(path, "TIFF"),
    "JPEG 2000": lambda path: Image.fromarray(pattern()).save(path, "JPEG2000"),
    "the format of icons": lambda path: Image.fromarray(pattern()).save(path, "ICO"),
    "Photoshop's format": lambda path: path.write_bytes(b"8BPS\0\1" + bytes(20)),
    "JPEG XL": lambda path: path.write_bytes(b"\xff\x0a" + bytes(20)),
    "SVG": lambda path: path.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_pictures_of_other_kinds_are_called_what_they_are(tmp_path, kind):
    path = tmp_path / "a.png"
    STRANGERS[kind](path)
    with pytest.raises(InputError) as caught:
        read_picture(path)
    assert str(caught.value).startswith(f"{path}: is a picture in {kind}")
    assert str(caught.value).endswith("which is not supported; expected JPEG or PNG")
    with (
        pytest.raises(InputError, match=r"a\.png: is a picture, expected a video"),
        open_container(path),
    ):
        pass


@needs_avif
def test_avif_is_read_whatever_its_name(tmp_path):
    Image.fromarray(pattern()).save(tmp_path / "a.avif", quality=95)
    shutil.copy(tmp_path / "a.avif", tmp_path / "a.mp4")
    for name in ("a.avif", "a.mp4"):
        picture = read_picture(tmp_path / name)
        assert np.abs(picture.astype(int) - pattern()).mean() < 3
        with (
            pytest.raises(InputError, match=f"{name}: is a picture, expected a video"),
            open_container(tmp_path / name),
        ):
            pass


def test_heic_is_read_with_its_extra_and_else_called_what_it_is(shared, monkeypatch):
    media = shared / "faults" / "media"
    for name, first in (
        ("E1_iphone_photo.heic", (254, 0, 0)),
        ("E1_photo_alpha.heic", (255, 255, 255)),
    ):
        path = media / name
        assert picture_kind(path) == "HEIC"
        with (
            pytest.raises(InputError, match=f"{name}: is a picture, expected a video"),
            open_container(path),
        ):
            pass
        if importlib.util.find_spec("pillow_heif"):
            np.testing.assert_allclose(read_picture(path)[0, 0], first, atol=3)
        with monkeypatch.context() as patch:
            patch.setattr(picture_files, "_register_heic", lambda: False)
            with pytest.raises(InputError, match=f"{name}: is a picture in HEIC, .*fomm_jax.heic"):
                read_picture(path)


def test_a_cut_heic_is_refused_in_one_line(shared, tmp_path):
    pytest.importorskip("pillow_heif")
    content = (shared / "faults" / "media" / "E1_iphone_photo.heic").read_bytes()
    path = tmp_path / "a.heic"
    for share in (0.2, 0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match=r"a\.heic: cannot be read as a picture, .*") as caught:
            read_picture(path)
        assert "\n" not in str(caught.value)


def test_faulty_files(shared, capsys):
    media = shared / "faults" / "media"
    for path in sorted(media.glob("E4_*")):
        assert read_picture(path)[0, 0, 0] >= 254
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"warning: {path}: ")
    assert read_picture(media / "E2_photo.avif").shape == (120, 120, 3)


def test_files_that_were_right(shared):
    passing = shared / "faults" / "passing"
    for path in sorted(passing.glob("E4_*")):
        turned = "orientation6" in path.name or path.name in (
            "E4_exif_doubled_header.jpg",
            "E4_exif_makernote_offset_out_of_range.jpg",
        )
        picture = read_picture(path)
        assert picture.shape[:2] == ((160, 120) if turned else (120, 160)), path.name
        assert picture[0, 0, 2 if turned else 0] >= 254, path.name
    for path in sorted(passing.glob("C7_*.png")):
        width, height = map(int, path.stem.removeprefix("C7_").split("x"))
        assert read_picture(path).shape == (height, width, 3)
    upright = read_picture(passing / "C8_orient1.jpg").astype(int)
    for path in sorted(passing.glob("C8_*")):
        assert np.abs(read_picture(path) - upright).mean() < 3, path.name
    assert read_picture(passing / "E25_still.webp").shape == (120, 120, 3)
    assert read_picture(passing / "E30_png_named.jpg").shape == (120, 160, 3)
    with pytest.raises(InputError, match=r"E17_html_error_page\.jpg: cannot be read"):
        read_picture(passing / "E17_html_error_page.jpg")


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        (b"crx ", "a camera's raw format"),
        (b"avci", "HEIF"),
        (b"mif2", "HEIF"),
        (b"mif1\0\0\0\0mif1heic", "HEIC"),
        (b"mif1\0\0\0\0mif1avif", "AVIF"),
    ],
)
def test_brands_tell_the_kind(tmp_path, brands, kind):
    length = (8 + len(brands)).to_bytes(4, "big")
    (tmp_path / "a").write_bytes(length + b"ftyp" + brands)
    assert picture_kind(tmp_path / "a") == kind


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe2\0\x0aMPF\0MM\0*",  # the list of pictures of a stereo camera, cut
        b"\xff\xed\0\x16Photoshop 3.0\x008BI",  # cut within a block
    ],
)
def test_a_jpeg_with_damaged_segments_keeps_its_profile_and_orientation(tmp_path, segment):
    whole, path = tmp_path / "whole.jpg", tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pattern()).save(whole, exif=exif, icc_profile=profile)
    content = whole.read_bytes()
    path.write_bytes(content[:2] + segment + content[2:])
    np.testing.assert_array_equal(read_picture(path), read_picture(whole))


def test_no_more_than_the_head_of_a_file_is_read_to_see_that_it_is_no_picture(tmp_path):
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x10ftypisom")
        file.truncate(2**28)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"film\.mp4: cannot be read as a picture"):
            read_picture(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
