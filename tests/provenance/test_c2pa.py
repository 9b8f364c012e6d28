"""C2PA manifests are signed and read back, and reveal what was changed afterwards."""

import hashlib
import json
import sys
import zlib

import numpy as np
import pytest

pytest.importorskip("c2pa", reason="c2pa-python is not installed")

import c2pa
from certificates import write_certificate
from cryptography.hazmat.primitives.asymmetric import ec
from films import write_noise

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import read_picture, write_picture
from fomm_jax.media.read_marks import describe, read_marks
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.provenance.c2pa import load_credentials
from fomm_jax.provenance.mark import Marking, SourceType

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return write_certificate(tmp_path_factory.mktemp("pem"))


@pytest.fixture(scope="module")
def credentials(pem):
    return load_credentials(*pem)


@pytest.fixture
def inputs(tmp_path):
    """Write a source picture and a driving video; return their paths."""
    write_picture(tmp_path / "source.png", np.zeros((8, 8, 3), np.uint8))
    write_noise(tmp_path / "driving.mp4", None)
    return str(tmp_path / "source.png"), str(tmp_path / "driving.mp4")


def manifest_of(path):
    """Return a file's active manifest, its state and the codes of its problems, by c2pa."""
    with c2pa.Reader(path) as reader:
        store = json.loads(reader.json())
        state = reader.get_validation_state()
    codes = [status["code"] for status in store["validation_status"]]
    return store["manifests"][store["active_manifest"]], state, codes


