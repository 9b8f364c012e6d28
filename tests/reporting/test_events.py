"""Event files show in TensorBoard what a run wrote, and `read_curves` reads it back.

Both hold for a run that was killed and resumed.
"""

import io
import struct

import numpy as np
import pytest
from PIL import Image
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event, SessionLog

from fomm_jax.errors import InputError
from fomm_jax.reporting.events import EventWriter, read_curves


def masked_checksum(content):
    """Compute the checksum of the TFRecord format."""
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_events(path):
    """Read the events of a file, whose checksums must be right."""
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


def displayed_values(logdir):
    """{(tag, step): value} as TensorBoard displays it.

    It reads the files in the order of their names. A START event drops the values that earlier
    events have for its step and later ones.
    """
    values = {}
    for path in sorted(logdir.glob("events.out.tfevents.*")):
        events = read_events(path)
        assert events[0].file_version == "brain.Event:2"  # without it START drops nothing
        for event in events:
            if event.session_log.status == SessionLog.START:
                values = {key: value for key, value in values.items() if key[1] < event.step}
            for value in event.summary.value:
                values[value.tag, event.step] = value
    return values


def test_scalars_and_pictures_come_back(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with EventWriter(tmp_path / "new" / "run") as writer:
        writer.add_scalars(3, {"perceptual": 1.5, "equivariance": np.float32(0.25)})
        writer.add_scalars(4, {"perceptual": float("nan")})
        writer.add_picture(4, "frames", picture)
    values = displayed_values(tmp_path / "new" / "run")
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
    with EventWriter(tmp_path) as writer:
        for step in range(1, 101):
            writer.add_scalars(step, {"loss": step})
        assert len(displayed_values(tmp_path)) == 100


def test_a_resumed_run_hides_the_later_steps_of_the_killed_one(tmp_path):
    with EventWriter(tmp_path) as killed:
        for step in (10, 20, 30):
            killed.add_scalars(step, {"loss": 1.0})
    with EventWriter(tmp_path, first_step=21) as resumed:  # within the same second
        assert {step for _, step in displayed_values(tmp_path)} == {10, 20}
        resumed.add_scalars(25, {"loss": 2.0})
    losses = {step: value.simple_value for (_, step), value in displayed_values(tmp_path).items()}
    assert losses == {10: 1.0, 20: 1.0, 25: 2.0}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/run: cannot be written"):
        EventWriter(tmp_path / "file" / "run")


def test_the_curves_of_a_resumed_run_are_continuous(tmp_path):
    with EventWriter(tmp_path) as killed:
        for step in (10, 20, 30):
            killed.add_scalars(step, {"loss": step / 8, "early": 1.0})
        killed.add_picture(30, "frames", np.zeros((2, 2, 3), np.uint8))
    with EventWriter(tmp_path, first_step=21) as resumed:
        resumed.add_scalars(25, {"loss": 7.0})
    (tmp_path / "checkpoints").mkdir()
    assert read_curves(tmp_path) == {
        "loss": {10: 1.25, 20: 2.5, 25: 7.0},
        "early": {10: 1.0, 20: 1.0},
    }


def test_a_record_that_is_cut_short_ends_its_file(tmp_path):
    with EventWriter(tmp_path) as writer:
        writer.add_scalars(1, {"loss": 1.0})
        (path,) = tmp_path.iterdir()
        whole = path.stat().st_size
        writer.add_scalars(2, {"loss": 2.0})
    content = path.read_bytes()
    for length in range(whole, len(content)):
        path.write_bytes(content[:length])
        assert read_curves(tmp_path) == {"loss": {1: 1.0}}
    path.write_bytes(content)
    assert read_curves(tmp_path) == {"loss": {1: 1.0, 2: 2.0}}


@pytest.mark.parametrize("folder", ["", "none"])
def test_without_event_files_there_are_no_curves(tmp_path, folder):
    assert read_curves(tmp_path / folder) == {}
