"""The script for Slurm, on a real Slurm of two nodes that share this machine."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_training import saved_state
from training_runs import assert_same

from fomm_jax.reporting.events import read_curves
from fomm_jax.weights.find_checkpoint import find_checkpoint
from input_pipeline.figures.scenes import write_dataset

TESTS = Path(__file__).parents[1]
SCRIPT = TESTS.parent / "deploy" / "slurm" / "train.sbatch"
EVERY = 100  # steps between checkpoints
WAIT = 400  # seconds for anything

# The names of the nodes are addresses, so that JAX finds the first one without a name server.
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=127.0.0.1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2
NodeName=127.0.0.2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(number):
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("", 0))) for _ in range(number)]
        return [probe.getsockname()[1] for probe in probes]


@pytest.fixture
def slurm(tmp_path):
    """The environment for the commands of a Slurm that runs during a test."""
    for program in ("slurmctld", "slurmd", "munged"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt-get install slurm-wlm munge)")
    if os.geteuid() != 0:
        pytest.skip("slurmd starts jobs as root only")
    key = tmp_path / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    (tmp_path / "state").mkdir()
    configuration = tmp_path / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname(), user=getpass.getuser(), folder=tmp_path, ports=free_ports(3)
        )
    )
    munged = ["munged", "--foreground", "--force", f"--key-file={key}"]
    munged += [f"--{name}={tmp_path}/munge.{name}" for name in ("socket", "pid-file", "seed-file")]
    munged += [f"--log-file={tmp_path}/munge.log"]
    commands = [munged, ["slurmctld", "-D"]]
    commands += [["slurmd", "-D", "-N", node] for node in ("127.0.0.1", "127.0.0.2")]
    environment = os.environ | {
        "SLURM_CONF": str(configuration),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(tmp_path / "daemons.log", "wb"))
        for command in commands:
            daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            stack.callback(daemon.wait)
            stack.callback(daemon.terminate)
            time.sleep(1)
        yield environment


def run(environment, *command, cwd=TESTS.parent):
    """Run a command of Slurm's and return what it prints."""
    ended = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=WAIT
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def wait_for(reached, log):
    begun = time.monotonic()
    while not reached():
        assert time.monotonic() - begun < WAIT, log.read_text() if log.exists() else "no log"
        time.sleep(0.5)


def newest(workdir):
    names = [path.name for path in (workdir / "checkpoints").glob("*")]
    return max((int(name) for name in names if name.isdecimal()), default=0)


@pytest.mark.slow
def test_a_job_that_reaches_its_time_limit_goes_on_by_itself(slurm, tmp_path):
    write_dataset(tmp_path / "data", size=32, num_videos=10, num_frames=4, seed=0)
    log, script, workdir = tmp_path / "log", tmp_path / "train.sbatch", tmp_path / "W"
    script.write_text(SCRIPT.read_text().replace("python main.py", "python tests/small_main.py"))
    options = ["--config=configs/tiny.py", f"--config.dataset.root_dir={tmp_path / 'data'}"]
    options += [f"--config.train.checkpoint_every={EVERY}", "--compilation_cache="]
    options += ["--config.train.host_timeout=600"]  # tests may have to wait for other work
    # Slurm counts minutes, and may send the signal up to a minute too early.
    job = ["--parsable", "--nodes=2", "--ntasks-per-node=1", "--time=2", "--signal=TERM@30"]
    job += [f"--output={log}", script, *options, f"--workdir={workdir}"]
    (number,) = run(slurm, "sbatch", *job, "--config.train.num_steps=1000000").split()
    wait_for(lambda: "Restarts=1" in run(slurm, "scontrol", "show", "job", number), log)
    assert "main.py: ended by SIGTERM after step" in log.read_text()
    last = newest(workdir)
    assert last > 0
    # By itself, Slurm begins two minutes later. In the same second, it would refuse the job.
    run(slurm, "scontrol", "update", f"JobId={number}", "StartTime=now+10", "TimeLimit=60")
    wait_for(lambda: newest(workdir) >= last + EVERY, log)
    assert f"continues at step {last + 1}, from {workdir}/checkpoints/{last}" in log.read_text()
    run(slurm, "scancel", number)
    wait_for(lambda: number not in run(slurm, "squeue", "--noheader", "--format=%i"), log)
    end = newest(workdir)
    undisturbed = [f"--workdir={tmp_path / 'undisturbed'}", f"--config.train.num_steps={end}"]
    program = ["python", "tests/small_main.py", "--distributed", "--mode=train"]
    run(slurm, "srun", "--nodes=2", "--ntasks=2", *program, *options, *undisturbed)
    assert_same(saved_state(workdir, end), saved_state(tmp_path / "undisturbed", end))


