"""Runs of three numbers in processes of their own."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

TESTS = Path(__file__).parent
EVERY = 20  # steps between checkpoints
WAIT = 300  # seconds for anything


class Run:
    """A run in a process of its own, whose lines are read as they come."""

    def __init__(self, data, workdir, environment, num_steps, *flags):
        one_device = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=1"
        self.lines = []  # (moment, line) of stderr
        self._process = subprocess.Popen(
            [
                sys.executable, TESTS / "small_main.py", "--config=configs/tiny.py", "--mode=train",
                f"--workdir={workdir}", f"--config.dataset.root_dir={data}",
                f"--config.train.num_steps={num_steps}",
                f"--config.train.checkpoint_every={EVERY}",
                "--config.train.loss_weights.perceptual=(0,0,0,0,0)", "--compilation_cache=",
                *flags,
            ],
            cwd=TESTS.parent,
            env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": one_device} | environment,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self._process.stderr as lines:
            for line in lines:
                self.lines.append((time.monotonic(), line.rstrip()))

    def wait_for(self, reached):
        begun = time.monotonic()
        while not reached():
            assert self._process.poll() is None, self.text()
            assert time.monotonic() - begun < WAIT, self.text()
            time.sleep(0.01)

    def end(self):
        """Wait for the end; return the exit status and the last line, if there is one."""
        status = self._process.wait(WAIT)
        self._reader.join(WAIT)
        return status, self.lines[-1][1] if self.lines else ""

    def text(self):
        return "\n".join(line for _, line in self.lines)

    def kill(self):
        self._process.kill()
        self._process.wait(WAIT)
        self._reader.join(WAIT)
