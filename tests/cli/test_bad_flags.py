"""main.py refuses bad flags and configurations in one line."""

import subprocess
import sys

import pytest
from commands import run_main

# ml_collections reads the file of --config in a way that importlib gives up.
pytestmark = pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning")

FILES = (
    "--mode=animate",
    "--source=DIR/good.png",
    "--driving=DIR/good.mp4",
    "--output=DIR/out.mp4",
)

# Arguments, and what the line on stderr says. DIR stands for the folder of bad files.
BAD_FLAGS = {
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
    "address to begin from": (
        ["--mode=train", "--config.train.init_from=https://example.org/vox.pth.tar"],
        "main.py: config.train.init_from: is an address, which is not fetched; expected a path",
    ),
    "address of weights": (
        ["--mode=train", "--config.perceptual.weights=s3://bucket/vgg19"],
        "main.py: config.perceptual.weights: is an address, which is not fetched; expected a path",
    ),
    "address of pairs": (
        ["--mode=animate", "--config.dataset.pairs_list=https://example.org/pairs.csv"],
        "main.py: config.dataset.pairs_list: is an address, which is not fetched; expected a path",
    ),
    "no such config": (
        ["--mode=train", "--config=configs/none.py"],
        "--config: [Errno 2] No such file or directory: 'configs/none.py'",
    ),
    "no config of this name": (
        ["--mode=train", "--config=vox_265"],
        "main.py: --config: there is no configuration vox_265; expected a file with get_config(),"
        " or one of actions_64, bair_256,",
    ),
    "file of a clone that is not there": (
        ["--mode=train", "--config", "DIR/configs/vox_256.py"],
        "main.py: --config: there is no file DIR/configs/vox_256.py; the project's own"
        " configuration is --config=vox_256",
    ),
    "YAML file in the place of a config": (
        ["--mode=train", "--config=DIR/model.yaml"],
        "main.py: --config: DIR/model.yaml is no Python file; for a configuration of the original"
        " use --config=from_yaml:DIR/model.yaml",
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
    "config without its function": (
        ["--mode=train", "--config=DIR/without.py"],
        "main.py: --config: DIR/without.py has no function get_config(); expected one that returns"
        " a ConfigDict",
    ),
    "config that returns a dict": (
        ["--mode=train", "--config=DIR/dict.py"],
        "main.py: --config: get_config() of DIR/dict.py returned a dict; expected one that returns"
        " a ConfigDict",
    ),
    "config that returns nothing": (
        ["--mode=train", "--config=DIR/nothing.py"],
        "main.py: --config: get_config() of DIR/nothing.py returned nothing; expected one that",
    ),
    "no file that is called None": (
        ["--mode=train", "--config.dataset.pairs_list=None"],
        "main.py: config.dataset.pairs_list: expected the path of a file, or an empty value for",
    ),
    "more steps than can be counted": (
        ["--mode=train", "--config.train.num_steps=99999999999999999999"],
        "main.py: config.train.num_steps: expected at most 2147483647, got 99999999999999999999",
    ),
    "unknown field in a config": (
        ["--mode=train", "--config=DIR/typo.py"],
        "main.py: config.train.num_step: no such field; the nearest known one is"
        " config.train.num_steps",
    ),
    "no such YAML file": (
        ["--mode=train", "--config=from_yaml:DIR/none.yaml"],
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
    "input to train with": (
        ["--mode=train", "--input=DIR/a.png"],
        "main.py: --input: expected with --mode=verify",
    ),
    "picture to train with": (
        ["--mode=train", "--source=DIR/a.png"],
        "main.py: --source, --driving, --output: expected with --mode=animate",
    ),
    "network that the model has not": (
        ["--mode=train_avd"],
        "main.py: config.train.stage: expected 'motion', since the first-order model has no AVD",
    ),
    "model that is not finished": (
        ["--mode=train_avd", "--config=configs/tpsmm_tiny.py"],
        "main.py: --workdir: DIR/work: no checkpoint here; expected a workdir that was trained in",
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
    "a short flag too": (
        [*FILES, "--motion_transfer=relative", "--norelative"],
        "main.py: --motion_transfer: expected without --relative and --absolute, which are short",
    ),
    "best frame of poses": (
        [*FILES, "--motion_transfer=avd", "--best_frame=1"],
        "main.py: --best_frame, --adapt_scale: expected with relative motion alone",
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
    "pipe of an unknown size": (
        ["--mode=animate", "--source=DIR/good.png", "--driving=-", "--output=DIR/out.mp4"],
        "main.py: --pipe_size=: expected WIDTHxHEIGHT of the raw frames that are read",
    ),
}


@pytest.mark.parametrize(("arguments", "expected"), BAD_FLAGS.values(), ids=BAD_FLAGS)
def test_bad_flags_end_in_one_line(arguments, expected, bad_files, refuse):
    line = refuse([argument.replace("DIR", str(bad_files)) for argument in arguments])
    assert expected.replace("DIR", str(bad_files)) in line


def test_a_field_without_a_configuration_is_answered_with_what_is_missing(capsys):
    assert run_main("--mode=train", "--config.train.num_steps=3", "--workdir=W") == 2
    assert capsys.readouterr().err == (
        "main.py: --config: is missing, though --config.train.num_steps=3 changes a field of it;"
        " expected the name of a configuration, such as vox_256, or a file with get_config()\n"
    )


def test_the_current_folder_was_deleted(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert run_main("--mode=train") == 2
    line = "main.py: the current folder is not there any more; expected a start in one that exists"
    assert capsys.readouterr().err.splitlines() == [line]


def test_command_in_a_process_of_its_own_has_the_same_line_and_status(tmp_path):
    """Warnings of libraries, as this config stands for, do not reach the terminal."""
    config = tmp_path / "warns.py"
    config.write_text(
        "import warnings\n\nfrom configs import tiny\n\n\ndef get_config():\n"
        "    warnings.warn('raw')\n    return tiny.get_config()\n"
    )
    finished = subprocess.run(
        [sys.executable, "main.py", "--mode=train", f"--config={config}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 2
    assert finished.stderr.splitlines() == [
        "main.py: --workdir: expected a folder for what --mode=train writes"
    ]
