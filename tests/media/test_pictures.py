"""Pictures of all kinds are read as RGB, and written unchanged."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import read_picture, write_picture

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
ORIENTATION_TAG = 0x0112  # EXIF 2.3, table 4


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, (12, 20, 3), dtype=np.uint8)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_lossless_formats_return_what_was_written(tmp_path, picture, suffix):
    path = tmp_path / "new" / f"a{suffix}"
    write_picture(path, picture)
    np.testing.assert_array_equal(read_picture(path), picture)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_jpeg_returns_nearly_what_was_written(tmp_path):
    x = np.linspace(0, 255, 64)
    smooth = np.stack(np.broadcast_arrays(x, x[:, None], 128), axis=-1).astype(np.uint8)
    write_picture(tmp_path / "a.jpg", smooth)
    assert np.abs(read_picture(tmp_path / "a.jpg").astype(int) - smooth).mean() < 2


def test_grey_picture_has_three_equal_channels(tmp_path, picture):
    write_picture(tmp_path / "a.png", picture[..., 0])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), picture[..., [0, 0, 0]])


def test_alpha_is_dropped_on_request_and_the_suffix_does_not_decide(tmp_path, picture, rng):
    alpha = rng.integers(0, 256, (12, 20, 1), dtype=np.uint8)
    rgba = Image.fromarray(np.concatenate([picture, alpha], axis=-1))
    rgba.save(tmp_path / "a.jpg", format="PNG")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.jpg", background=None), picture)


def test_palette_with_transparency_keeps_its_colours(tmp_path):
    indexed = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8)).convert("P")
    colours = [(250, 10, 20), (30, 240, 50), (60, 70, 230)]
    indexed.putpalette([level for colour in colours for level in colour])
    indexed.save(tmp_path / "a.png", transparency=bytes([0, 128, 255]))
    expected = np.array([[colours[0], colours[1]], [colours[2], colours[0]]])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", background=None), expected)


def test_16_bits_are_scaled_not_clipped(tmp_path):
    levels = np.array([[0, 128, 129, 257], [32896, 40000, 65406, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    expected = [[0, 0, 1, 1], [128, 156, 254, 255]]  # v / 257, by hand
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png")[..., 1], expected)


def test_a_phones_portrait_is_turned_upright(tmp_path):
    upright = np.zeros((48, 32, 3), np.uint8)
    upright[:24] = 255  # bright above
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6  # show it turned clockwise by 90 degrees
    Image.fromarray(np.rot90(upright)).save(tmp_path / "a.jpg", exif=exif)
    read = read_picture(tmp_path / "a.jpg")
    assert read.shape == upright.shape
    assert np.abs(read.astype(int) - upright).mean() < 3


def mirror(picture):
    return picture[:, ::-1]


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
@pytest.mark.parametrize(
    ("orientation", "store"),  # how a camera stores an upright picture (EXIF 2.3, table 4)
    [
        (1, lambda picture: picture),
        (2, mirror),
        (3, lambda picture: np.rot90(picture, 2)),
        (4, lambda picture: np.rot90(mirror(picture), 2)),
        (5, lambda picture: np.rot90(mirror(picture))),
        (6, np.rot90),
        (7, lambda picture: np.rot90(mirror(picture), -1)),
        (8, lambda picture: np.rot90(picture, -1)),
    ],
)
def test_every_orientation_is_turned_upright(tmp_path, picture, mode, orientation, store):
    if mode == "P":
        picture = picture // 255 * 255  # colours of the default palette
    upright = np.asarray(Image.fromarray(picture).convert(mode).convert("RGB"))
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    stored = Image.fromarray(np.ascontiguousarray(store(upright))).convert(mode)
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), upright)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_file_that_is_cut_short_is_refused_by_name(tmp_path, suffix, share, rng):
    path = tmp_path / f"a{suffix}"
    write_picture(path, rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=path.name):
        read_picture(path)


def test_other_files_are_refused_by_name(tmp_path, picture):
    (tmp_path / "text.png").write_text("text")
    frames = [Image.fromarray(picture), Image.fromarray(255 - picture)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    for name, reason in [("text.png", "cannot be read"), ("absent.png", "no such file")]:
        with pytest.raises(InputError, match=f"{name}.*{reason}"):
            read_picture(tmp_path / name)
    with pytest.raises(InputError, match=r"moving\.gif.*animation"):
        read_picture(tmp_path / "moving.gif")


def test_pillows_limit_of_pixels_does_not_apply(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12 * 20 // 2 - 1)
    write_picture(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), picture)
    with pytest.raises(Image.DecompressionBombError):  # the limit stays for other code
        Image.open(tmp_path / "a.png")


@pytest.mark.parametrize(("height", "width"), [(26756, 26755), (256, 2**31 - 1)])
def test_a_picture_too_large_for_memory_is_refused_by_its_header(tmp_path, height, width):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(b"")]
    content = b"\x89PNG\r\n\x1a\n"
    for chunk in chunks:
        content += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_picture(tmp_path / "a.png")
    assert str(caught.value) == (
        f"{tmp_path / 'a.png'}: tells of {width} x {height} pixels, expected at most 715827882"
        " in all"  # 2^31 bytes / 3
    )


def test_unwritable_names_are_refused(tmp_path, picture):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"a\.tiff.*\.png"):
        write_picture(tmp_path / "a.tiff", picture)
    with pytest.raises(InputError, match=r"a\.png: cannot be written"):
        write_picture(tmp_path / "file" / "a.png", picture)


def test_a_failed_write_leaves_the_old_file(tmp_path, picture):
    write_picture(tmp_path / "a.png", picture)
    with pytest.raises(TypeError):
        write_picture(tmp_path / "a.png", picture.astype(float))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), picture)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_shared_pictures():
    sizes = {p.name: read_picture(p).shape for p in sorted((SHARED / "media").glob("*.jpg"))}
    assert sizes == {
        "source_photo_725x725.jpg": (725, 725, 3),
        "source_portrait_1092x1280.jpg": (1280, 1092, 3),
        "source_portrait_720x1280.jpg": (1280, 720, 3),
    }
    stacked = read_picture(SHARED / "actions" / "test" / "00000002.jpg")  # an RGBA PNG
    assert stacked.shape[0] == 64
    assert stacked.shape[1] % 64 == 0