@pytest.mark.parametrize(
    ("status", "restarts", "requeues"),
    [
        *[(status, 0, False) for status in (0, 1, 2)],
        *[(status, 0, True) for status in (75, 137, 143)],
        (143, 99, True),
        (143, 100, False),
    ],
)
def test_only_what_a_repetition_may_help_is_repeated(tmp_path, status, restarts, requeues):
    for name, code in (("srun", status), ("scontrol", 0)):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$(basename $0) $@"\nexit {code}\n')
        program.chmod(0o755)
    ended = subprocess.run(
        ["bash", SCRIPT, "--config=C"],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "SLURM_JOB_ID": "7",
            "SLURM_RESTART_COUNT": str(restarts),
        },
        capture_output=True,
        text=True,
    )
    assert ended.returncode == status
    first, *rest = ended.stdout.splitlines()
    assert first.endswith("python main.py --distributed --mode=train --config=C")
    assert rest == (["scontrol requeue 7"] if requeues else [])


@pytest.mark.slow
def test_a_job_array_prepares_a_dataset(slurm, tmp_path):
    write_dataset(tmp_path / "raw", size=32, num_videos=40, num_frames=4, seed=0)
    options = ["--dataset=video_folder", f"--input={tmp_path / 'raw'}", "--size=32"]
    command = [sys.executable, "-m", "input_pipeline.prepare", *options, "--workers=1"]
    run(slurm, *command, f"--output={tmp_path / 'one'}")
    script = SCRIPT.parent / "prepare.sh"
    jobs = slurm | {"CPUS": "1", "PYTHONPATH": str(TESTS.parent)}
    run(jobs, script, "3", *options, f"--output={tmp_path / 'many'}", cwd=tmp_path)
    one, many = (
        tmp_path / name / "video_folder" / "32x32_png" / "1.0.0" for name in ("one", "many")
    )
    wait_for(many.exists, tmp_path / "slurmctld.log")
    assert len([*tmp_path.glob("prepare-*_*.log")]) == 3
    one, many = (
        {path.name: path.read_bytes() for path in folder.iterdir()} for folder in (one, many)
    )
    assert one == many


@pytest.mark.slow
def test_a_job_keeps_everything_in_a_bucket(bucket, bucket_server, slurm, tmp_path):
    write_dataset(tmp_path / "raw", size=32, num_videos=10, num_frames=4, seed=0)
    command = [sys.executable, "-m", "input_pipeline.prepare", "--dataset=video_folder"]
    command += [f"--input={tmp_path / 'raw'}", "--size=32", "--workers=1"]
    run(slurm, *command, f"--output={bucket}/data")
    script = tmp_path / "train.sbatch"
    script.write_text(SCRIPT.read_text().replace("python main.py", "python tests/small_main.py"))
    options = ["--config=configs/tiny.py", f"--workdir={bucket}/W", "--compilation_cache="]
    options += [f"--config.dataset.root_dir={bucket}/data/video_folder/32x32_png/1.0.0"]
    options += ["--config.train.num_steps=5", "--config.train.host_timeout=600"]
    job = ["--wait", "--nodes=2", "--ntasks-per-node=1", f"--output={tmp_path / 'log'}"]
    run(slurm, "sbatch", *job, script, *options)
    assert find_checkpoint(f"{bucket}/W").name == "5"
    assert [*read_curves(f"{bucket}/W")["perceptual"]] == [1, 2, 3, 4, 5]
