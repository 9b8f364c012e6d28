"""Raw videos to prepared datasets, and back to the same frames."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.video_reader import count_frames
from input_pipeline.datasets.clips import Clip, read_clip
from input_pipeline.loader import training_batches
from input_pipeline.manifest import Encoding, read_manifest
from input_pipeline.prepare import describe, prepare
from input_pipeline.prepared import list_prepared
from input_pipeline.test_videos import open_test_videos
from input_pipeline.videos import open_video

ROOT = Path(__file__).parents[2]
SIDE = 16
RNG = np.random.default_rng(0)


def smooth(num_frames, side=SIDE):
    """Frames (t, side, side, 3) that JPEG and H.264 keep well."""
    grid = np.linspace(0, 1, side)
    y, x = np.meshgrid(grid, grid, indexing="ij")
    times = np.arange(num_frames)[:, None, None, None]
    waves = np.sin(3 * x[..., None] + 2 * y[..., None] + 0.4 * times + np.arange(3))
    return (127.5 + 100 * waves).astype(np.uint8)


def write_stacked(path, frames):
    write_picture(path, np.concatenate(list(frames), axis=1))


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Pictures of frames side by side: 19 for training, more than a shard, and 2 for testing."""
    folder = tmp_path_factory.mktemp("raw")
    for number in range(21):
        part = "test" if number < 2 else "train"
        frames = RNG.integers(0, 256, size=(3 + number % 4, SIDE, SIDE, 3), dtype=np.uint8)
        write_stacked(folder / part / f"id{number % 5}#{number:02d}.png", frames)
    (folder / "train" / "broken.png").write_bytes(b"no picture")
    write_stacked(folder / "train" / "short.png", smooth(1))
    return folder


@pytest.fixture(scope="module")
def as_png(raw, tmp_path_factory):
    output = tmp_path_factory.mktemp("prepared")
    return prepare("video_folder", raw, output, Encoding(SIDE, SIDE), num_workers=2)


def frames_of(location):
    return np.stack(list(open_video(location, (SIDE, SIDE, 3))))


def test_every_frame_comes_back_as_it_was(raw, as_png):
    for split, videos in zip(("train", "test"), list_prepared(str(as_png)), strict=True):
        usable = sorted(path for path in (raw / split).iterdir() if "#" in path.name)
        assert [video.name for video in videos] == [path.name for path in usable]
        for path, video in zip(usable, videos, strict=True):
            np.testing.assert_array_equal(frames_of(video), frames_of(path))
            again = open_video(video, (SIDE, SIDE, 3)).frames([2, 0, 2])
            np.testing.assert_array_equal(again, frames_of(path)[[2, 0, 2]])


def test_manifest_tells_what_was_kept_and_what_was_not(raw, as_png):
    manifest = read_manifest(as_png)
    assert [clip.name for clip in manifest.refused] == ["broken.png", "short.png"]
    broken, short = (clip.reason for clip in manifest.refused)
    assert str(raw / "train" / "broken.png") in broken
    assert "cannot be read as a picture" in broken
    assert "1 frame; expected at least 2" in short
    digest, num_bytes = hashlib.sha256(), 0
    first = manifest.test[0]
    for frame in frames_of(raw / "test" / first.name):
        data = io.BytesIO()
        Image.fromarray(frame).save(data, "png")
        digest.update(data.getvalue())
        num_bytes += len(data.getvalue())
    assert (first.sha256, first.bytes) == (digest.hexdigest(), num_bytes)
    lengths = [3 + number % 4 for number in range(21)]
    totals = json.loads((as_png / "manifest.json").read_text())["totals"]
    assert {name: totals[name] for name in ("kept", "refused", "missing", "frames")} == {
        "kept": 21,
        "refused": 2,
        "missing": 0,
        "frames": sum(lengths),
    }
    assert f"19 clips for training and 2 for testing, {sum(lengths)} frames" in describe(
        as_png, manifest
    )


@pytest.mark.parametrize("id_sampling", [False, True])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_batches_of_raw_and_of_prepared_files_are_equal(raw, as_png, id_sampling, num_workers):
    kept = raw.parent / "kept"  # the same files without those that are refused
    for path in raw.rglob("*#*.png"):
        link = kept / path.relative_to(raw)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            os.link(path, link)

    def batches(root, num_workers):
        dataset = DatasetConfig(
            root_dir=str(root),
            frame_shape=(SIDE, SIDE, 3),
            id_sampling=id_sampling,
            num_workers=num_workers,
        )
        loader = training_batches(dataset, batch_size=4, num_repeats=3, seed=5)
        taken = [next(loader) for _ in range(12)]
        loader.close()
        return taken

    for ours, theirs in zip(batches(as_png, num_workers), batches(kept, 0), strict=True):
        np.testing.assert_array_equal(ours.source, theirs.source)
        np.testing.assert_array_equal(ours.driving, theirs.driving)


