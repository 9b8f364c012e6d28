"""Functions that are compiled once, by the first who needs them or ahead in threads."""

import threading

import jax
import numpy as np
import pytest

from fomm_jax.animation.compiled_once import Background, CompiledOnce


def test_a_form_is_compiled_once_whoever_begins():
    traced = []

    @CompiledOnce
    def double(tree, number):
        traced.append(tree["x"].shape)
        return tree["x"] * number

    shapes = {"x": jax.ShapeDtypeStruct((3,), np.float32)}, jax.ShapeDtypeStruct((), np.float32)
    assert double.trace(*shapes).shape == (3,)
    double.compile(*shapes)
    arguments = {"x": np.arange(3, dtype=np.float32)}, np.float32(2)
    np.testing.assert_array_equal(double(*arguments), [0, 2, 4])
    assert traced == [(3,)]
    double({"x": np.zeros(4, np.float32)}, np.float32(2))
    assert traced == [(3,), (4,)]


def test_float64_has_a_program_of_its_own():
    @CompiledOnce
    def half(x):
        return x.astype(float) / 2

    assert half(np.ones((), np.int32)).dtype == np.float32
    with jax.enable_x64(True):
        assert half(np.ones((), np.int32)).dtype == np.float64
    assert half(np.ones((), np.int32)).dtype == np.float32


def test_a_function_that_cannot_be_compiled_fails_for_its_caller_alone():
    @CompiledOnce
    def fail(x):
        raise ValueError("no")

    done, background = threading.Event(), Background()
    background.add(lambda: fail.compile(np.zeros(1, np.float32)))
    background.add(done.set)  # the task after the one that failed
    assert done.wait(10)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            fail(np.zeros(1, np.float32))


def test_stopping_waits_for_the_running_task_and_gives_up_the_others():
    background, began, go_on, ran = Background(), threading.Event(), threading.Event(), []

    def slow():
        began.set()
        go_on.wait(10)
        ran.append("slow")

    background.add(slow)
    background.add(lambda: ran.append("later"))
    assert began.wait(10)
    threading.Timer(0.05, go_on.set).start()
    background.stop()
    assert ran == ["slow"]
    done = threading.Event()
    background.add(done.set)  # it may be used again
    assert done.wait(10)
