"""Animation and reconstruction write the right files, whatever the networks generate."""

import json

import numpy as np
import pytest

from fomm_jax.animation.animator import AnimatedFrame
from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.errors import InputError
from fomm_jax.evaluation.animate_pairs import animate_pairs
from fomm_jax.evaluation.films import FilmOutputs
from fomm_jax.evaluation.reconstruct import reconstruct
from fomm_jax.media.pictures import read_picture
from fomm_jax.media.read_marks import read_marks
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.models.first_order.keypoints import Keypoints
from fomm_jax.provenance.mark import Marking, SourceType

SIZE = 16


class BrightenedSource:
    """Stands in for an `Animator`: the source becomes brighter by 10 levels with every frame."""

    def compare(self, source, frames, normalization=None):
        for i, driving in enumerate(frames):
            prediction = source + np.uint8(10 * i)
            l1 = float(np.abs(prediction / 255 - driving / 255).mean())
            yield AnimatedFrame(driving, prediction, np.zeros((2, 2)), l1)

    def detect(self, frames):
        for _ in frames:
            yield Keypoints(np.zeros((2, 2)))

    def points(self, motion):
        return motion.value


class GreyVideo:
    """A video whose frames have one grey level each."""

    fps = 10.0

    def __init__(self, name, levels=(0, 51), times=None):
        self.name = name
        self.times = times
        self._levels = levels

    def __iter__(self):
        return (np.full((SIZE, SIZE, 3), level, np.uint8) for level in self._levels)


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def gif_outputs(folder, marking):
    return FilmOutputs(folder=folder, suffix=".gif", visualize=VisualizeConfig(), marking=marking)


def run_reconstruct(folder, *names):
    videos = [GreyVideo(name) for name in names]
    return reconstruct(BrightenedSource(), videos, gif_outputs(folder, Marking("model")))


def run_pairs(folder, *names, marking=None):
    pairs = [(GreyVideo(source, (7,)), GreyVideo(driving)) for source, driving in names]
    animate_pairs(BrightenedSource(), pairs, gif_outputs(folder, marking))


def test_reconstruction_measures_and_writes_every_video(tmp_path):
    report = run_reconstruct(tmp_path, "a.png", "b.mp4")
    l1 = (0 + 41 / 255) / 2  # the frames have levels 0 and 51, the predictions 0 and 10
    assert report.l1 == pytest.approx(l1)
    assert json.loads((tmp_path / "metrics.json").read_text()) == report.to_json()
    assert files_in(tmp_path) == [
        "a.gif", "b.gif", "metrics.csv", "metrics.json", "png/a.png", "png/b.png", "report.html"
    ]  # fmt: skip
    predictions = read_picture(tmp_path / "png" / "b.png")
    assert [predictions[:, :SIZE].mean(), predictions[:, SIZE:].mean()] == [0, 10]
    film = list(iterate_frames(tmp_path / "b.gif"))
    assert len(film) == 2
    left, gap, _, _, right = np.split(film[1], [SIZE, SIZE + 4, 2 * SIZE + 4, 2 * SIZE + 8], axis=1)
    assert [left.mean(), gap.mean(), right.mean()] == [0, 255, 10]


def test_films_and_pictures_are_marked(tmp_path):
    run_reconstruct(tmp_path / "reconstruction", "a.png")
    run_pairs(tmp_path / "pairs", ("a.png", "b.png"), marking=Marking("model"))
    for film, strip in (("reconstruction/a.gif", "a.png"), ("pairs/b-a.gif", "b-a.png")):
        # The film also shows real frames; the strip shows predictions only.
        assert read_marks(tmp_path / film).source_type is SourceType.COMPOSITE
        strip_marks = read_marks((tmp_path / film).parent / "png" / strip)
        assert strip_marks.source_type is SourceType.CREATED
        assert strip_marks.xmp.maker.endswith("weights model")
    run_pairs(tmp_path / "unmarked", ("a.png", "b.png"))
    for name in ("b-a.gif", "png/b-a.png"):
        assert read_marks(tmp_path / "unmarked" / name).source_type is None


def test_outputs_of_folders_with_dots_in_their_names_do_not_collide(tmp_path):
    run_reconstruct(tmp_path, "person.1", "person.2")
    assert {"person.1.gif", "person.2.gif"} < set(files_in(tmp_path))
    run_pairs(tmp_path / "pairs", ("person.1", "person.2"), ("person.2", "b.MP4"))
    assert {"person.2-person.1.gif", "b-person.2.gif"} < set(files_in(tmp_path / "pairs"))


def test_videos_that_differ_only_in_suffix_are_refused_before_any_work(tmp_path):
    with pytest.raises(InputError, match=r"^a\.png: would be .* name a, as would a\.mp4; expected"):
        run_reconstruct(tmp_path, "b.png", "a.png", "a.mp4")
    with pytest.raises(InputError, match=r"^b\.mp4 and a\.png: .* b-a, as would b\.png and a\.png"):
        run_pairs(tmp_path, ("a.png", "b.mp4"), ("a.png", "b.png"))
    with pytest.raises(InputError, match=r"name x-y-z, as would x-y\.gif and z\.gif"):
        run_pairs(tmp_path, ("y-z.gif", "x.gif"), ("z.gif", "x-y.gif"))
    assert files_in(tmp_path) == []


def test_a_pair_may_be_listed_twice(tmp_path):
    run_pairs(tmp_path, ("a.png", "b.png"), ("a.png", "b.png"))
    assert files_in(tmp_path) == ["b-a.gif", "png/b-a.png"]


def test_films_keep_the_times_of_the_driving_video(tmp_path):
    times = np.array([0, 0.1, 0.7, 2.7])
    video = GreyVideo("a.mp4", (0, 51, 102), times)
    animate_pairs(BrightenedSource(), [(video, video)], gif_outputs(tmp_path, None))
    np.testing.assert_allclose(probe_video(tmp_path / "a-a.gif").times, times)
