"""Marks are read back, whichever program wrote or damaged them."""

import struct
import subprocess
import sys

import imageio_ffmpeg
import pytest
from films import write_noise
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.read_marks import describe, read_marks
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.provenance.containers import read_mp4_xmp
from fomm_jax.provenance.mark import Marking, SourceType
from fomm_jax.provenance.xmp import read_xmp

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def test_a_comment_in_another_encoding_is_read(tmp_path):
    path = write_noise(tmp_path / "a.mp4", Marking("cafe"))
    path.write_bytes(path.read_bytes().replace(b"cafe", "café".encode("latin-1")))
    assert len(list(iterate_frames(path))) == 5
    marks = read_marks(path)
    assert marks.terms["comment"] == "trainedAlgorithmicMedia"
    assert "weights caf\ufffd. Digital" in marks.comment


def test_the_comment_survives_a_copy_by_ffmpeg(tmp_path):
    """FFmpeg drops XMP when it copies a film, but keeps the comment."""
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
def test_xmp_of_other_programs_is_read(tmp_path, xmp):
    """All forms are read, and not every term of the vocabulary means generative AI."""
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
def test_unusable_xmp_is_ignored(xmp):
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
    gif = write_noise(tmp_path / "a.gif", Marking("m")).read_bytes()
    end = gif.index(b"XMP DataXMP")
    for size in (end + 5, end + 11, end + 500):
        (tmp_path / "cut.gif").write_bytes(gif[:size])
        assert read_marks(tmp_path / "cut.gif").xmp.source_type is None


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("no.mp4", None, "there is no such file, expected a picture or film"),
        ("text.txt", b"some words", "cannot be read as a picture or film"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0", "cannot be read as a picture or film"),
        ("cut.mp4", b"\0\0\0\x18ftypisom", "cannot be read as a picture or film"),
        ("empty.gif", b"", "cannot be read as a picture or film"),
    ],
)
def test_other_files_are_refused(tmp_path, name, data, message):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as refusal:
        read_marks(tmp_path / name)
    assert str(refusal.value) == f"{tmp_path / name}: {message}"


def test_c2pa_is_optional(tmp_path, monkeypatch):
    """Without the package, other marks are read, and a manifest is at least noticed."""
    monkeypatch.setitem(sys.modules, "c2pa", None)
    path = write_noise(tmp_path / "a.mp4", Marking("m"))
    assert read_marks(path).source_type is SourceType.CREATED
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 24 + 12, b"uuid") + b"?" * 16 + b"??jumdc2pa??")
    marks = read_marks(path)
    assert "c2pa-python (extra c2pa) can check" in describe(path, marks)[-1]
