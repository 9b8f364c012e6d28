"""Damage in videos is reported, after all frames that come before it."""

import itertools
import re

import av
import numpy as np
import pytest
from clips import NUM_FRAMES, noisy_frame, write_clip

from fomm_jax.errors import InputError
from fomm_jax.media.reading.frame_index import index_frames
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import count_frames, iterate_frames, read_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter


def packets_of(path):
    with av.open(str(path)) as container:
        return [(p.pos, p.pos + p.size) for p in container.demux(video=0) if p.size]


def frames_before_error(path, **options):
    """Return the frames before the damage, and the message after them."""
    frames = []
    with pytest.raises(InputError) as caught:
        frames.extend(iterate_frames(path, **options))
    return frames, str(caught.value)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_a_missing_end_is_reported_after_the_intact_frames(tmp_path, name, share):
    options = {"faststart": True, "bf": "0"} if name == "a.mp4" else {"codec": "mpeg4"}
    path = write_clip(tmp_path / name, **options)
    whole = list(iterate_frames(path))
    content = path.read_bytes()
    cut = int(share * len(content))
    intact = sum(end <= cut for _, end in packets_of(path))
    path.write_bytes(content[:cut])
    frames, message = frames_before_error(path)
    np.testing.assert_array_equal(frames, whole[:intact])
    assert re.fullmatch(rf".*{name}: is (damaged|cut short) after frame {intact}", message)
    with pytest.raises(InputError, match=rf"{name}: is (damaged|cut)"):
        count_frames(path)
    with pytest.raises(InputError, match=rf"{name}: is (damaged|cut)"):
        read_frames(path, [intact, 0])


def test_a_cut_between_packets_is_reported(tmp_path):
    path = write_clip(tmp_path / "a.mp4", faststart=True)
    path.write_bytes(path.read_bytes()[: packets_of(path)[20][0]])
    frames, message = frames_before_error(path)
    assert message == f"{path}: is cut short after frame {len(frames)}"
    assert len(frames) == 20
    with pytest.raises(InputError, match=r"a\.mp4: is cut short"):
        count_frames(path)


def damage(path, numbers, data=b"\xff" * 8):  # an impossible length
    """Write something else over the beginnings of packets."""
    content = bytearray(path.read_bytes())
    for number in numbers:
        start = packets_of(path)[number][0]
        content[start : start + len(data)] = data
    path.write_bytes(content)


@pytest.mark.parametrize("numbers", [[20], [20, 21, 30]])
def test_frames_after_damage_are_read_and_the_damage_is_reported(tmp_path, numbers):
    path = write_clip(tmp_path / "a.mp4", bf="0", g="1")
    whole = list(iterate_frames(path))
    damage(path, numbers)
    frames, message = frames_before_error(path)
    intact = [i for i in range(NUM_FRAMES) if i not in numbers]
    np.testing.assert_array_equal(frames, [whole[i] for i in intact])
    assert message == (
        f"{path}: number of damaged frames: {len(numbers)}; the one before stands in place of each"
    )
    before, message = frames_before_error(path, past_damage=False)
    np.testing.assert_array_equal(before, whole[: numbers[0]])
    assert message == f"{path}: is damaged after frame {numbers[0]}"
    with pytest.raises(InputError, match=r"a\.mp4: is damaged after frame 20"):
        count_frames(path)


def test_damage_of_the_last_frames_is_reported(tmp_path):
    path = write_clip(tmp_path / "a.mp4", bf="0", g="1")
    whole = list(iterate_frames(path))
    damage(path, [10, 38, 39])
    frames, message = frames_before_error(path)
    np.testing.assert_array_equal(frames, [*whole[:10], *whole[11:38]])
    assert message == f"{path}: is damaged after frame 37"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("one_group.mp4", {"g": "250"}),
        ("a.mkv", {"g": "8"}),
        ("old.avi", {"codec": "mpeg4", "bf": "2"}),
    ],
)
def test_bytes_changed_anywhere_give_frames_or_a_message(tmp_path, name, options):
    path = write_clip(tmp_path / name, **options)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    messages = []
    for _ in range(150):
        content = bytearray(whole)
        for start in rng.integers(len(content), size=3):
            content[start : start + 8] = rng.bytes(8)
        path.write_bytes(content)
        try:
            assert len(list(iterate_frames(path))) > 0
        except InputError as error:
            messages.append(str(error))
    assert messages
    assert all(message.startswith(f"{path}: ") for message in messages)


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_every_cut_gives_frames_or_a_message(tmp_path, name, share):
    path = tmp_path / name
    with VideoWriter(path, FilmFormat(48, 64, fps=25)) as writer:
        for i in range(10):
            writer.write(noisy_frame(i))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    for read in (
        lambda: len(list(iterate_frames(path))),
        lambda: count_frames(path),
        lambda: len(read_frames(path, [0])),
        lambda: probe_video(path).width == 64,
    ):
        try:
            answer = read()
        except InputError as error:
            answer = name in str(error)
        assert 0 < answer <= 10


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"bf": "0", "g": "10", "sc_threshold": "0"}),
        ("b.mp4", {"bf": "2", "g": "10", "sc_threshold": "0"}),
        ("a.mkv", {"codec": "libx265", "g": "10", "x265-params": "log-level=none"}),
    ],
)
@pytest.mark.parametrize("number", [0, 10, 20])
def test_every_frame_that_another_one_stands_for_is_counted(tmp_path, name, options, number):
    path = write_clip(tmp_path / name, **options)
    index = index_frames(path)
    start, end = packets_of(path)[number]
    damage(path, [number], bytes(end - start))  # a key frame, which others depend on
    frames, message = frames_before_error(path, index=index)
    assert len(frames) == NUM_FRAMES
    standing = [np.array_equal(*pair) for pair in itertools.pairwise(frames)]
    counts = [int(count) for count in re.findall(r"frames(?: at the beginning)?: (\d+);", message)]
    assert sum(counts) == sum(standing) > 0
    assert ("at the beginning" in message) == (number == 0)


@pytest.mark.parametrize("appended", [b"", b"\0\0", b"\n", b"\r\n"])
def test_what_copying_appends_to_a_gif_is_no_damage(tmp_path, appended):
    path = tmp_path / "a.gif"
    with VideoWriter(path, FilmFormat(48, 64, fps=25)) as writer:
        for i in range(3):
            writer.write(noisy_frame(i))
    path.write_bytes(path.read_bytes() + appended)
    assert probe_video(path).fault is None
    assert len(list(iterate_frames(path))) == 3
