"""The test videos, opened for reconstruction and animation."""

import tracemalloc

import numpy as np
import pytest

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from input_pipeline import evaluation_videos
from input_pipeline.evaluation_videos import open_test_pairs, open_test_videos
from input_pipeline.picture_cache import PictureCache

NUM_VIDEOS, SIZE, NUM_FRAMES = 8, 32, 40
VIDEO_BYTES = NUM_FRAMES * SIZE * SIZE * 3


@pytest.fixture
def dataset(tmp_path):
    """Videos of one grey level each, which is the number of the video."""
    for part in ("train", "test"):
        for number in range(NUM_VIDEOS):
            picture = np.full((SIZE, NUM_FRAMES * SIZE, 3), number, np.uint8)
            write_picture(tmp_path / part / f"{number}.png", picture)
    return DatasetConfig(root_dir=str(tmp_path), frame_shape=(SIZE, SIZE, 3))


@pytest.mark.parametrize(
    "open_all",
    [
        lambda dataset: open_test_videos(dataset, None),
        lambda dataset: open_test_pairs(dataset, NUM_VIDEOS),
    ],
    ids=["videos", "pairs"],
)
def test_opened_videos_share_one_cache(dataset, monkeypatch, open_all):
    monkeypatch.setattr(evaluation_videos, "PictureCache", lambda: PictureCache(2 * VIDEO_BYTES))
    open_all(dataset)  # memory that is taken only once does not count
    tracemalloc.start()
    opened = open_all(dataset)
    num_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(opened) == NUM_VIDEOS
    assert VIDEO_BYTES < num_bytes < 3 * VIDEO_BYTES


@pytest.mark.parametrize(("limit", "num_opened"), [(None, NUM_VIDEOS), (3, 3), (99, NUM_VIDEOS)])
def test_limit_takes_the_first_videos(dataset, limit, num_opened):
    videos = open_test_videos(dataset, limit)
    assert [video.name for video in videos] == [f"{number}.png" for number in range(num_opened)]
    for number, video in enumerate(videos):
        assert [frame.mean() for frame in video] == [number] * NUM_FRAMES


def test_pairs_are_source_and_driving(dataset, tmp_path):
    (tmp_path / "pairs.csv").write_text("source,driving\n5.png,2.png\n2.png,7.png\n")
    listed = DatasetConfig(
        root_dir=dataset.root_dir,
        frame_shape=dataset.frame_shape,
        pairs_list=str(tmp_path / "pairs.csv"),
    )
    pairs = open_test_pairs(listed, 50)
    assert [(next(iter(a)).mean(), next(iter(b)).mean()) for a, b in pairs] == [(5, 2), (2, 7)]


def test_a_damaged_video_is_refused_before_any_work(dataset, tmp_path):
    path = tmp_path / "test" / "6.png"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"test/6\.png"):
        open_test_videos(dataset, None)
    assert len(open_test_videos(dataset, 6)) == 6