def test_evaluation_reads_prepared_videos(raw, as_png):
    dataset = DatasetConfig(root_dir=str(as_png), frame_shape=(SIDE, SIDE, 3))
    videos = open_test_videos(dataset, limit=1)
    assert [video.name for video in videos] == ["id0#00.png"]
    np.testing.assert_array_equal(np.stack(list(videos[0])), frames_of(raw / "test/id0#00.png"))


def test_frames_of_another_size_than_the_config_are_refused(as_png):
    with pytest.raises(InputError, match=r"16 high and 16 wide.*frame_shape expects 32 high"):
        open_video(list_prepared(str(as_png))[0][0], (32, 32, 3))


def test_number_of_workers_does_not_change_the_files(raw, as_png, tmp_path):
    alone = prepare("video_folder", raw, tmp_path, Encoding(SIDE, SIDE), num_workers=1)
    names = {path.name for path in as_png.iterdir()}
    assert names == {path.name for path in alone.iterdir()}
    for name in names:
        assert (alone / name).read_bytes() == (as_png / name).read_bytes(), name


def test_jpeg_and_mp4_are_near_and_mp4_has_its_key_frames(tmp_path):
    raw = tmp_path / "raw"
    frames = smooth(25, 48)
    for split in ("train", "test"):
        write_stacked(raw / split / "a.png", frames)
    jpeg = prepare("video_folder", raw, tmp_path, Encoding(48, 48, format="jpeg"), num_workers=1)
    data = io.BytesIO()
    Image.fromarray(frames[7]).save(data, "jpeg", quality=95)
    (video,), _ = list_prepared(str(jpeg))
    found = open_video(video, (48, 48, 3)).frames([7])[0]
    np.testing.assert_array_equal(found, np.asarray(Image.open(data)))
    assert np.abs(found.astype(int) - frames[7]).mean() < 3

    encoding = Encoding(48, 48, format="mp4", keyframe_every=4)
    folder = prepare("video_folder", raw, tmp_path, encoding, num_workers=1)
    path = folder / "train" / "a.mp4"
    assert count_frames(path) == 25
    decoded = np.stack(list(open_video(path, (48, 48, 3))))
    assert np.abs(decoded.astype(int) - frames).mean() < 4
    manifest = read_manifest(folder)
    assert manifest.train[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    dataset = DatasetConfig(root_dir=str(folder), frame_shape=(48, 48, 3))
    loader = training_batches(dataset, batch_size=1, num_repeats=1, seed=0)
    assert next(loader).source.shape == (1, 48, 48, 3)
    loader.close()


@pytest.mark.parametrize(
    ("fit", "expected"),
    [("crop", (slice(0, 8), slice(6, 14))), ("stretch", None)],
)
def test_fit_keeps_the_aspect_ratio_or_does_not(tmp_path, fit, expected):
    picture = np.zeros((8, 20, 3), np.uint8)
    picture[:, 6:14] = 200  # the middle square
    for number in range(2):
        write_picture(tmp_path / "video" / f"{number}.png", picture)
    clip = Clip("video", tmp_path / "video")
    frame = next(read_clip(clip, 8, 8, fit).frames)
    assert frame.shape == (8, 8, 3)
    if fit == "crop":
        np.testing.assert_array_equal(frame, picture[expected])
    else:
        assert frame[:, 3:5].min() == 200  # 8 of 20 columns become 3.2 of 8
        assert frame[:, :2].max() == frame[:, 6:].max() == 0


def test_box_and_times_are_cut_exactly(tmp_path):
    frames = RNG.integers(0, 256, size=(50, 20, 40, 3), dtype=np.uint8)
    for number, frame in enumerate(frames):
        write_picture(tmp_path / "video" / f"{number:02d}.png", frame)
    clip = Clip("a", tmp_path / "video", start=10 / 25, end=30 / 25, box=(0.5, 0.2, 0.9, 1.0))
    read = read_clip(clip, 16, 16, "crop")
    np.testing.assert_array_equal(np.stack(list(read.frames)), frames[10:30, 4:20, 20:36])
    with pytest.raises(InputError, match=r"has 2\.00 seconds; expected the clip b from 2\.00 s on"):
        read_clip(Clip("b", tmp_path / "video", start=2.0), 16, 16, "crop")
    outside = Clip("c", tmp_path / "video", box=(1.0, 0.0, 1.5, 1.0))
    with pytest.raises(InputError, match="the box of the clip c holds no pixel"):
        next(read_clip(outside, 16, 16, "crop").frames)


def test_interrupted_run_is_continued_by_the_same_command(tmp_path):
    raw, output = tmp_path / "raw", tmp_path / "out"
    frames = RNG.integers(0, 256, size=(40, 64, 64, 3), dtype=np.uint8)
    write_stacked(raw / "train" / "00.png", frames)
    (raw / "test").mkdir()
    os.link(raw / "train" / "00.png", raw / "test" / "00.png")
    for number in range(1, 80):  # five shards
        os.link(raw / "train" / "00.png", raw / "train" / f"{number:02d}.png")
    command = [sys.executable, "-m", "input_pipeline.prepare", "--dataset=video_folder"]
    command += [f"--input={raw}", f"--output={output}", "--size=64", "--workers=1"]
    form = output / "video_folder" / "64x64_png"
    first = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not (finished := [*form.glob(".unfinished/*.json")]) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does
    _, message = first.communicate(timeout=60)
    assert first.returncode == 130, message
    assert "interrupted; the same command goes on" in message
    assert "Traceback" not in message
    assert not (form / "1.0.0").exists()
    assert 1 <= len(finished) < 6
    inodes = {path.with_suffix("").stat().st_ino for path in finished}

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "80 clips for training and 1 for testing" in done.stdout
    assert inodes <= {path.stat().st_ino for path in (form / "1.0.0").iterdir()}
    assert not (form / ".unfinished").exists()
    train, _ = list_prepared(str(form / "1.0.0"))
    np.testing.assert_array_equal(np.stack(list(open_video(train[79], (64, 64, 3)))), frames)
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "exists already; remove it to prepare it anew" in again.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--input=nowhere"], "--input: there is no folder nowhere"),
        (["--quality=0"], "--quality is 0; expected 1 to 100"),
        (["--size=8"], "--size is 8; expected at least 16"),
        (["--workers=0"], "--workers is 0; expected at least 1"),
    ],
)
def test_bad_options_end_in_one_line(raw, tmp_path, monkeypatch, capsys, options, message):
    from input_pipeline import prepare as module

    command = ["prepare", "--dataset=video_folder", f"--input={raw}", f"--output={tmp_path}"]
    monkeypatch.setattr(sys, "argv", command + options)
    with pytest.raises(SystemExit) as caught:
        module.main()
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(message)
    assert not [*tmp_path.rglob("*.array_record*")]


