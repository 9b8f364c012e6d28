"""The scripts for Cloud TPU, with programs that only note how they are called."""

import os
import re
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "deploy" / "tpu"

# Notes its arguments, and what it copies from its input. Each line of the file "answers" is the
# answer of one call to `describe`; when there are none left, the run is done.
GCLOUD = """#!/bin/bash
case "$*" in
    *describe*) head -n 1 answers | grep . || exit 1 ;;
    "storage ls "*) sed -i 1d answers; [ ! -s answers ] ;;
    "storage cat "*) tar --create --gzip --files-from=/dev/null ;;
    "storage cp - "*) echo "$(cat)" to "${!#}" >> calls ;;
    *) echo gcloud "$@" >> calls
       for argument; do
           case $argument in *,arguments=*) cat "${argument##*arguments=}" >> calls ;; esac
       done ;;
esac
"""


def run(script, folder, programs, **variables):
    """Run a script in a folder, with programs that are given by name as texts."""
    for name, text in programs.items():
        program = folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    return subprocess.run(
        ["bash", FOLDER / script, *variables.pop("arguments", ())],
        cwd=folder,
        env={"PATH": f"{folder}/bin:{os.environ['PATH']}", **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_slice_that_is_taken_away_is_asked_for_again(tmp_path):
    # `ls` removes the first line, so that the first answer is "", which means none.
    (tmp_path / "answers").write_text("begin\n\nACTIVE\nSUSPENDED\n\nACTIVE\n")
    ended = run(
        "train.sh",
        tmp_path,
        {"bin/gcloud": GCLOUD},
        TPU="fomm",
        ZONE="Z",
        TYPE="v5litepod-16",
        RUNTIME="R",
        CODE="gs://B/code",
        WORKDIR="gs://B/W",
        POLL="0",
        arguments=["--config=C", "--config.model.compute_dtype=bfloat16"],
    )
    assert ended.returncode == 0, ended.stderr
    queued = "gcloud compute tpus queued-resources"
    create = [
        f"{queued} create fomm --node-id=fomm --zone=Z --spot --accelerator-type=v5litepod-16"
        " --runtime-version=R --metadata=code=gs://B/code,job=fomm"
        " --metadata-from-file=startup-script=startup.sh,arguments",
        "--workdir=gs://B/W",
        "--config=C",
        "--config.model.compute_dtype=bfloat16",
    ]
    delete = [f"{queued} delete fomm --zone=Z --force --quiet"]
    calls = (tmp_path / "calls").read_text().replace(f"{FOLDER}/", "")
    calls = re.sub(r",arguments=.*", ",arguments", calls)
    assert calls.splitlines() == [*create, *delete, *create, *delete]


@pytest.mark.parametrize(
    ("statuses", "status", "is_done"),
    [("75 143 137 0", 0, True), ("75 2", 2, False), ("1", 1, False)],
)
def test_a_host_trains_until_the_run_is_done(tmp_path, statuses, status, is_done):
    (tmp_path / "answers").write_text("")
    (tmp_path / "statuses").write_text(statuses.replace(" ", "\n") + "\n")
    python = """#!/bin/sh
echo "$FOMM_JAX_JOB" python "$@" >> calls
status=$(head -n 1 statuses); sed -i 1d statuses; exit "$status"
"""
    curl = """#!/bin/sh
case "$*" in
    *attributes/arguments) printf '%s\\n' --workdir=gs://B/W '--config.train.scales=(1.0, 0.5)' ;;
    *attributes/code) echo gs://B/code ;;
    *attributes/job) echo fomm ;;
esac
"""
    programs = {"bin/gcloud": GCLOUD, "bin/curl": curl, ".venv/bin/python": python}
    programs[".venv/bin/pip"] = "#!/bin/sh\n"
    ended = run("startup.sh", tmp_path, programs, LOG=f"{tmp_path}/log", FOLDER=str(tmp_path))
    assert ended.returncode == status, (tmp_path / "log").read_text()
    calls = (tmp_path / "calls").read_text().splitlines()
    train = "fomm python main.py --distributed --mode=train --workdir=gs://B/W"
    expected = [f"{train} --config.train.scales=(1.0, 0.5)"] * len(statuses.split())
    if is_done:
        expected.append("done to gs://B/W/finished")
    assert calls == expected
