"""main.py refuses files that it cannot use in one line."""

import importlib.util

import pytest
from commands import run_main

pytestmark = [
    # ml_collections reads the file of --config in a way that importlib gives up.
    pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning"),
]

FILES = (
    "--mode=animate",
    "--checkpoint=RUN",
    "--source=DIR/good.png",
    "--driving=DIR/good.mp4",
    "--output=DIR/out.mp4",
)

# Arguments, and what the line on stderr says. DIR stands for the folder of bad files, DATA for a
# dataset and RUN for a file of weights.
BAD_FILES = {
    "no film to verify": (
        ["--mode=verify", "--input=DIR/model.yaml"],
        "main.py: DIR/model.yaml: cannot be read as a picture or film",
    ),
    "best frame behind the end": (
        [*FILES, "--best_frame=7"],
        "main.py: --best_frame=7: expected less than 7, because DIR/good.mp4 has 7 frames",
    ),
    "motion that is none": (
        [*FILES[:-2], "--motion=DIR/good.png", "--output=DIR/out.mp4"],
        "main.py: DIR/good.png: ",
    ),
    "no face": (
        [*FILES, "--crop=face"],
        "DIR/good.png: no face is found in it"
        if importlib.util.find_spec("dlib")
        else "--crop=face: faces are found by packages that are not installed",
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
        "DIR/pairs.csv, line 2, column driving: is 'gone.png'; expected the name of one of the 2"
        " test videos",
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


@pytest.mark.parametrize(("arguments", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files_end_in_one_line(arguments, expected, bad_files, figures, weights, refuse):
    places = {"DIR": str(bad_files), "DATA": str(figures), "RUN": str(weights)}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
        expected = expected.replace(name, place)
    assert expected in refuse(arguments)


def test_bad_files_for_the_demo_model_end_in_one_line_too(capsys):
    files = "--source=none.png", "--driving=none.mp4", "--output=out.mp4"
    assert run_main("--mode=animate", *files) == 2
    line = "main.py: none.png: there is no such file, expected a picture"
    assert capsys.readouterr().err.splitlines() == [line]
