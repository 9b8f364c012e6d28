"""The benchmark of the input pipeline: the files that it reads, and that its figures add up."""

import json
import sys
import time

import av
import numpy as np
import pytest
from PIL import Image

from benchmarks import input_files, input_pipeline, input_rates
from fomm_jax.config.schema import DatasetConfig
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from input_pipeline.splits import split_videos
from input_pipeline.videos import open_video

# ml_collections loads configuration files with a method that Python will remove.
pytestmark = pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")

FRAMES = 24
SHAPE = (32, 32, 3)


@pytest.fixture(scope="module")
def small():
    """Few and small videos."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "CLIPS": 5,
            "CLIP_FRAMES": FRAMES,
            "CLIP_SIDE": SHAPE[0],
            "PICTURES": 5,
            "PICTURE_FRAMES": 6,
        }.items():
            patch.setattr(input_files, name, value)
        yield


@pytest.fixture(scope="module")
def sources(small, tmp_path_factory):
    return input_files.make_sources(None, None, SHAPE, tmp_path_factory.mktemp("forms"))


def key_frames(path):
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    shown = sorted(packets, key=lambda packet: packet.pts)
    return [number for number, packet in enumerate(shown) if packet.is_keyframe], len(shown)


def test_forms_match_their_names(sources):
    one, often, jpeg, stacked, png = (source.dataset for source in sources)
    assert [source.original for source in sources] == [True, False, False, True, False]
    for dataset, expected in ((one, [0]), (often, [0, 10, 20])):
        videos = split_videos(dataset).train
        assert len(videos) == 4
        for video in videos:
            assert key_frames(video) == (expected, FRAMES)
    for dataset, form in ((jpeg, "jpeg95"), (png, "png")):
        assert dataset.root_dir.endswith(f"/32x32_{form}/1.0.0")
    first, again = (open_video(split_videos(form).train[0], SHAPE) for form in (stacked, png))
    np.testing.assert_array_equal(again.frames(range(6)), first.frames(range(6)))


def test_clip_of_a_short_video_plays_forwards_and_backwards(small, tmp_path):
    shades = (40, 90, 140, 190)
    with VideoWriter(tmp_path / "videos" / "short.mp4", FilmFormat(64, 48, fps=10)) as writer:
        for shade in shades:
            writer.write(np.full((64, 48, 3), shade, np.uint8))
    input_files.make_clips(tmp_path / "videos", tmp_path / "clips")
    clips = sorted((tmp_path / "clips").iterdir())
    assert len(clips) == 5
    frames = np.stack([*iterate_frames(clips[-1])])
    assert frames.shape == (FRAMES, *SHAPE)
    expected = [shades[i] for i in (0, 1, 2, 3, 2, 1)] * 4
    np.testing.assert_allclose(frames.mean((1, 2, 3)), expected, atol=4)
    assert key_frames(clips[-1]) == ([0], FRAMES)


def test_time_and_pairs_of_each_reader_are_counted():
    calls = {"quick": 0, "slow": 0}

    def reader(name, seconds):
        def draw():
            calls[name] += 1
            time.sleep(seconds)

        return draw

    draws = {"quick": reader("quick", 0.002), "slow": reader("slow", 0.06)}
    rates = input_rates.rates_in_turns(draws, 0.2)
    assert {name: rate.pairs for name, rate in rates.items()} == calls
    for rate in rates.values():
        assert 0.2 <= rate.seconds < 1
    assert 0 < rates["slow"].pairs_per_second <= 1 / 0.06
    assert rates["quick"].pairs_per_second > 3 * rates["slow"].pairs_per_second


def test_original_decodes_a_whole_picture_and_takes_two_frames(tmp_path):
    """A stand-in for the original, which works without the libraries that the original imports."""
    (tmp_path / "frames_dataset.py").write_text(
        "from skimage import io\n"
        "from sklearn.model_selection import train_test_split\n"
        "from torch.utils.data import Dataset\n"
        "import pandas\n"
        "from augmentation import AllAugmentationTransform\n"
        "def read_video(name, frame_shape):\n"
        "    assert frame_shape == (4, 4, 3)\n"
        "    return io.imread(name).reshape(4, 3, 4, 3).swapaxes(0, 1)\n"
    )
    picture = np.repeat(np.arange(3, dtype=np.uint8), 4)  # frame i is of value i
    for part in ("train", "test"):
        (tmp_path / "data" / part).mkdir(parents=True)
        stacked = np.broadcast_to(picture[:, None], (4, 12, 3))
        Image.fromarray(np.ascontiguousarray(stacked)).save(tmp_path / "data" / part / "0.png")
    before = {name: sys.modules.get(name) for name in ("torch", "pandas", "augmentation")}
    draw = input_rates.original_draw(
        tmp_path, DatasetConfig(root_dir=str(tmp_path / "data"), frame_shape=(4, 4, 3))
    )
    pairs = {tuple(draw()[:, 0, 0, 0].tolist()) for _ in range(60)}
    assert pairs == {(i, j) for i in range(3) for j in range(i, 3)}
    assert {name: sys.modules.get(name) for name in before} == before


LEAN_CONFIG = """
from configs import tiny

