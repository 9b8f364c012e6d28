"""main.py from its command line: what it writes, and how it refuses what it cannot use."""

import hashlib
import importlib.util
import json
import shlex
import subprocess
import sys

import grain  # noqa: F401  # its flags would be forgotten by flagsaver if they came later
import imageio_ffmpeg
import numpy as np
import pytest
import yaml
from commands import run_main

import main
from fomm_jax.media.pictures import read_picture, write_picture
from fomm_jax.media.video_reader import iterate_frames, probe_video
from fomm_jax.media.video_writer import FilmFormat, VideoWriter
from fomm_jax.provenance import c2pa
from input_pipeline.figures.scenes import write_dataset

pytestmark = [
    pytest.mark.usefixtures("quick_compilation"),
    # From ml_collections, which reads the file of --config in a way that importlib gives up.
    pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning"),
]

MAIN = main.__file__
SIZE, NUM_FRAMES = 32, 5
DATA = "--config=configs/tiny.py", "--config.train.batch_size=8", "--config.train.num_repeats=2"

# The architecture of configs/tiny.py in the original's words.
TINY_YAML = {
    "dataset_params": {"root_dir": "", "frame_shape": [SIZE, SIZE, 3]},
    "model_params": {
        "common_params": {"num_kp": 3, "num_channels": 3, "estimate_jacobian": True},
        "kp_detector_params": {
            "temperature": 0.1,
            "block_expansion": 4,
            "max_features": 16,
            "num_blocks": 2,
            "scale_factor": 0.5,
        },
        "generator_params": {
            "block_expansion": 4,
            "max_features": 16,
            "num_down_blocks": 2,
            "num_bottleneck_blocks": 1,
            "estimate_occlusion_map": True,
            "dense_motion_params": {
                "block_expansion": 4,
                "max_features": 16,
                "num_blocks": 2,
                "scale_factor": 0.5,
            },
        },
        "discriminator_params": {
            "scales": [1],
            "block_expansion": 4,
            "max_features": 16,
            "num_blocks": 2,
            "sn": True,
        },
    },
    "train_params": {
        "num_epochs": 1,
        "num_repeats": 1,
        "epoch_milestones": [],
        "lr_generator": 2.0e-4,
        "lr_discriminator": 2.0e-4,
        "lr_kp_detector": 2.0e-4,
        "batch_size": 8,
        "scales": [1, 0.5],
        "checkpoint_freq": 1,
        "transform_params": {"sigma_affine": 0.05, "sigma_tps": 0.005, "points_tps": 5},
        "loss_weights": {
            "generator_gan": 1,
            "discriminator_gan": 1,
            "feature_matching": [10, 10],
            "perceptual": [10, 10, 10, 10, 10],
            "equivariance_value": 10,
            "equivariance_jacobian": 10,
        },
    },
    "animate_params": {
        "num_pairs": 2,
        "format": ".mp4",
        "normalization_params": {"use_relative_movement": True, "use_relative_jacobian": True},
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """8 figures to train on and 2 to test with."""
    folder = tmp_path_factory.mktemp("figures") / "data"
    write_dataset(folder, SIZE, num_videos=10, num_frames=NUM_FRAMES, seed=0)
    return folder


@pytest.fixture(scope="module")
def workdir(data, tmp_path_factory):
    """A run of 2 steps, a second one to step 4, and a third one with nothing left to do."""
    folder = tmp_path_factory.mktemp("run")
    command = *DATA, f"--config.dataset.root_dir={data}", f"--workdir={folder}", "--mode=train"
    checkpoints = []
    for num_steps in (2, 4, 4):
        assert run_main(*command, f"--config.train.num_steps={num_steps}") == 0
        checkpoints.append(sorted(int(path.name) for path in (folder / "checkpoints").iterdir()))
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


def test_reconstruction(data, workdir, tmp_path, capsys):
    status = run_main(
        *DATA,
        f"--config.dataset.root_dir={data}",
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
        # What the saved pictures are off by, but for their truncation to 8 bits.
        real = read_picture(data / "test" / f"{video}.png")
        made = read_picture(folder / "png" / f"{video}.png")
        off = np.abs(made / 255 - real / 255).mean()
        (row,) = (row for row in report["per_video"] if row["video"].startswith(video))
        assert row["l1"] == pytest.approx(off, abs=1 / 255)
        film = list(iterate_frames(folder / f"{video}.mp4"))
        assert len(film) == NUM_FRAMES
        assert film[0].shape[1] >= 3 * SIZE  # source, driving frame, result


def test_animation_of_pairs(data, workdir, tmp_path, capsys):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("source,driving\n0000.png,0001.png\n0001.png,0001.png\n")
    status = run_main(
        *DATA,
        f"--config.dataset.root_dir={data}",
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


def write_film(path, height, width, num_frames=7, fps=12.5):
    rng = np.random.default_rng(0)
    with VideoWriter(path, FilmFormat(height, width, fps=fps)) as writer:
        for _ in range(num_frames):
            writer.write(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def verify(path, capsys):
    """Exit status and words of --mode=verify."""
    capsys.readouterr()
    status = run_main("--mode=verify", f"--input={path}")
    return status, capsys.readouterr().out


def test_animation_of_files_by_the_config_of_a_yaml_file(workdir, tmp_path, capsys):
    write_picture(tmp_path / "source.png", np.full((50, 40, 3), 99, np.uint8))
    write_film(tmp_path / "driving.mp4", 40, 60)
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(TINY_YAML))
    signing = []
    if c2pa.is_installed():
        from certificates import write_certificate  # it needs what comes with c2pa-python

        certificate, key = write_certificate(tmp_path / "pem")
        signing = [f"--c2pa_certificate={certificate}", f"--c2pa_key={key}"]
    status = run_main(
        *signing,
        f"--config=configs/from_yaml.py:{tmp_path / 'model.yaml'}",
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
    status, told = verify(tmp_path / "made" / "film.mp4", capsys)
    assert status == 0
    assert f"made with: fomm_jax (First Order Motion Model), weights {workdir.name}\n" in told
    for name in ("source.png", "driving.mp4") if signing else ():
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert f"made of: {name.partition('.')[0]}, SHA-256 of the file: {digest}\n" in told


def test_animation_of_several_files_by_a_checkpoint_alone(workdir, tmp_path, capsys):
    for name, level in (("a.png", 50), ("b.png", 100)):
        write_picture(tmp_path / name, np.full((50, 80, 3), level, np.uint8))
    write_film(tmp_path / "driving.mp4", 40, 60)
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
        status, told = verify(path, capsys)
        assert status == 1
        assert told.startswith(f"{path}: no mark found")
    for path, level in zip(paths, (50, 100), strict=True):
        frames = list(iterate_frames(path))
        assert len(frames) == 7
        assert frames[-1].shape == (50, 80, 3)
        assert np.abs(frames[-1][:, 60:].astype(int) - level).max() <= 3
        assert np.abs(frames[-1][10:30, 20:40].astype(int) - level).max() > 10  # untrained


@pytest.mark.slow
def test_ffmpeg_at_both_ends(workdir, tmp_path):
    """The line of docs/animation.md, in processes of their own."""
    write_picture(tmp_path / "a.png", np.full((SIZE, SIZE, 3), 50, np.uint8))
    write_film(tmp_path / "driving.mp4", 40, 60)
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


FILES = (
    "--mode=animate",
    "--checkpoint=RUN",
    "--source=DIR/good.png",
    "--driving=DIR/good.mp4",
    "--output=DIR/out.mp4",
)

# Arguments after DATA and a workdir, and what the line on stderr says. Of DIR, DATA and RUN the
# test knows the paths.
BAD_INPUT = {
    "unknown field": (
        ["--mode=train", "--config.train.num_step=3"],
        "main.py: config.train.num_step: no such field; the nearest known one is"
        " config.train.num_steps",
    ),
    "unknown field far down": (
        ["--mode=train", "--config.model.generator.dense_motion.block_expansions=1"],
        "main.py: config.model.generator.dense_motion.block_expansions: no such field; the nearest"
        " known one is config.model.generator.dense_motion.block_expansion",
    ),
    "unknown section": (
        ["--mode=train", "--noconfig.modle.discriminator.sn"],
        "main.py: config.modle.discriminator.sn: no such field; the nearest known one is"
        " config.model.discriminator.sn",
    ),
    "field of a field": (
        ["--mode=train", "--config.train.scales[0]=1"],
        "main.py: config.train.scales[0]: no such field; the nearest known one is"
        " config.train.scales",
    ),
    "value of a wrong type": (
        ["--mode=train", "--config.train.num_steps=three"],
        "--config.train.num_steps=three: invalid literal for int()",
    ),
    "no such config": (
        ["--mode=train", "--config=configs/none.py"],
        "--config: [Errno 2] No such file or directory: 'configs/none.py'",
    ),
    "YAML file in the place of a config": (
        ["--mode=train", "--config=DIR/model.yaml"],
        "main.py: --config: DIR/model.yaml is no Python file; for a configuration of the original"
        " use --config=configs/from_yaml.py:DIR/model.yaml",
    ),
    "config that takes no argument": (
        ["--mode=train", "--config=configs/tiny.py:abc"],
        "--config=configs/tiny.py:abc: Error whilst parsing config file: TypeError: get_config()"
        " takes 0 positional arguments but 1 was given",
    ),
    "config that is no Python": (
        ["--mode=train", "--config=DIR/syntax.py"],
        "main.py: DIR/syntax.py, line 2: SyntaxError: ",
    ),
    "config that fails": (
        ["--mode=train", "--config=DIR/fails.py"],
        "main.py: DIR/fails.py, line 2: KeyError: 'missing'",
    ),
    "unknown field in a config": (
        ["--mode=train", "--config=DIR/typo.py"],
        "main.py: config.train.num_step: no such field; the nearest known one is"
        " config.train.num_steps",
    ),
    "no such YAML file": (
        ["--mode=train", "--config=configs/from_yaml.py:DIR/none.yaml"],
        "DIR/none.yaml",
    ),
    "unknown mode": (["--mode=dream"], "dream"),
    "no mode": ([], "--mode: expected one of train"),
    "unknown flag": (["--mode=train", "--workdri=W"], "workdri"),
    "picture without film": (
        ["--mode=animate", "--source=DIR/a.png"],
        "main.py: --source, --driving (or --motion), --output: expected all three, or none of them",
    ),
    "marks where nothing is generated": (
        ["--mode=train", "--nomark"],
        "main.py: --mark: expected with --mode=animate, reconstruct, demo or app",
    ),
    "certificate without a key": (
        [*FILES, "--c2pa_certificate=DIR/none.pem"],
        "main.py: --c2pa_certificate, --c2pa_key: expected both or neither",
    ),
    "signature without marks": (
        [*FILES, "--nomark", "--c2pa_certificate=DIR/none.pem", "--c2pa_key=DIR/none.pem"],
        "main.py: --nomark, --c2pa_certificate: expected one of them",
    ),
    "nothing to verify": (["--mode=verify"], "main.py: --input: expected the film or picture"),
    "no film to verify": (
        ["--mode=verify", "--input=DIR/model.yaml"],
        "main.py: DIR/model.yaml: cannot be read as a picture or film",
    ),
    "input to train with": (
        ["--mode=train", "--input=DIR/a.png"],
        "main.py: --input: expected with --mode=verify",
    ),
    "picture to train with": (
        ["--mode=train", "--source=DIR/a.png"],
        "main.py: --source, --driving, --output: expected with --mode=animate",
    ),
    "crop without a picture": (
        ["--mode=animate", "--crop=none"],
        "main.py: --crop: expected with --mode=animate, --source, --driving and --output",
    ),
    "crop that is none": (
        [*FILES, "--crop=1,2"],
        "main.py: --crop=1,2: expected auto, face, centre, none or x,y,width,height",
    ),
    "best frame that is none": (
        [*FILES, "--best_frame=-1"],
        "main.py: --best_frame=-1: expected auto, face or the number of a frame",
    ),
    "best frame behind the end": (
        [*FILES, "--best_frame=7"],
        "main.py: --best_frame=7: expected less than 7, because DIR/good.mp4 has 7 frames",
    ),
    "motion that is none": (
        [*FILES[:-2], "--motion=DIR/good.png", "--output=DIR/out.mp4"],
        "main.py: DIR/good.png: ",
    ),
    "relative and absolute": (
        [*FILES, "--relative", "--absolute"],
        "main.py: --relative, --absolute: expected one of them",
    ),
    "best frame of absolute motion": (
        [*FILES, "--absolute", "--best_frame=auto"],
        "main.py: --best_frame, --adapt_scale: expected with relative motion alone",
    ),
    "frame rate of a film": (
        [*FILES, "--fps=50"],
        "main.py: --pipe_size, --fps: expected with --driving=- alone",
    ),
    "no face": (
        [*FILES, "--crop=face"],
        "DIR/good.png: no face is found in it"
        if importlib.util.find_spec("dlib")
        else "--crop=face: faces are found by packages that are not installed",
    ),
    "pipe of an unknown size": (
        ["--mode=animate", "--source=DIR/good.png", "--driving=-", "--output=DIR/out.mp4"],
        "main.py: --pipe_size=: expected WIDTHxHEIGHT of the raw frames that are read",
    ),
    "pattern of nothing": (
        ["--mode=animate", "--source=DIR/*.jpg", "--driving=DIR/good.mp4", "--output=DIR/out/"],
        "main.py: --source=DIR/*.jpg: there is no such file",
    ),
    "no such data": (
        ["--mode=train", "--config.dataset.root_dir=DIR/none"],
        "DIR/none",
    ),
    "empty data": (
        ["--mode=train", "--config.dataset.root_dir=DIR/empty"],
        "DIR/empty: is empty",
    ),
    "too many devices": (
        ["--mode=train", "--config.dataset.root_dir=DATA", "--config.train.batch_size=6"],
        "config.train.batch_size is 6, expected a multiple of the 8 devices",
    ),
    "no weights of VGG19": (
        [
            "--mode=train",
            "--config.dataset.root_dir=DATA",
            "--config.perceptual.weights=DIR/vgg19",
        ],
        "DIR/vgg19.npz is not there",
    ),
    "no checkpoint": (
        ["--mode=reconstruct", "--config.dataset.root_dir=DATA"],
        "DIR/work: no checkpoint here",
    ),
    "no checkpoint in a folder of folders": (
        ["--mode=reconstruct", "--config.dataset.root_dir=DATA", "--checkpoint=DATA"],
        "DATA: no checkpoint here",
    ),
    "another architecture": (
        [
            "--mode=reconstruct",
            "--config.dataset.root_dir=DATA",
            "--checkpoint=RUN",
            "--config.model.num_kp=4",
        ],
        "RUN/checkpoints/4: is of another architecture",
    ),
    "truncated video": (
        ["--mode=reconstruct", "--config.dataset.root_dir=DIR/cut", "--checkpoint=RUN"],
        "DIR/cut/test/b.mp4",
    ),
    "pair of a missing video": (
        [
            "--mode=animate",
            "--config.dataset.root_dir=DATA",
            "--checkpoint=RUN",
            "--config.dataset.pairs_list=DIR/pairs.csv",
        ],
        "DIR/pairs.csv, line 2: the driving 'gone.png' is not among the 2 test videos",
    ),
    "no such picture": (
        [
            "--mode=animate",
            "--checkpoint=RUN",
            "--source=DIR/none.png",
            "--driving=DIR/good.mp4",
            "--output=DIR/out.mp4",
        ],
        "DIR/none.png: there is no such file",
    ),
    "film that is none": (
        [
            "--mode=animate",
            "--checkpoint=RUN",
            "--source=DIR/good.png",
            "--driving=DIR/pairs.csv",
            "--output=DIR/out.mp4",
        ],
        "DIR/pairs.csv",
    ),
    "output of an unknown kind": (
        [
            "--mode=animate",
            "--checkpoint=RUN",
            "--source=DIR/good.png",
            "--driving=DIR/good.mp4",
            "--output=DIR/out.xyz",
        ],
        "DIR/out.xyz",
    ),
}


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """A folder with what the table of bad input asks for."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty").mkdir()
    (folder / "pairs.csv").write_text("source,driving\n0000.png,gone.png\n")
    (folder / "model.yaml").write_text("dataset_params:\n  root_dir: data\n")
    (folder / "syntax.py").write_text("def get_config():\n    return (\n")
    (folder / "fails.py").write_text("def get_config():\n    return {}['missing']\n")
    (folder / "typo.py").write_text(
        "from ml_collections import ConfigDict\n\n\n"
        "def get_config():\n    return ConfigDict({'train': {'num_step': 3}})\n"
    )
    write_picture(folder / "good.png", np.zeros((SIZE, SIZE, 3), np.uint8))
    write_film(folder / "good.mp4", SIZE, SIZE)
    for part in ("train", "test"):
        (folder / "cut" / part).mkdir(parents=True)
        (folder / "cut" / part / "a.mp4").write_bytes((folder / "good.mp4").read_bytes())
    whole = (folder / "good.mp4").read_bytes()
    (folder / "cut" / "test" / "b.mp4").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.mark.parametrize(("arguments", "expected"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_ends_in_one_line(arguments, expected, bad, data, workdir, capsys):
    places = {"DIR": str(bad), "DATA": str(data), "RUN": str(workdir)}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
        expected = expected.replace(name, place)
    before = sorted(bad.rglob("*"))
    if not any(argument.startswith("--config=") for argument in arguments):
        arguments = [*DATA, *arguments]
    assert run_main(f"--workdir={bad / 'work'}", *arguments) == 2
    error = capsys.readouterr().err
    last = error.splitlines()[-1]
    assert last.startswith("main.py: ")
    assert expected in last
    assert "Traceback" not in error
    # A progress bar that stood still may come before it.
    assert all("/s" in line or "0%" in line or not line for line in error.splitlines()[:-1])
    left = set(bad.rglob("*")) - set(before)
    assert not [path for path in left if path.is_file() and "events" not in path.name]


def test_bad_input_of_the_demo_model_is_told_in_one_line_too(capsys):
    files = "--source=none.png", "--driving=none.mp4", "--output=out.mp4"
    assert run_main("--mode=animate", *files) == 2
    told = "main.py: none.png: there is no such file, expected a picture"
    assert capsys.readouterr().err.splitlines() == [told]


def test_command_in_a_process_of_its_own_has_the_same_line_and_status(tmp_path):
    finished = subprocess.run(
        [sys.executable, "main.py", "--mode=train", f"--workdir={tmp_path}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 2
    assert finished.stderr.splitlines() == [
        "main.py: --config: expected a file with get_config(), such as configs/tiny.py"
    ]
