"""Marks in films and pictures, read by other means than those that write them."""

import errno
import io
import json
import shutil
import struct
import subprocess
import zlib
from xml.etree import ElementTree

import av
import imageio_ffmpeg
import numpy as np
import pytest
from films import write_film, write_noise
from PIL import Image

from fomm_jax.cli.modes import verify
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import read_picture, write_picture
from fomm_jax.media.read_marks import read_marks
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.provenance import containers
from fomm_jax.provenance.mark import Marking, SourceType

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MODEL = "vox <ä> & co.pth.tar"  # not safe in XML, Latin 1 or ASCII
MARKINGS = {
    VOCABULARY + "trainedAlgorithmicMedia": Marking(MODEL),
    VOCABULARY + "compositeWithTrainedAlgorithmicMedia": Marking(MODEL, SourceType.EDITED),
    VOCABULARY + "compositeSynthetic": Marking(MODEL, SourceType.COMPOSITE),
}
MAKER = f"fomm_jax (First Order Motion Model), weights {MODEL}"


def boxes_of_mp4(data):
    """Yield (kind, content) of each box; the boxes must fill the file exactly."""
    offset = 0
    while offset < len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        assert 8 <= size <= len(data) - offset
        yield kind, data[offset + 8 : offset + size]
        offset += size


def blocks_of_gif(data):
    """Yield (kind, content) of each block, as a reader does that knows GIF89a but not XMP."""
    assert data[:6] == b"GIF89a"
    file = io.BytesIO(data)

    def skip_colours(flags):
        file.seek(3 * 2 ** (flags % 8 + 1) if flags & 128 else 0, 1)

    def chain():
        content = b""
        while size := file.read(1)[0]:
            content += bytes([size]) + file.read(size)
        return content

    skip_colours(file.read(13)[10])
    while (introducer := file.read(1)) != b";":
        if introducer == b"!":
            yield file.read(1), chain()
        else:
            assert introducer == b","
            skip_colours(file.read(9)[8])
            file.read(1)
            yield introducer, chain()
    assert file.read() == b""


