"""Marks of generated films and pictures, read by other means than those that write them."""

import errno
import io
import json
import shutil
import struct
import subprocess
import sys
import zlib
from xml.etree import ElementTree

import av
import imageio_ffmpeg
import numpy as np
import pytest
from films import write_film, write_noise
from PIL import Image

from fomm_jax.cli import verify
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import read_picture, write_picture
from fomm_jax.media.read_marks import describe, read_marks
from fomm_jax.media.video_reader import frame_times, iterate_frames, probe_video
from fomm_jax.provenance import containers
from fomm_jax.provenance.containers import read_mp4_xmp
from fomm_jax.provenance.mark import Marking, SourceType
from fomm_jax.provenance.xmp import read_xmp

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MODEL = "vox <ä> & co.pth.tar"  # what XML, Latin 1 and ASCII each stumble over
MARKINGS = {
    VOCABULARY + "trainedAlgorithmicMedia": Marking(MODEL),
    VOCABULARY + "compositeWithTrainedAlgorithmicMedia": Marking(MODEL, SourceType.EDITED),
    VOCABULARY + "compositeSynthetic": Marking(MODEL, SourceType.COMPOSITE),
}
MAKER = f"fomm_jax (First Order Motion Model), weights {MODEL}"


def boxes_of_mp4(data):
    """(kind, content) of each box; they must fill the file exactly."""
    offset = 0
    while offset < len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        assert 8 <= size <= len(data) - offset
        yield kind, data[offset + 8 : offset + size]
        offset += size


def blocks_of_gif(data):
    """(kind, content) of each block, as by a reader that knows GIF89a and no XMP."""
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
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    offset = 8
    while offset < len(data):
        (size,) = struct.unpack_from(">I", data, offset)
        kind, content = data[offset + 4 : offset + 8], data[offset + 8 : offset + 8 + size]
        assert struct.unpack_from(">I", data, offset + 8 + size) == (zlib.crc32(kind + content),)
        yield kind, content
        offset += 12 + size


def properties(packet):
    """The simple properties of an XMP packet, by their names with namespaces."""
    assert packet.startswith('<?xpacket begin="\ufeff"'.encode())
    assert packet.endswith(b'<?xpacket end="r"?>')
    root = ElementTree.fromstring(packet)
    (description,) = root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    return {child.tag: child.text for child in description}


def check_xmp(packet, uri):
    found = properties(packet)
    extension = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
    assert found[f"{extension}DigitalSourceType"] == uri
    assert found[f"{extension}AISystemUsed"] == MAKER
    assert found["{http://ns.adobe.com/xap/1.0/}CreatorTool"] == "fomm_jax"


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
    told = subprocess.run(program, capture_output=True, check=False, encoding="utf-8").stderr
    assert f"comment         : {comment}" in told
    assert "Input #0, mov,mp4" in told


@pytest.mark.parametrize("uri", MARKINGS)
def test_gif_has_a_comment_and_xmp(tmp_path, uri):
    data = write_noise(tmp_path / "a.gif", MARKINGS[uri]).read_bytes()
    kinds = [kind for kind, _ in blocks_of_gif(data)]
    # Repetition first, then comment and XMP, then delay and picture of each frame.
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
    """Of more than one block of 255 bytes."""
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
    assert probe_video(plain) == probe_video(marked)
    np.testing.assert_array_equal(frame_times(plain), frame_times(marked))


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
    told = json.loads(subprocess.run(program, capture_output=True, check=True).stdout)
    assert len(told) == 3
    for tags in told:
        assert "Warning" not in tags
        assert tags["DigitalSourceType"] == VOCABULARY + "trainedAlgorithmicMedia"
        assert tags["AISystemUsed"] == MAKER
        assert tags["Comment"].startswith("Made with generative AI: fomm_jax")


def test_comment_in_another_encoding(tmp_path):
    path = write_noise(tmp_path / "a.mp4", Marking("cafe"))
    path.write_bytes(path.read_bytes().replace(b"cafe", "café".encode("latin-1")))
    assert len(list(iterate_frames(path))) == 5
    marks = read_marks(path)
    assert marks.terms["comment"] == "trainedAlgorithmicMedia"
    assert "weights caf\ufffd. Digital" in marks.comment


def test_comment_outlives_another_program(tmp_path):
    """FFmpeg leaves XMP out when it copies a film; what it keeps still tells."""
    write_noise(tmp_path / "a.mp4", Marking("m", SourceType.EDITED))
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(tmp_path / "a.mp4")]
    subprocess.run(
        [*program, "-c", "copy", str(tmp_path / "b.mkv"), "-crf", "40", str(tmp_path / "b.mp4")],
        capture_output=True,
        check=True,
    )
    for name in ("b.mkv", "b.mp4"):
        marks = read_marks(tmp_path / name)
        assert marks.terms == {"comment": "compositeWithTrainedAlgorithmicMedia"}
        assert "comment in full: Made with generative AI" in "\n".join(describe(name, marks))


