"""Run convert_torch_weights.py in many processes, which share the time that its modules load."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]

# Reads a request in each line and answers with the exit status. Each process is a copy of this one,
# which has loaded the modules of the command and nothing that starts a thread.
COPIER = """
import json, os, runpy, sys
import fomm_jax.cli.convert

for line in sys.stdin:
    request = json.loads(line)
    if (child := os.fork()) == 0:
        os.chdir(request["folder"])
        os.environ.update(request["variables"])
        for descriptor, file in enumerate((os.devnull, *request["outputs"])):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), descriptor)
        sys.argv = request["command"]
        runpy.run_path(sys.argv[0], run_name="__main__")
        sys.exit()
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class ConvertCommands:
    """A process that starts the command; used as a context, which ends the process."""

    def __init__(self, folder):
        """Load the modules of the command, with warnings as errors.

        Args:
          folder: what the processes print is kept here.
        """
        # ml_collections loads the file of --config in a way that importlib deprecates.
        warnings = "-W", "error", "-W", "ignore:the load_module() method:DeprecationWarning"
        self._outputs = folder / "stdout", folder / "stderr"
        self._copier = subprocess.Popen(
            [sys.executable, *warnings, "-c", COPIER],
            cwd=ROOT,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._copier.communicate()
        assert self._copier.returncode == 0

    def __call__(self, *flags, folder=ROOT, **variables):
        """Run the command in a folder, by default that of the project, and return what it did.

        Args:
          *flags: the command's flags.
          folder: the current folder of the process.
          **variables: what to add to its environment.
        """
        for output in self._outputs:
            output.unlink(missing_ok=True)
        command = [str(ROOT / "convert_torch_weights.py"), *flags]
        request = {
            "command": command,
            "folder": str(folder),
            "variables": variables,
            "outputs": [str(output) for output in self._outputs],
        }
        print(json.dumps(request), file=self._copier.stdin, flush=True)
        status = int(self._copier.stdout.readline())
        return subprocess.CompletedProcess(
            command, status, *(output.read_text() for output in self._outputs)
        )
