"""The thin-plate spline model by main.py, from a checkpoint of its original."""

import json

import numpy as np
import pytest
import thin_plate_reference as reference
from commands import run_main

from fomm_jax.media.pictures import write_picture
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.parity.recordings import to_nhwc
from fomm_jax.weights.torch.writer import write_torch_file

pytestmark = [
    # ml_collections reads the file of --config in a way that importlib gives up.
    pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning"),
]

RECORDING = reference.tiny()
CONFIG = f"--config=configs/from_yaml.py:{RECORDING.folder / 'config.yaml'}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint in the original's format, a picture, and videos."""
    folder = tmp_path_factory.mktemp("thin_plate")
    write_torch_file(folder / "model.pth.tar", RECORDING.checkpoint)
    write_picture(folder / "source.png", to_nhwc(RECORDING.array("inputs/source"))[0])
    frames = to_nhwc(RECORDING.array("inputs/driving"))[:3]
    for name in ("driving.mp4", "data/train/a.mp4", "data/test/b.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(folder / name, FilmFormat(64, 64, fps=25)) as writer:
            for frame in frames:
                writer.write(frame)
    return folder


def animate(folder, name, *more):
    checkpoint = f"--checkpoint={folder / 'model.pth.tar'}"
    files = [f"--source={folder / 'source.png'}", f"--output={folder / name}", "--crop=none"]
    files.append("--batch_size=2")  # as in tests/animation, which compiles the same programs
    if not any(flag.startswith("--motion=") for flag in more):
        files.append(f"--driving={folder / 'driving.mp4'}")
    assert run_main("--mode=animate", CONFIG, checkpoint, *files, *more) == 0
    return np.stack([*iterate_frames(folder / name)]).astype(int)


def test_a_picture_is_animated_in_all_modes(folder):
    motion = f"--save_motion={folder / 'motion.npz'}"
    films = {
        mode: animate(folder, f"{mode}.mp4", f"--motion_transfer={mode}", *flags)
        for mode, flags in (("avd", []), ("absolute", [motion]), ("relative", []))
    }
    assert {film.shape for film in films.values()} == {(3, 64, 64, 3)}
    for one, other in (("avd", "absolute"), ("absolute", "relative"), ("relative", "avd")):
        assert np.abs(films[one] - films[other]).mean() > 3
    recorded = 255 * RECORDING.array("avd/prediction")
    assert np.abs(films["avd"] - recorded).mean() < 12  # the videos are compressed
    again = animate(folder, "again.mp4", f"--motion={folder / 'motion.npz'}", "--absolute")
    np.testing.assert_array_equal(again, films["absolute"])


@pytest.mark.slow
def test_the_demo_model_has_no_avd_network(folder, capsys):
    files = [f"--source={folder / 'source.png'}", f"--driving={folder / 'driving.mp4'}"]
    output = f"--output={folder / 'none.mp4'}"
    assert run_main("--mode=animate", *files, output, "--motion_transfer=avd") == 2
    assert (
        "main.py: --motion_transfer: expected relative or absolute, since this model has no AVD"
        in capsys.readouterr().err
    )


@pytest.mark.slow
def test_a_reconstruction_by_the_originals_checkpoint(folder, capsys):
    assert (
        run_main(
            "--mode=reconstruct",
            CONFIG,
            f"--checkpoint={folder / 'model.pth.tar'}",
            f"--workdir={folder / 'work'}",
            f"--config.dataset.root_dir={folder / 'data'}",
            "--config.reconstruct.batch_size=2",
        )
        == 0
    )
    metrics = json.loads((folder / "work" / "reconstruction" / "metrics.json").read_text())
    assert (metrics["videos"], metrics["frames"]) == (1, 3)
    assert f"L1 {metrics['l1']:.4f} over 3 frames of 1 videos" in capsys.readouterr().out
