"""main.py from its command line: what training, reconstruction and animation write."""

import hashlib
import json
import pathlib
import shlex
import subprocess
import sys

import imageio_ffmpeg
import jax
import numpy as np
import pytest
from commands import SHALLOW_MODEL, TINY, run_main
from films import write_silent_film
from narrow_vgg import narrow_vgg

import main
from fomm_jax.media.pictures import read_picture, write_picture
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.provenance import c2pa
from fomm_jax.weights import vgg

pytestmark = [
    # ml_collections reads the file of --config in a way that importlib gives up.
    pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning"),
]

MAIN = main.__file__
SIZE, NUM_FRAMES = 32, 5  # of the videos of `figures`
SMALL = (*TINY, *SHALLOW_MODEL)
# The architecture of configs/tiny.py, as a configuration of the original.
TINY_YAML = pathlib.Path(__file__).parents[1] / "data" / "tiny.yaml"


@pytest.fixture(scope="module")
def workdir(figures, tmp_path_factory):
    """A workdir after a run to step 2, one to step 4, and one that had nothing left to do."""
    folder = tmp_path_factory.mktemp("run")
    command = *SMALL, f"--config.dataset.root_dir={figures}", f"--workdir={folder}", "--mode=train"
    checkpoints = []
    with pytest.MonkeyPatch.context() as patch:
        # A whole VGG19 on each of the eight devices takes a gigabyte.
        narrow = jax.tree.map(np.float32, narrow_vgg())
        patch.setattr(vgg, "_random_weights", lambda network: narrow)
        for num_steps in (2, 4, 4):
            assert run_main(*command, f"--config.train.num_steps={num_steps}") == 0
            names = [path.name for path in (folder / "checkpoints").iterdir()]
            checkpoints.append(sorted(map(int, names)))
    assert checkpoints == [[2], [2, 4], [2, 4]]
    return folder


def test_training_leaves_pictures_and_curves(workdir):
    assert sorted(path.name for path in (workdir / "pictures").iterdir()) == [
        "00000002.png",
        "00000004.png",
    ]
    assert len(list(workdir.glob("events.*"))) == 2  # the third run had nothing to do
    assert sorted(path.name for path in workdir.iterdir() if "events" not in path.name) == [
        "checkpoints",
        "pictures",
    ]


def test_reconstruction(figures, workdir, tmp_path, capsys):
    status = run_main(
        *SMALL,
        f"--config.dataset.root_dir={figures}",
        f"--workdir={tmp_path}",
        f"--checkpoint={workdir}",
        "--mode=reconstruct",
    )
    assert status == 0
    folder = tmp_path / "reconstruction"
    report = json.loads((folder / "metrics.json").read_text())
    assert (report["videos"], report["frames"]) == (2, 2 * NUM_FRAMES)
    assert f"L1 {report['l1']:.4f} over 10 frames of 2 videos" in capsys.readouterr().out
    for video in ("0000", "0001"):
        # The error of the saved pictures, which are truncated to 8 bits.
        real = read_picture(figures / "test" / f"{video}.png")
        made = read_picture(folder / "png" / f"{video}.png")
        error = np.abs(made / 255 - real / 255).mean()
        (row,) = (row for row in report["per_video"] if row["video"].startswith(video))
        assert row["l1"] == pytest.approx(error, abs=1 / 255)
        film = list(iterate_frames(folder / f"{video}.mp4"))
        assert len(film) == NUM_FRAMES
        assert film[0].shape[1] >= 3 * SIZE  # source, driving frame, result


def test_animation_of_pairs(figures, workdir, tmp_path, capsys):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("source,driving\n0000.png,0001.png\n0001.png,0001.png\n")
    status = run_main(
        *SMALL,
        f"--config.dataset.root_dir={figures}",
        f"--config.dataset.pairs_list={pairs}",
        "--config.animate.format=.gif",
        f"--workdir={tmp_path}",
        f"--checkpoint={workdir}",
        "--mode=animate",
    )
    assert status == 0
    names = sorted(path.name for path in (tmp_path / "animation").iterdir())
    assert names == ["0001-0000.gif", "0001-0001.gif", "png"]
    for name in ("0001-0000.gif", "png/0001-0000.png"):
        assert verify(tmp_path / "animation" / name, capsys)[0] == 0


def verify(path, capsys):
    """Return the exit status and the output of --mode=verify."""
    capsys.readouterr()
    status = run_main("--mode=verify", f"--input={path}")
    return status, capsys.readouterr().out


