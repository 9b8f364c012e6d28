"""Fixtures of the tests that animate files."""

import importlib.util

import pytest
from brightener import write_grey


@pytest.fixture
def without_detector(monkeypatch):
    """Detecting faces takes time, and the pictures here have none."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.fixture
def source(tmp_path):
    return write_grey(tmp_path / "source.png", 50)
