"""main.py on real photos and films, with a small untrained model."""

import numpy as np
import pytest
from commands import run_main
from films import sound_packets
from flax import nnx

from configs import tiny
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.models.build import build_model
from fomm_jax.weights.save import save_weights

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "weights.npz"
    config = from_config_dict(tiny.get_config())
    save_weights(path, build_model(config, rngs=nnx.Rngs(0)), config)
    return path


@pytest.fixture
def media(shared):
    return shared / "data" / "media"


def animate(weights, *arguments):
    assert run_main("--mode=animate", f"--checkpoint={weights}", *map(str, arguments)) == 0


def test_a_portrait_by_a_film_in_portrait_format(weights, media, tmp_path):
    pytest.importorskip("dlib", reason="dlib is not installed (fomm_jax[evaluation])")
    picture = read_picture(media / "source_portrait_720x1280.jpg")
    driving, output = media / "clip_720x1364_30fps_audio.mp4", tmp_path / "film.mp4"
    animate(
        weights,
        f"--source={media}/source_portrait_720x1280.jpg",
        f"--driving={driving}",
        f"--output={output}",
        "--crop=face",
        "--crop_driving=face",
        "--paste_back",
        "--best_frame=auto",
        "--smooth",
        f"--save_motion={tmp_path}/motion",
    )
    info = probe_video(output)
    assert (info.height, info.width, info.fps, info.num_frames) == (1280, 720, 30, 160)
    assert sound_packets(output) == sound_packets(driving)
    last = list(iterate_frames(output))[-1].astype(int)
    assert np.abs(last[600:] - picture[600:]).mean() < 2  # nothing moves below the face
    assert np.abs(last[200:420, 250:450] - picture[200:420, 250:450]).mean() > 10
    animate(
        weights,
        f"--source={media}/source_portrait_720x1280.jpg",
        f"--motion={tmp_path}/motion",
        f"--output={tmp_path}/again.mp4",
        "--crop=face",
        "--paste_back",
    )
    for frame, again in zip(
        iterate_frames(output), iterate_frames(tmp_path / "again.mp4"), strict=True
    ):
        np.testing.assert_array_equal(frame, again)


def test_all_pictures_by_a_speaker(weights, media, tmp_path):
    driving = media / "driving_480x480_25fps_audio.mp4"
    animate(
        weights,
        f"--source={media}/source_*.jpg",
        f"--driving={driving}",
        f"--output={tmp_path}/films",
        "--crop=none",
        "--adapt_scale",
    )
    sizes = {}
    for path in (tmp_path / "films").iterdir():
        info = probe_video(path)
        sizes[path.name.split("-source_")[1]] = info.height, info.width
        assert (info.fps, info.num_frames) == (25, 175)
        assert sound_packets(path) == sound_packets(driving)
    assert sizes == {  # the aspect is kept; sizes are even
        "photo_725x725.mp4": (32, 32),
        "portrait_1092x1280.mp4": (32, 28),
        "portrait_720x1280.mp4": (32, 18),
    }