def test_animation_of_files_by_the_config_of_a_yaml_file(workdir, tmp_path, capsys):
    write_picture(tmp_path / "source.png", np.full((50, 40, 3), 99, np.uint8))
    write_silent_film(tmp_path / "driving.mp4", 40, 60)
    signing = []
    if c2pa.is_installed():
        from certificates import write_certificate  # it needs what comes with c2pa-python

        certificate, key = write_certificate(tmp_path / "pem")
        signing = [f"--c2pa_certificate={certificate}", f"--c2pa_key={key}"]
    status = run_main(
        *signing,
        f"--config=configs/from_yaml.py:{TINY_YAML}",
        *SHALLOW_MODEL,
        f"--checkpoint={workdir}",
        "--mode=animate",
        f"--source={tmp_path / 'source.png'}",
        f"--driving={tmp_path / 'driving.mp4'}",
        f"--output={tmp_path / 'made' / 'film.mp4'}",
    )
    assert status == 0
    info = probe_video(tmp_path / "made" / "film.mp4")
    assert (info.height, info.width, info.num_frames) == (SIZE, SIZE, 7)
    assert info.fps == pytest.approx(12.5)
    status, output = verify(tmp_path / "made" / "film.mp4", capsys)
    assert status == 0
    assert f"made with: fomm_jax (First Order Motion Model), weights {workdir.name}\n" in output
    for name in ("source.png", "driving.mp4") if signing else ():
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert f"made of: {name.partition('.')[0]}, SHA-256 of the file: {digest}\n" in output


def test_animation_of_several_files_by_a_checkpoint_alone(workdir, tmp_path, capsys):
    for name, level in (("a.png", 50), ("b.png", 100)):
        write_picture(tmp_path / name, np.full((50, 80, 3), level, np.uint8))
    write_silent_film(tmp_path / "driving.mp4", 40, 60)
    status = run_main(
        f"--checkpoint={workdir}",
        "--mode=animate",
        f"--source={tmp_path}/?.png",
        f"--driving={tmp_path}/driving.mp4",
        f"--output={tmp_path}/made",
        "--crop=10,0,40,40",
        "--paste_back",
        "--absolute",
        "--batch_size=2",  # the config's, which is compiled already
        "--nomark",
    )
    assert status == 0
    paths = [f"{tmp_path}/made/driving-{name}.mp4" for name in "ab"]
    printed = capsys.readouterr()
    assert printed.out == "".join(f"The animation is in {path}\n" for path in paths)
    assert "--nomark: outputs will not say that a generative model made them\n" in printed.err
    for path in paths:
        status, output = verify(path, capsys)
        assert status == 1
        assert output.startswith(f"{path}: no mark found")
    for path, level in zip(paths, (50, 100), strict=True):
        frames = list(iterate_frames(path))
        assert len(frames) == 7
        assert frames[-1].shape == (50, 80, 3)
        assert np.abs(frames[-1][:, 60:].astype(int) - level).max() <= 3
        assert np.abs(frames[-1][10:30, 20:40].astype(int) - level).max() > 10  # untrained


@pytest.mark.slow
def test_ffmpeg_at_both_ends(workdir, tmp_path):
    """The command of docs/animation.md works in processes of its own."""
    write_picture(tmp_path / "a.png", np.full((SIZE, SIZE, 3), 50, np.uint8))
    write_silent_film(tmp_path / "driving.mp4", 40, 60)
    ffmpeg = f"{shlex.quote(imageio_ffmpeg.get_ffmpeg_exe())} -loglevel error"
    command = (
        f"{ffmpeg} -i driving.mp4 -f rawvideo -pix_fmt rgb24 -"
        f" | {sys.executable} {MAIN} --mode=animate --checkpoint={workdir} --source=a.png"
        " --driving=- --pipe_size=60x40 --output=-"
        f" | {ffmpeg} -f rawvideo -pix_fmt rgb24 -s {SIZE}x{SIZE} -r 12.5 -i - piped.mp4"
    )
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True, cwd=tmp_path, timeout=300)
    assert len(list(iterate_frames(tmp_path / "piped.mp4"))) == 7
    shown = [frame.mean() for frame in iterate_frames(tmp_path / "piped.mp4")]
    files = f"--source={tmp_path}/a.png", f"--driving={tmp_path}/driving.mp4"
    output = tmp_path / "direct.mp4"
    arguments = f"--checkpoint={workdir}", "--mode=animate", *files, f"--output={output}"
    assert run_main(*arguments) == 0
    np.testing.assert_allclose([frame.mean() for frame in iterate_frames(output)], shown, atol=4)


def test_a_checkpoint_of_another_architecture_is_refused(figures, workdir, refuse):
    arguments = (
        "--mode=reconstruct",
        f"--config.dataset.root_dir={figures}",
        f"--checkpoint={workdir}",
        "--config.model.num_kp=4",
    )
    assert f"{workdir}/checkpoints/4: is of another architecture" in refuse(arguments)
