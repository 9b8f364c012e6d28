"""Pictures are read in the colours that people see: profiles applied, transparent pixels hidden."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from fomm_jax.media.pictures import read_picture

RED = 200, 30, 30


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile():
    """Return a profile whose first channel is green and whose second is red."""
    head, table = srgb_profile()[:132], srgb_profile()[132:]
    swap = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    number = int.from_bytes(head[128:132], "big")
    entries = [table[12 * i : 12 * i + 12] for i in range(number)]
    renamed = [swap.get(entry[:4], entry[:4]) + entry[4:] for entry in entries]
    return head + b"".join(renamed) + table[12 * number :]


def cmyk_profile():
    """Return a profile by which cyan is a dark grey, the fourth ink black, and no ink white."""
    identity = bytes(range(256))
    # L, a, b at the corners, of which cyan varies slowest
    grid = [(0 if i & 1 else 0x50 if i & 8 else 255, 128, 128) for i in range(16)]
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + 4 * identity
    lut += b"".join(map(bytes, grid)) + 3 * identity
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags, content, offset = b"", b"", 132 + 2 * 12
    for name, data in ((b"A2B0", lut), (b"wtpt", white)):
        tags += name + struct.pack(">II", offset + len(content), len(data))
        content += data + b"\0" * (-len(data) % 4)
    body = struct.pack(">I", 2) + tags + content
    head = struct.pack(
        ">I4sI4s4s4s", 128 + len(body), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab "
    )
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + body


def write(path, colour, mode="RGB", **options):
    Image.new(mode, (8, 6), colour).save(path, **options)
    return path


def seen(path, **options):
    """Return the colour of an even picture."""
    colours = read_picture(path, **options).reshape(-1, 3)
    assert np.ptp(colours, axis=0).max() <= 3
    return colours[0].tolist()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_profile_is_applied(tmp_path, suffix):
    lossless = {"quality": 100, "subsampling": 0} if suffix == ".jpg" else {"lossless": True}
    path = write(tmp_path / f"a{suffix}", RED, icc_profile=swapped_profile(), **lossless)
    np.testing.assert_allclose(seen(path), (30, 200, 30), atol=2)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [("RGBA", (*RED, 255), (30, 200, 30)), ("P", 1, None), ("RGBA", (*RED, 0), (255, 255, 255))],
)
def test_a_profile_is_applied_in_every_mode(tmp_path, mode, colour, expected):
    image = Image.new(mode, (8, 6), colour)
    if mode == "P":
        image.putpalette([0, 0, 0, *RED])
    image.save(tmp_path / "a.png", icc_profile=swapped_profile())
    np.testing.assert_allclose(seen(tmp_path / "a.png"), expected or (30, 200, 30), atol=2)


def test_a_profile_of_cmyk_is_applied(tmp_path):
    profile = cmyk_profile()
    path = write(tmp_path / "a.jpg", (255, 0, 0, 0), "CMYK", icc_profile=profile, quality=100)
    red, green, blue = seen(path)  # Pillow alone makes (0, 255, 255) of cyan
    assert 60 < red < 90
    assert max(red, green, blue) - min(red, green, blue) < 6
    path = write(tmp_path / "b.jpg", (0, 0, 0, 0), "CMYK", icc_profile=profile, quality=100)
    np.testing.assert_allclose(seen(path), (255, 255, 255), atol=2)


def test_srgb_itself_changes_no_pixel(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png", icc_profile=srgb_profile())
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), noise)


@pytest.mark.parametrize("profile", [b"nonsense", srgb_profile()[:200]])
def test_a_damaged_profile_is_not_used(tmp_path, profile, capsys):
    path = write(tmp_path / "a.png", RED, icc_profile=profile)
    assert seen(path) == [*RED]
    line = f"warning: {path}: its colour profile is damaged and is not used\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("mode", ["CMYK", "GRAY"])
def test_a_profile_of_another_kind_of_pixels_is_not_used(tmp_path, mode):
    profile = srgb_profile()
    profile = profile[:16] + mode.encode() + profile[20:]
    assert seen(write(tmp_path / "a.png", RED, icc_profile=profile)) == [*RED]


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 90, 180)])
@pytest.mark.parametrize("name", ["a.png", "a.webp", "palette.png", "grey.png", "key.png"])
def test_transparent_pixels_are_not_seen(tmp_path, name, background):
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 4), dtype=np.uint8)
    noise[..., 3] = 0
    options = {"exact": True, "lossless": True} if name == "a.webp" else {}
    if name == "palette.png":
        image = Image.fromarray(noise[..., 0] % 4).convert("P")
        image.putpalette(list(range(12)))
        options = {"transparency": bytes(4)}
    elif name == "grey.png":
        image = Image.fromarray(np.ascontiguousarray(noise[..., [0, 3]]), "LA")
    elif name == "key.png":
        image, options = Image.new("RGB", (8, 6), RED), {"transparency": RED}
    else:
        image = Image.fromarray(noise)
    image.save(path, **options)
    assert seen(path, background=background) == [*background]
    if background == (255, 255, 255):
        assert seen(path) == [*background]


def test_half_transparent_pixels_are_blended(tmp_path):
    path = write(tmp_path / "a.png", (200, 100, 0, 51), "RGBA")
    assert seen(path, background=(0, 0, 250)) == [40, 20, 200]  # a fifth


def test_faulty_files(shared):
    media = shared / "faults" / "media"
    hidden = read_picture(media / "D1_rgba_noise_under_transparent.png")
    np.testing.assert_array_equal(hidden[:8, :8], 255)
    for name in ("D3_adobergb.png", "D3_adobergb.jpg"):
        np.testing.assert_allclose(read_picture(media / name)[0, 0], RED, atol=2)


def test_files_that_were_right(shared):
    passing = shared / "faults" / "passing"
    reference = read_picture(passing / "D3_reference_srgb.png")
    assert reference[0, 0].tolist() == [*RED]
    np.testing.assert_allclose(read_picture(passing / "D2_cmyk.jpg"), reference, atol=12)
    opaque = {  # the colour of the first pixel
        "D1_la.png": (255, 255, 255),
        "D1_rgba.webp": (255, 255, 255),
        "D1_rgba_black_under_transparent.png": (255, 255, 255),
        "D4_1bit.png": (0, 0, 0),
        "D4_bmp24.bmp": (255, 0, 0),
        "D4_gray16.png": (76, 76, 76),
        "D4_gray8.jpg": (76, 76, 76),
        "D4_palette16.png": (255, 0, 0),
        "D4_rgb48.png": (255, 0, 0),
        "D4_rgba64.png": (255, 0, 0),
        "D4_ya16.png": (76, 76, 76),
    }
    for name, colour in opaque.items():
        picture = read_picture(passing / name)
        assert picture.shape == (200, 200, 3)
        assert picture[0, 0].tolist() == [*colour], name