def actions_of(manifest):
    (actions,) = [a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions")]
    return actions["data"]["actions"]


def with_right_checksums(png):
    """Return a changed PNG with the checksums of its chunks made right again."""
    data, offset = bytearray(png), 8
    while offset < len(data):
        end = offset + 8 + int.from_bytes(data[offset : offset + 4], "big")
        data[end : end + 4] = zlib.crc32(data[offset + 4 : end]).to_bytes(4, "big")
        offset = end + 4
    return data


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_film_is_signed_with_its_ingredients(tmp_path, credentials, inputs, suffix):
    marking = Marking("model", SourceType.CREATED, *inputs, credentials)
    path = write_noise(tmp_path / f"a{suffix}", marking)
    manifest, state, codes = manifest_of(path)
    assert (state, codes) == ("Valid", ["signingCredential.untrusted"])
    assert manifest["signature_info"]["alg"] == "Es256"
    (action,) = actions_of(manifest)
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"] == VOCABULARY + "trainedAlgorithmicMedia"
    assert action["softwareAgent"]["name"].endswith("weights model")
    assert len(action["parameters"]["ingredients"]) == 2
    for ingredient, name, file in zip(
        manifest["ingredients"], ("source", "driving"), inputs, strict=True
    ):
        with open(file, "rb") as opened:
            digest = hashlib.sha256(opened.read()).hexdigest()
        assert ingredient["title"] == name
        assert ingredient["relationship"] == "inputTo"
        assert ingredient["description"] == f"SHA-256 of the file: {digest}"
        assert "thumbnail" not in ingredient
    plain = write_noise(tmp_path / f"plain{suffix}", None)
    for one, other in zip(iterate_frames(plain), iterate_frames(path), strict=True):
        np.testing.assert_array_equal(one, other)
    term = "trainedAlgorithmicMedia"
    assert read_marks(path).terms == {"comment": term, "XMP": term, "C2PA manifest": term}


def test_edited_picture_has_a_parent(tmp_path, credentials, inputs):
    marking = Marking("model", SourceType.EDITED, *inputs, credentials)
    manifest, state, _ = manifest_of(write_noise(tmp_path / "a.mp4", marking))
    assert state == "Valid"
    opened, edited = actions_of(manifest)
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert edited["digitalSourceType"] == VOCABULARY + "compositeWithTrainedAlgorithmicMedia"
    relations = [ingredient["relationship"] for ingredient in manifest["ingredients"]]
    assert relations == ["parentOf", "inputTo"]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_picture_is_signed(tmp_path, credentials, suffix):
    picture = np.full((8, 8, 3), 100, np.uint8)
    path = tmp_path / f"a{suffix}"
    write_picture(path, picture, marking=Marking("model", credentials=credentials))
    assert manifest_of(path)[1:] == ("Valid", ["signingCredential.untrusted"])
    assert np.abs(read_picture(path).astype(int) - picture).max() <= 1
    assert [path] == list(tmp_path.iterdir())


def test_manifest_of_the_source_is_included(tmp_path, credentials, inputs):
    """The manifest of an ingredient becomes part of the output's."""
    signed = tmp_path / "signed.png"
    marking = Marking("older model", SourceType.COMPOSITE, credentials=credentials)
    write_picture(signed, np.zeros((8, 8, 3), np.uint8), marking=marking)
    path = write_noise(
        tmp_path / "a.mp4", Marking("m", source=str(signed), credentials=credentials)
    )
    manifest, state, _ = manifest_of(path)
    assert state == "Valid"
    assert manifest["ingredients"][0]["active_manifest"].startswith("urn:c2pa:")
    assert read_marks(path).terms["C2PA manifest"] == "trainedAlgorithmicMedia"


def test_damaged_driving_video_is_an_ingredient(tmp_path, credentials, inputs):
    """The frames before the damage are animated, and the manifest names the file."""
    with open(inputs[1], "r+b") as file:
        file.truncate(3000)
    marking = Marking("m", SourceType.CREATED, *inputs, credentials)
    manifest, state, _ = manifest_of(write_noise(tmp_path / "a.mp4", marking))
    assert state == "Valid"
    assert [each["title"] for each in manifest["ingredients"]] == ["source", "driving"]


def test_verification_in_words(tmp_path, credentials, inputs):
    path = write_noise(tmp_path / "a.mp4", Marking("m", SourceType.CREATED, *inputs, credentials))
    description = "\n".join(describe(path, read_marks(path)))
    assert "C2PA: signed by A test, Nobody Ltd; the file has not changed since" in description
    assert "C2PA: the certificate is on no list of trusted ones" in description
    assert "C2PA: made of: source, SHA-256 of the file: " in description
    assert "C2PA: made of: driving, SHA-256 of the file: " in description


@pytest.mark.parametrize(
    ("suffix", "place"),
    [
        (".mp4", b"mdat"),
        (".mp4", b"AISystemUsed>fomm"),
        (".gif", b"XMP DataXMP"),
        (".png", b"Comment"),
        (".png", b"c2pa.created"),
    ],
)
def test_a_change_is_noticed(tmp_path, credentials, suffix, place):
    """A change of the pictures, of other marks, or of the manifest itself."""
    path, marking = tmp_path / f"a{suffix}", Marking("m", credentials=credentials)
    if suffix == ".png":
        write_picture(path, np.zeros((8, 8, 3), np.uint8), marking=marking)
    else:
        write_noise(path, marking)
    assert read_marks(path).manifest.is_valid
    data = bytearray(path.read_bytes())
    data[data.index(place) + len(place) + 20 * (place == b"mdat") - 1] ^= 1
    path.write_bytes(with_right_checksums(data) if suffix == ".png" else data)
    manifest = read_marks(path).manifest
    assert manifest.is_changed
    assert not manifest.is_valid
    description = "\n".join(describe(path, read_marks(path)))
    assert "C2PA: signed by" in description
    assert "since then file or manifest was changed (" in description
    assert "has not changed" not in description


def test_a_damaged_manifest_is_not_valid(tmp_path, credentials):
    path = tmp_path / "a.png"
    write_picture(
        path, np.zeros((8, 8, 3), np.uint8), marking=Marking("m", credentials=credentials)
    )
    data = path.read_bytes()
    path.write_bytes(with_right_checksums(data.replace(b"c2cl", b"c2cx")))
    marks = read_marks(path)
    assert not marks.manifest.is_valid
    assert marks.source_type is SourceType.CREATED  # by the other marks
    assert "signed by somebody who is not named; since then" in "\n".join(describe(path, marks))


def test_key_on_another_curve(tmp_path):
    files = write_certificate(tmp_path / "pem", curve=ec.SECP384R1())
    write_noise(tmp_path / "a.gif", Marking("m", credentials=load_credentials(*files)))
    manifest, state, _ = manifest_of(tmp_path / "a.gif")
    assert (manifest["signature_info"]["alg"], state) == ("Es384", "Valid")


def test_key_is_not_shown(credentials):
    assert "PRIVATE" in credentials.key
    assert "PRIVATE" not in repr(credentials)


def test_unusable_credentials_are_refused(tmp_path, pem, monkeypatch):
    certificate, key = pem
    other = write_certificate(tmp_path / "other")
    expired = write_certificate(tmp_path / "expired", days=-1)
    curve = write_certificate(tmp_path / "curve", curve=ec.SECP256K1())
    (tmp_path / "words").write_text("no PEM")
    (tmp_path / "bytes").write_bytes(b"\xff\xff")
    for files, message in [
        ((certificate, tmp_path / "none"), "/none: cannot be read .*; expected PEM"),
        ((tmp_path / "none", key), "/none: cannot be read .*; expected PEM"),
        ((tmp_path / "bytes", key), "/bytes: cannot be read .it is not text"),
        ((certificate, tmp_path / "words"), "/words: is not a private key in PEM"),
        ((tmp_path / "words", key), "/words: holds no certificate in PEM"),
        ((certificate, other[1]), f"^{certificate}, {other[1]}: cannot sign"),
        (expired, f"^{expired[0]}: is valid from .* to .*; expected a certificate .* today"),
        (curve, f"^{curve[1]}: expected a key on the curve"),
    ]:
        with pytest.raises(InputError, match=message) as refusal:
            load_credentials(*files)
        assert "\n" not in str(refusal.value)
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(InputError, match="needs the package c2pa-python"):
        load_credentials(certificate, key)