def test_dataset_without_a_usable_clip_is_refused(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "raw" / split).mkdir(parents=True)
        (tmp_path / "raw" / split / "a.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"train: none of 1 clips can be used; the first: .*a.png"):
        prepare(
            "video_folder", tmp_path / "raw", tmp_path / "out", Encoding(SIDE, SIDE), num_workers=1
        )
    assert not [*(tmp_path / "out").rglob("manifest.json")]


def test_two_clips_of_one_name_are_refused(tmp_path):
    for name in ("a.png", "a.bmp"):
        write_stacked(tmp_path / "raw" / "train" / name, smooth(3))
    write_stacked(tmp_path / "raw" / "test" / "b.png", smooth(3))
    with pytest.raises(InputError, match=r"a.png: would be called a, as .*a.bmp is already"):
        prepare(
            "video_folder", tmp_path / "raw", tmp_path / "out", Encoding(SIDE, SIDE), num_workers=1
        )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_text("{"), "is damaged"),
        (lambda path: path.write_text('{"layout": 99}'), "is of layout 99; expected 1"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_damaged_manifest_is_refused(as_png, tmp_path, damage, message):
    for path in as_png.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damage(tmp_path / "manifest.json")
    with pytest.raises(InputError, match=message) as caught:
        list_prepared(str(tmp_path))
    assert str(tmp_path / "manifest.json") in str(caught.value)


def test_truncated_records_are_refused_by_name(as_png, tmp_path):
    """Cut at 50 random places: the video is named, or its frames are the right ones."""
    for path in as_png.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (records,) = tmp_path.glob("*-test.*")
    whole = records.read_bytes()
    _, expected = list_prepared(str(as_png))
    messages = []
    for cut in RNG.integers(0, len(whole), size=50):
        root = tmp_path / f"cut_{cut}"  # readers are kept by folder
        root.mkdir()
        for path in tmp_path.iterdir():
            if path.is_file() and path != records:
                os.link(path, root / path.name)
        (root / records.name).write_bytes(whole[:cut])
        _, videos = list_prepared(str(root))
        for video, intact in zip(videos, expected, strict=True):
            try:
                found = frames_of(video)
            except InputError as error:
                messages.append(str(error).removeprefix(str(video)))
            else:
                np.testing.assert_array_equal(found, frames_of(intact))
    assert len(messages) >= 50
    for message in messages:
        assert message.startswith(", frame ")
        assert "\n" not in message