def packet(body, attributes=""):
    return f"""<x:xmpmeta xmlns:x="adobe:ns:meta/">
      <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
          xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
          xmlns:d="http://purl.org/dc/elements/1.1/">
        <rdf:Description rdf:about=""><d:format>image/png</d:format></rdf:Description>
        <rdf:Description rdf:about="" {attributes}>{body}</rdf:Description>
      </rdf:RDF></x:xmpmeta>""".encode()


@pytest.mark.parametrize(
    "xmp",
    [
        packet(f"<e:DigitalSourceType> {VOCABULARY}digitalCapture\n</e:DigitalSourceType>"),
        packet(f'<e:DigitalSourceType rdf:resource="{VOCABULARY}digitalCapture"/>'),
        packet("", f'e:DigitalSourceType="{VOCABULARY}digitalCapture"'),
        packet("", f'e:DigitalSourceType="{VOCABULARY.replace("http", "https")}digitalCapture"'),
        packet("", f'e:DigitalSourceType="{VOCABULARY}digitalCapture"') + b"\n  " * 999 + b"\0",
    ],
    ids=["element", "resource", "attribute", "https", "padded"],
)
def test_xmp_of_others(tmp_path, xmp):
    """All forms are read; a term of the vocabulary is not yet a mark of generative AI."""
    assert read_xmp(xmp).source_type == "digitalCapture"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", xmp=xmp)
    marks = read_marks(tmp_path / "a.jpg")
    assert marks.terms == {"XMP": "digitalCapture"}
    assert marks.source_type is None


@pytest.mark.parametrize(
    "xmp",
    [
        b"",
        b"<x:xmpmeta",
        b"\xff\xfe\x00",
        packet(f"<e:DigitalSourceType>{VOCABULARY}</e:DigitalSourceType>"),
        packet("<e:DigitalSourceType>trainedAlgorithmicMedia</e:DigitalSourceType>"),
        b'<!DOCTYPE x [<!ENTITY y "z">]>'
        + packet("<e:DigitalSourceType>&y;</e:DigitalSourceType>"),
        packet("", f'e:DigitalSourceType="{VOCABULARY}digitalCapture"').ljust(2**20 + 1),
    ],
)
def test_useless_xmp_tells_nothing(xmp):
    assert read_xmp(xmp).source_type is None


def test_damaged_boxes_and_blocks_end_the_search(tmp_path):
    film = write_noise(tmp_path / "a.mp4", None).read_bytes()
    for size in (
        b"\0\0\0\x04uuid",
        b"\0\0\0\0uuid",
        b"\0\0\0\x01uuid\xff",
        b"\xff\xff\xff\xffuuid",
    ):
        (tmp_path / "broken.mp4").write_bytes(film + size)
        assert read_mp4_xmp(tmp_path / "broken.mp4") is None
    gif = write_noise(tmp_path / "a.gif", Marking(MODEL)).read_bytes()
    end = gif.index(b"XMP DataXMP")
    for size in (end + 5, end + 11, end + 500):
        (tmp_path / "cut.gif").write_bytes(gif[:size])
        assert read_marks(tmp_path / "cut.gif").xmp.source_type is None


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("no.mp4", None, "there is no such file, expected a picture or film"),
        ("text.txt", b"some words", "cannot be read as a picture or film"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0", "cannot be read as a picture or film"),
        ("cut.mp4", b"\0\0\0\x18ftypisom", "cannot be read as a picture or film"),
        ("empty.gif", b"", "cannot be read as a picture or film"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, data, told):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as refusal:
        read_marks(tmp_path / name)
    assert str(refusal.value) == f"{tmp_path / name}: {told}"


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_no_unmarked_film_is_left(tmp_path, suffix, monkeypatch):
    """A film is marked before it has its name."""

    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(containers, "write_xmp", fail)
    with pytest.raises(InputError, match="No space left"):
        write_noise(tmp_path / f"a{suffix}", Marking("m"))
    assert not list(tmp_path.iterdir())


def test_c2pa_is_optional(tmp_path, monkeypatch):
    """Without the package the other marks are there, and a manifest is at least seen."""
    monkeypatch.setitem(sys.modules, "c2pa", None)
    path = write_noise(tmp_path / "a.mp4", Marking("m"))
    assert read_marks(path).source_type is SourceType.CREATED
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 24 + 12, b"uuid") + b"?" * 16 + b"??jumdc2pa??")
    marks = read_marks(path)
    assert "c2pa-python (extra c2pa) can check" in describe(path, marks)[-1]