def get_config():
    config = tiny.get_config()
    config.train.update(num_repeats=100, scales=(1,))
    config.train.loss_weights.update(
        generator_gan=0, perceptual=(1, 0, 0, 0, 0), equivariance_value=0, equivariance_jacobian=0
    )
    return config
"""


@pytest.mark.slow
def test_table_and_line_of_json(sources, tmp_path, monkeypatch, capsys):
    config = tmp_path / "lean.py"  # compiles in less time than any in configs/
    config.write_text(LEAN_CONFIG)
    measured = sources[-1:]  # each starts three processes
    monkeypatch.setattr(input_pipeline, "make_sources", lambda *_: measured)
    input_pipeline.main([f"--config={config}", "--batch=8", "--steps=2", "--seconds=0.3"])
    *table, line = capsys.readouterr().out.splitlines()
    report = json.loads(line)
    assert [row["source"] for row in report["rows"]] == [source.name for source in measured]
    assert [row["goal"] for row in report["rows"]] == [2000]
    for row in report["rows"]:
        assert row["one_core_pairs_per_second"] > 0
        assert row["all_cores_pairs"] % 8 == 0
        assert row["all_cores_seconds"] >= 0.3
        assert row["all_cores_pairs_per_second"] * row["all_cores_seconds"] == pytest.approx(
            row["all_cores_pairs"]
        )
        # At least the interpreter and its libraries, and no more than a machine has.
        assert 2e7 < row["worker_memory_bytes"] < 1e11
        (table_row,) = (text for text in table if text.startswith(f"| {row['source']} |"))
        assert f" {row['one_core_pairs_per_second']:.1f} |" in table_row
    assert 0 < report["waiting_seconds_per_step"] < report["seconds_per_step"]
    assert report["waiting_share"] == pytest.approx(
        report["waiting_seconds_per_step"] / report["seconds_per_step"]
    )


def test_only_timed_steps_count_as_waiting(monkeypatch, sources):
    """A stand-in for the loader takes a known time for each batch."""

    def train(config, workdir, batches, vgg):
        for _ in range(config.train.num_steps):
            next(batches)
            time.sleep(0.01)

    class Slow:
        steps_per_epoch = 1

        def __next__(self):
            time.sleep(0.03)

        def close(self):
            """Do nothing: there are no workers to stop."""

    monkeypatch.setattr(input_pipeline, "train", train)
    monkeypatch.setattr(input_pipeline, "training_batches", lambda *_, **__: Slow())
    config = input_pipeline.for_timing(
        input_pipeline.config_from_file("configs/tiny.py"),
        sources[-1].dataset.root_dir,
        num_steps=4,
        batch_size=8,
    )
    times = input_pipeline.time_steps(config, num_steps=4)
    assert 0.03 <= times["waiting_seconds_per_step"] < 0.06
    assert 0.04 <= times["seconds_per_step"] < 0.12


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--seconds=0", "--seconds is 0.0"),
        ("--seconds=nan", "--seconds is nan"),
        ("--videos=none", "--videos: there is no folder none/train"),
        ("--pictures=none", "--pictures: there is no folder none/train"),
        ("--original=none", "--original: none has no frames_dataset.py"),
        ("--steps=0", "--steps is 0"),
        ("--batch=0", "--batch is 0"),
        ("--config=configs/none.py", "--config: there is no file configs/none.py"),
    ],
)
def test_bad_option_ends_in_one_line(option, expected, capsys):
    with pytest.raises(SystemExit) as leaving:
        input_pipeline.main([option])
    assert leaving.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f": {expected}" in line
