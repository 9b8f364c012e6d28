"""When a host dies, stands still or is cut off, the others end in one line and can go on."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from training_runs import saved

from fomm_jax.training.lost_hosts import explain
from fomm_jax.training.signals import HOW_TO_GO_ON
from input_pipeline.figures.scenes import write_dataset

# Orbax, asked for arrays without shardings, says that it takes those of the file.
pytestmark = pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning")

TESTS = Path(__file__).parents[1]
EVERY = 20  # steps between checkpoints
TIMEOUT = 10  # seconds of silence
WAIT = 300  # seconds for anything else

# What JAX 0.10.2 wrote in the cases of this file, without the date and the advice.
SILENT = """F1129 client.h:80] Terminating process because the JAX distributed service detected \
fatal errors. This most likely [...] absl::Status: UNAVAILABLE: The following tasks are unhealthy \
(stopped sending heartbeats):
2
1
The tasks have crashed. Check the task logs for an earlier error [...]

RPC: /xla.coordination.CoordinationService/PollForError
*** Check failure stack trace: ***
"""
NO_ANSWER = """F1129 client.h:80] Terminating process because the JAX distributed service detected \
fatal errors. This most likely [...] absl::Status: DEADLINE_EXCEEDED: Deadline Exceeded

RPC: /xla.coordination.CoordinationService/Heartbeat
*** Check failure stack trace: ***
"""


def test_the_reason_names_the_hosts():
    hosts = ["n1", "n2", "n3"]
    assert explain(SILENT, 0, hosts) == (
        "host n2 (process 1) and host n3 (process 2) died, stand still or are cut off"
    )
    assert explain(SILENT, 2, hosts) == (
        "host n3 (process 2) stood still, or was cut off, and the others gave it up"
    )
    assert explain(SILENT.replace("2\n", ""), 0, []) == (
        "process 1 died, stands still or is cut off"
    )
    assert explain(NO_ANSWER, 1, hosts) == (
        "host n1 (process 0), which keeps the others together, died, stands still or is cut off"
    )
    assert explain(NO_ANSWER.replace("Heartbeat", "RegisterTask"), 0, []) == (
        "the processes did not all come together within config.train.join_timeout seconds"
    )
    assert explain("something\n else", 1, hosts) == "the hosts lost one another (something else)"


# Does what JAX does in C++ when a host is gone.
PROGRAM = """
import ctypes, os, sys
from fomm_jax.training.lost_hosts import HostWatch

def end(reason):
    print(reason, file=sys.stderr)
    os._exit(75)

