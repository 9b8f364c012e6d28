"""Tests here encode AV1, whose encoder changes the process that uses it."""

import os

import pytest


@pytest.fixture(autouse=True)
def ordinary_priority():
    """Take back the real-time priority that SVT-AV1 gives to its process where root runs it.

    Processes that later tests start would inherit it: a browser at this priority never ended,
    because its waiting threads kept the others from the cores.
    """
    yield
    if hasattr(os, "sched_setscheduler"):  # Linux
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
