"""However a run ends, the steps that it took are saved, and nothing else is left behind."""

import signal
import sys
import threading
import time

import numpy as np
import pytest
from small_training import CountedBatches, make_program, run
from training_runs import saved

from fomm_jax import console
from fomm_jax.errors import InputError
from fomm_jax.training import loop
from fomm_jax.training.divergence import NotFiniteError
from fomm_jax.training.log import TrainingLog
from fomm_jax.training.preemption import TerminatedError
from fomm_jax.training.saving import Saver
from fomm_jax.training.signals import EndingSignals
from fomm_jax.weights import checkpoints
from fomm_jax.weights.checkpoints import Checkpoints

# Orbax, asked for arrays without shardings, says that it takes those of the file.
pytestmark = pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The loop trains three numbers, and draws nothing."""
    monkeypatch.setattr(loop, "make_program", make_program)
    monkeypatch.setattr(TrainingLog, "write_picture", lambda log, step, outputs: None)


def steps(workdir):
    return sorted(int(path.name) for path in (workdir / "checkpoints").iterdir())


def numbers(workdir, step):
    return saved(workdir, step)["['params']['net']['sum']"].tolist()


def fail_at(monkeypatch, method, step, error):
    """Let a method of the log fail when it is called for a step."""
    original = getattr(TrainingLog, method)

    def failing(log, number, *arguments):
        if number == step:
            raise error
        original(log, number, *arguments)

    monkeypatch.setattr(TrainingLog, method, failing)


@pytest.mark.parametrize("method", ["write_scalars", "write_picture"])
@pytest.mark.parametrize("error", [InputError("the disk is full"), KeyboardInterrupt()])
def test_an_error_after_a_step_saves_it(tmp_path, monkeypatch, capsys, method, error):
    with monkeypatch.context() as patch:
        fail_at(patch, method, 3, error)
        with pytest.raises(type(error)):
            run(tmp_path, visualize_every=1)
    assert steps(tmp_path) == [2, 3]
    assert "saved the state after step 3 before the end" in capsys.readouterr().err
    assert run(tmp_path) == 2
    assert numbers(tmp_path, 5) == [1 + 2 + 3 + 4 + 5] * 3
    assert "continues at step 4, from" in capsys.readouterr().err


def test_unreadable_data_saves_the_steps_before(tmp_path):
    class Broken(CountedBatches):
        def __next__(self):
            if self.number == 3:
                raise OSError("the disk is gone")
            return super().__next__()

    with pytest.raises(OSError, match="the disk is gone"):
        run(tmp_path, Broken())
    assert steps(tmp_path) == [2, 3]
    assert run(tmp_path) == 2
    assert numbers(tmp_path, 5) == [15] * 3


def compile_nothing(*arguments):
    """Stand in for `compile_step` where the step is a plain function."""


def test_a_step_that_took_the_state_with_it_is_told(tmp_path, monkeypatch, capsys):
    def make(mesh, config, optimizers, steps_per_epoch):
        program = make_program(mesh, config, optimizers, steps_per_epoch)

        def third_fails(state, batch, key, vgg):
            result = program.train_step(state, batch, key, vgg)
            if int(np.asarray(result[0].step)) == 3:
                raise RuntimeError("out of memory")
            return result

        return program._replace(train_step=third_fails)

    monkeypatch.setattr(loop, "make_program", make)
    monkeypatch.setattr(loop, "compile_step", compile_nothing)
    with pytest.raises(RuntimeError, match="out of memory"):
        run(tmp_path, checkpoint_every=4)
    assert not (tmp_path / "checkpoints").exists()
    line = "warning: the state after step 2 is not saved: it was given to the step that failed"
    assert line in capsys.readouterr().err


def test_a_state_that_is_not_finite_is_not_saved(tmp_path):
    def make(mesh, config, optimizers, steps_per_epoch):
        program = make_program(mesh, config, optimizers, steps_per_epoch)

        def step(state, batch, key, vgg):
            state, scalars, outputs = program.train_step(state, batch, key, vgg)
            return state, scalars | {"perceptual": float("nan")}, outputs

        return program._replace(train_step=step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "make_program", make)
        patch.setattr(loop, "compile_step", compile_nothing)
        with pytest.raises(NotFiniteError):
            run(tmp_path)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_the_step_and_ends(tmp_path, number):
    signals = EndingSignals()
    signals.received = number  # as the thread notes it while a step is unsaved
    checkpoint = tmp_path / "checkpoints" / "1"
    with pytest.raises(TerminatedError, match="after step 1; ") as caught:
        run(tmp_path, signals=signals)
    assert str(caught.value).endswith(f"the same command goes on from {checkpoint}")
    assert caught.value.number == number
    assert steps(tmp_path) == [1]
    assert numbers(tmp_path, 1) == [1] * 3


def test_a_signal_during_a_step_finds_work_to_protect(tmp_path):
    """While the first step compiles there is none; after it there is until it is written."""
    signals = EndingSignals()
    work = []

    class Watched(CountedBatches):
        def __next__(self):
            work.append(signals._has_work())
            return super().__next__()

    run(tmp_path, Watched(), signals, num_steps=3, checkpoint_every=3)
    assert work == [False, True, True]
    assert not signals._has_work()
    assert not signals._clean_ups


def test_a_signal_in_the_last_step_changes_nothing(tmp_path):
    signals = EndingSignals()
    signals.received = signal.SIGTERM
    assert run(tmp_path, signals=signals, num_steps=1) == 1
    assert steps(tmp_path) == [1]


class NoTerminal:
    """A stream whose reader has gone away."""

    encoding = "utf-8"

    def __init__(self, terminal):
        self._terminal = terminal

    def isatty(self):
        return self._terminal

    def write(self, text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


@pytest.mark.parametrize("terminal", [True, False])
def test_training_goes_on_without_a_reader(tmp_path, monkeypatch, terminal):
    monkeypatch.setattr(sys, "stderr", NoTerminal(terminal))
    console.show_messages()
    assert run(tmp_path) == 5
    assert steps(tmp_path) == [2, 4, 5]


def test_what_comes_before_the_first_step_is_told(tmp_path, capsys):
    run(tmp_path)
    first = capsys.readouterr().err.splitlines()
    assert first[0] == "steps 1 to 5 (an epoch has 2), 8 pairs each, on 8 devices (cpu)"
    assert first[1] == "starts anew"
    assert first[2].startswith("compiling (a minute or so")
    run(tmp_path)  # has nothing to do, and says nothing
    assert capsys.readouterr().err == ""


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="no checkpoint here"):
        run(tmp_path / "W", init_from=str(tmp_path / "nowhere"))
    assert not (tmp_path / "W").exists()


@pytest.fixture
def slow_disk(monkeypatch):
    """Let checksums, which end a save, wait for an event, and fail where an error is put in."""
    finish, errors = threading.Event(), []

    def write(path):
        assert finish.wait(10)
        for error in errors:
            raise error

    monkeypatch.setattr(checkpoints, "write_checksums", write)
    return finish, errors


def test_a_wait_for_the_last_checkpoint_is_work(tmp_path, slow_disk):
    """A signal during the wait must not end the program."""
    finish, _ = slow_disk
    signals = EndingSignals()
    work = []

    def look():
        while not signals._has_work() or not (tmp_path / "checkpoints" / "1").exists():
            time.sleep(0.01)
        time.sleep(0.1)  # the main thread waits by now
        work.append(signals._has_work())
        finish.set()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    assert run(tmp_path, signals=signals, num_steps=1) == 1
    thread.join()
    assert work == [True]
    assert not signals._has_work()


def test_an_error_waits_for_a_save_that_has_begun(tmp_path, slow_disk, monkeypatch, capsys):
    finish, errors = slow_disk
    errors.append(OSError(28, "No space left on device"))
    wait = Checkpoints.wait

    def watched(self):
        if self.is_writing:
            finish.set()
        wait(self)

    monkeypatch.setattr(Checkpoints, "wait", watched)
    saved_and_failed = RuntimeError("the reader is gone")
    save = Saver.save

    def failing(self):
        save(self)
        raise saved_and_failed

    monkeypatch.setattr(Saver, "save", failing)
    with pytest.raises(RuntimeError, match="the reader is gone"):
        run(tmp_path, checkpoint_every=1)
    expected = "warning: the last checkpoint is not saved: "
    assert (
        f"{expected}{tmp_path}/checkpoints: cannot be written (No space" in capsys.readouterr().err
    )


def test_a_checkpoint_that_cannot_be_written_after_a_signal_is_an_error(tmp_path, slow_disk):
    finish, errors = slow_disk
    finish.set()
    errors.append(OSError(28, "No space left on device"))
    signals = EndingSignals()
    signals.received = signal.SIGTERM
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        run(tmp_path, signals=signals)


def test_a_workdir_with_checkpoints_goes_on_from_its_own(tmp_path):
    """A cluster repeats a command that it ended, with the checkpoint that the run began from."""
    run(tmp_path / "other", num_steps=4)
    other = tmp_path / "other" / "checkpoints" / "4"
    assert run(tmp_path / "W", begin_from=other) == 1
    assert numbers(tmp_path / "W", 5) == [15] * 3
    assert run(tmp_path / "W", begin_from=tmp_path / "gone", num_steps=6) == 1


def test_nothing_is_left_of_a_run_that_took_no_step(tmp_path):
    class Broken(CountedBatches):
        def __next__(self):
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        run(tmp_path / "a" / "b" / "W", Broken())
    assert not list(tmp_path.iterdir())