watch = HostWatch(end)
watch.start()
print("a line of Python", file=sys.stderr)
os.write(2, b"a line of a library\\n" + sys.argv[1].encode())
ctypes.CDLL(None).abort()
"""


@pytest.mark.parametrize(
    ("message", "status", "last"),
    [
        (NO_ANSWER, 75, explain(NO_ANSWER, 0, [])),
        ("F1129 cuda.cc:1] Check failed\n", -signal.SIGABRT, "F1129 cuda.cc:1] Check failed"),
    ],
    ids=["a host is gone", "another failure"],
)
def test_what_jax_writes_before_it_aborts_becomes_one_line(message, status, last):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, message],
        cwd=TESTS.parent,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert ended.returncode == status
    lines = ended.stderr.splitlines()
    assert sorted(lines[:2]) == ["a line of Python", "a line of a library"]
    assert lines[2:] == [last]


class Network:
    """Passes connections on to a port, until it drops what it is given."""

    def __init__(self, port):
        self.dropping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._target = port
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = self._connect()
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _connect(self):
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                time.sleep(0.1)

    def _pass_on(self, source, target):
        with contextlib.suppress(OSError), source, target:
            while data := source.recv(65536):
                while self.dropping.is_set():  # neither an answer nor an end
                    time.sleep(0.1)
                target.sendall(data)

    def close(self):
        self._listener.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lost") / "data"
    write_dataset(folder, size=32, num_videos=10, num_frames=4, seed=0)
    return folder


@pytest.fixture
def start(data, tmp_path):
    processes = []
    # JAX sets the variable when it is loaded, as it is in the tests.
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}

    def begin(num_steps, *options):
        command = [sys.executable, TESTS / "small_main.py", "--config=configs/tiny.py"]
        command += ["--mode=train", f"--workdir={tmp_path / 'W'}", "--compilation_cache="]
        command += [f"--config.dataset.root_dir={data}", f"--config.train.num_steps={num_steps}"]
        command += [f"--config.train.checkpoint_every={EVERY}", "--config.train.batch_size=4"]
        command += [f"--config.train.host_timeout={TIMEOUT}", *options]
        processes.append(
            subprocess.Popen(
                command,
                cwd=TESTS.parent,
                env={**environment, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def start_two(start, port, port_of_the_second):
    """Start two processes, whose second one reaches the first by a port of its own."""
    common = ("--distributed", "--num_processes=2")
    return [
        start(10**6, *common, f"--process_id={number}", f"--coordinator=127.0.0.1:{port}")
        for number, port in enumerate((port, port_of_the_second))
    ]


def lose(case, pair, network):
    """Let one of two processes die, stand still or be cut off; return it and the other one."""
    number = int(case[-1])
    if case.startswith("kill"):
        pair[number].kill()
    elif case.startswith("stop"):
        pair[number].send_signal(signal.SIGSTOP)
    else:
        network.dropping.set()
    return pair[number], pair[1 - number]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["kill 1", "kill 0", "stop 1", "stop 0", "drop 1"])
def test_the_other_process_ends_in_one_line_and_the_run_can_go_on_alone(start, tmp_path, case):
    with socket.socket() as probe:  # a port that is free
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    network = Network(port)
    pair = start_two(start, port, network.port)
    while not (tmp_path / "W" / "checkpoints" / str(EVERY)).exists():
        assert [process.poll() for process in pair] == [None, None]
        time.sleep(0.1)
    begun = time.monotonic()
    lost, other = lose(case, pair, network)
    _, errors = other.communicate(timeout=4 * TIMEOUT)
    seconds = time.monotonic() - begun
    print(f"{case}: the other process ended after {seconds:.1f} s")
    assert seconds < 2 * TIMEOUT + 15
    assert other.returncode == os.EX_TEMPFAIL
    assert "coordination_service" not in errors
    host, number = socket.gethostname(), int(case[-1])
    (last,) = [line for line in errors.splitlines() if line.startswith("main.py: ")]
    assert errors.endswith(f"{last}\n")
    assert re.fullmatch(
        rf"main.py: host {host} \(process {number}\).* died, stands still or is cut off;"
        f" {HOW_TO_GO_ON}",
        last,
    )
    if case.startswith("kill"):
        assert lost.wait(5) == -signal.SIGKILL
    else:
        lost.send_signal(signal.SIGCONT)
        _, errors = lost.communicate(timeout=4 * TIMEOUT)
        assert lost.returncode == os.EX_TEMPFAIL
        assert errors.splitlines()[-1].startswith(f"main.py: host {host} (process ")
    network.close()
    if case == "kill 1":
        check_the_run_goes_on(start, tmp_path / "W")


def check_the_run_goes_on(start, workdir):
    """Let one process go on from what two have saved, and compare it with one alone."""
    newest = max(int(path.name) for path in (workdir / "checkpoints").iterdir())
    end = newest + EVERY
    alone = start(end)
    _, errors = alone.communicate(timeout=WAIT)
    assert alone.returncode == 0, errors
    assert f"continues at step {newest + 1}, from {workdir / 'checkpoints' / str(newest)}" in errors
    undisturbed = start(end, f"--workdir={workdir.parent / 'undisturbed'}")
    _, errors = undisturbed.communicate(timeout=WAIT)
    assert undisturbed.returncode == 0, errors
    actual, expected = saved(workdir, end), saved(workdir.parent / "undisturbed", end)
    assert actual.keys() == expected.keys()
    for name, array in expected.items():  # two processes add up in another order than one
        np.testing.assert_allclose(actual[name], array, rtol=1e-6, err_msg=name)
