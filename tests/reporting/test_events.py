"""What is written is what TensorBoard would show, also after a killed run has been resumed."""

import io
import struct

import numpy as np
import pytest
from PIL import Image
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event, SessionLog

from fomm_jax.errors import InputError
from fomm_jax.reporting.events import MetricWriter


def masked_checksum(content):
    """As the TFRecord format has it."""
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_events(path):
    """The events of one file: records of length, checksum, content, checksum."""
    content = path.read_bytes()
    events = []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        assert struct.unpack("<I", content[8:12])[0] == masked_checksum(content[:8])
        record = content[12 : 12 + length]
        assert struct.unpack("<I", content[12 + length : 16 + length])[0] == masked_checksum(record)
        events.append(Event.FromString(record))
        content = content[16 + length :]
    return events


def shown(logdir):
    """{(tag, step): value} after the rule of TensorBoard.

    A START purges what came before at its step or later; files follow each other by name.
    """
    values = {}
    for path in sorted(logdir.glob("events.out.tfevents.*")):
        events = read_events(path)
        assert events[0].file_version == "brain.Event:2"  # else there is no purge
        for event in events:
            if event.session_log.status == SessionLog.START:
                values = {key: value for key, value in values.items() if key[1] < event.step}
            for value in event.summary.value:
                values[value.tag, event.step] = value
    return values


def test_scalars_and_pictures_come_back(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with MetricWriter(tmp_path / "new" / "run") as writer:
        writer.scalars(3, {"perceptual": 1.5, "equivariance": np.float32(0.25)})
        writer.scalars(4, {"perceptual": float("nan")})
        writer.picture(4, "frames", picture)
    values = shown(tmp_path / "new" / "run")
    assert values.keys() == {
        ("perceptual", 3), ("equivariance", 3), ("perceptual", 4), ("frames", 4)
    }  # fmt: skip
    assert values["perceptual", 3].simple_value == 1.5
    assert values["equivariance", 3].simple_value == 0.25
    assert np.isnan(values["perceptual", 4].simple_value)
    image = values["frames", 4].image
    assert (image.height, image.width, image.colorspace) == (5, 7, 3)
    decoded = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))
    np.testing.assert_array_equal(decoded, picture)


def test_a_killed_run_loses_nothing(tmp_path):
    with MetricWriter(tmp_path) as writer:
        for step in range(1, 101):
            writer.scalars(step, {"loss": step})
        assert len(shown(tmp_path)) == 100


def test_resumed_run_hides_what_the_killed_one_wrote_later(tmp_path):
    with MetricWriter(tmp_path) as killed:
        for step in (10, 20, 30):
            killed.scalars(step, {"loss": 1.0})
    with MetricWriter(tmp_path, first_step=21) as resumed:  # within the same second
        assert {step for _, step in shown(tmp_path)} == {10, 20}
        resumed.scalars(25, {"loss": 2.0})
    losses = {step: value.simple_value for (_, step), value in shown(tmp_path).items()}
    assert losses == {10: 1.0, 20: 1.0, 25: 2.0}
    assert len(list(tmp_path.iterdir())) == 2


def test_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/run: cannot be written"):
        MetricWriter(tmp_path / "file" / "run")