def chunks_of_png(data):
    """Yield (kind, content) of each chunk, with its checksum verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    offset = 8
    while offset < len(data):
        (size,) = struct.unpack_from(">I", data, offset)
        kind, content = data[offset + 4 : offset + 8], data[offset + 8 : offset + 8 + size]
        assert struct.unpack_from(">I", data, offset + 8 + size) == (zlib.crc32(kind + content),)
        yield kind, content
        offset += 12 + size


def properties(packet):
    """Return the simple properties of an XMP packet by their names with namespaces."""
    assert packet.startswith('<?xpacket begin="\ufeff"'.encode())
    assert packet.endswith(b'<?xpacket end="r"?>')
    root = ElementTree.fromstring(packet)
    (description,) = root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    return {child.tag: child.text for child in description}


def check_xmp(packet, uri):
    values = properties(packet)
    extension = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
    assert values[f"{extension}DigitalSourceType"] == uri
    assert values[f"{extension}AISystemUsed"] == MAKER
    assert values["{http://ns.adobe.com/xap/1.0/}CreatorTool"] == "fomm_jax"


@pytest.mark.parametrize("uri", MARKINGS)
def test_mp4_with_sound_has_a_comment_and_xmp(tmp_path, uri):
    write_film(tmp_path / "sound.mp4", seconds=1)
    path = write_noise(tmp_path / "a.mp4", MARKINGS[uri], sound_from=tmp_path / "sound.mp4")
    ((_, content),) = [box for box in boxes_of_mp4(path.read_bytes()) if box[0] == b"uuid"]
    assert content[:16].hex() == "be7acfcb97a942e89c71999491e3afac"
    check_xmp(content[16:], uri)
    with av.open(str(path)) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}
        comment = container.metadata["comment"]
    assert comment == f"Made with generative AI: {MAKER}. Digital source type: {uri}"
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    shown = subprocess.run(program, capture_output=True, check=False, encoding="utf-8").stderr
    assert f"comment         : {comment}" in shown
    assert "Input #0, mov,mp4" in shown


@pytest.mark.parametrize("uri", MARKINGS)
def test_gif_has_a_comment_and_xmp(tmp_path, uri):
    data = write_noise(tmp_path / "a.gif", MARKINGS[uri]).read_bytes()
    kinds = [kind for kind, _ in blocks_of_gif(data)]
    # The repetition comes first, then comment and XMP, then delay and picture of each frame.
    assert kinds == [b"\xff", b"\xfe", b"\xff"] + [b"\xf9", b","] * 5
    start = data.index(b"\x21\xff\x0bXMP DataXMP") + 14
    end = data.index(b"\x01\xff\xfe\xfd", start)
    check_xmp(data[start:end], uri)
    assert data[end : end + 258] == b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 5
        assert image.info["loop"] == 0
        comment = image.info["comment"].decode("ascii")
    assert comment.endswith(f"Digital source type: {uri}")


def test_long_comment_in_gif(tmp_path):
    """A comment may need more than one block of 255 bytes."""
    path = write_noise(tmp_path / "a.gif", Marking("n" * 600))
    with Image.open(path) as image:
        assert b"n" * 600 in image.info["comment"]
    assert len(list(blocks_of_gif(path.read_bytes()))) == 3 + 2 * 5


@pytest.mark.parametrize("uri", MARKINGS)
def test_png_has_a_comment_and_xmp(tmp_path, uri):
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    write_picture(tmp_path / "a.png", picture, marking=MARKINGS[uri])
    chunks = list(chunks_of_png((tmp_path / "a.png").read_bytes()))
    (packet,) = [c for kind, c in chunks if kind == b"iTXt" and c.startswith(b"XML:com.adobe.xmp")]
    check_xmp(packet.removeprefix(b"XML:com.adobe.xmp\0\0\0\0\0"), uri)
    with Image.open(tmp_path / "a.png") as image:
        assert (
            image.text["Comment"] == f"Made with generative AI: {MAKER}. Digital source type: {uri}"
        )
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), picture)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_other_pictures_have_xmp(tmp_path, suffix):
    picture = np.zeros((8, 8, 3), np.uint8)
    write_picture(tmp_path / f"a{suffix}", picture, marking=Marking(MODEL))
    with Image.open(tmp_path / f"a{suffix}") as image:
        check_xmp(image.info["xmp"], VOCABULARY + "trainedAlgorithmicMedia")
    assert read_marks(tmp_path / f"a{suffix}").source_type is SourceType.CREATED


def test_bmp_cannot_be_marked(tmp_path):
    with pytest.raises(InputError, match=r"a\.bmp: BMP cannot say"):
        write_picture(tmp_path / "a.bmp", np.zeros((8, 8, 3), np.uint8), marking=Marking("m"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_marks_change_no_frame(tmp_path, suffix):
    plain = write_noise(tmp_path / f"plain{suffix}", None)
    marked = write_noise(tmp_path / f"marked{suffix}", Marking(MODEL))
    for one, other in zip(iterate_frames(plain), iterate_frames(marked), strict=True):
        np.testing.assert_array_equal(one, other)
    one, other = probe_video(plain), probe_video(marked)
    assert (one.num_frames, one.fps, one.times) == (other.num_frames, other.fps, other.times)


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png"])
def test_without_marks(tmp_path, suffix, capsys):
    path = tmp_path / f"a{suffix}"
    if suffix == ".png":
        write_picture(path, np.zeros((8, 8, 3), np.uint8))
    else:
        write_noise(path, None)
    for trace in (b"generative", b"iptc", b"xpacket", b"fomm"):
        assert trace not in path.read_bytes()
    with pytest.raises(SystemExit) as leaving:
        verify.verify_file(str(path))
    assert leaving.value.code == 1
    assert capsys.readouterr().out.startswith(f"{path}: no mark found")


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png"])
@pytest.mark.parametrize("uri", MARKINGS)
def test_verification_in_words(tmp_path, suffix, uri, capsys):
    path = tmp_path / f"a{suffix}"
    if suffix == ".png":
        write_picture(path, np.zeros((8, 8, 3), np.uint8), marking=MARKINGS[uri])
    else:
        write_noise(path, MARKINGS[uri])
    with pytest.raises(SystemExit) as leaving:
        verify.verify_file(str(path))
    assert leaving.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}: marked as generated: ")
    term = uri.removeprefix(VOCABULARY)
    assert lines[1:] == [
        f"  comment: {term}",
        f"  XMP: {term}",
        f"  made with: {MAKER}",
        "  C2PA: no manifest",
    ]


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_exiftool_reads_the_marks_without_a_warning(tmp_path):
    for suffix in (".mp4", ".gif"):
        write_noise(tmp_path / f"a{suffix}", Marking(MODEL))
    write_picture(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8), marking=Marking(MODEL))
    program = ["exiftool", "-json", "-charset", "utf8", *map(str, sorted(tmp_path.iterdir()))]
    descriptions = json.loads(subprocess.run(program, capture_output=True, check=True).stdout)
    assert len(descriptions) == 3
    for tags in descriptions:
        assert "Warning" not in tags
        assert tags["DigitalSourceType"] == VOCABULARY + "trainedAlgorithmicMedia"
        assert tags["AISystemUsed"] == MAKER
        assert tags["Comment"].startswith("Made with generative AI: fomm_jax")


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_no_unmarked_film_is_left(tmp_path, suffix, monkeypatch):
    """A film is marked before it gets its name."""

    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(containers, "write_xmp", fail)
    with pytest.raises(InputError, match="No space left"):
        write_noise(tmp_path / f"a{suffix}", Marking("m"))
    assert not list(tmp_path.iterdir())
