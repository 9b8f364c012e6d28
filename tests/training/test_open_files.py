"""The limit of open files is raised, or refused where it cannot be."""

import resource

import pytest

from fomm_jax.errors import InputError
from fomm_jax.training.open_files import ENOUGH, NEEDED, allow_open_files

NO_LIMIT = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((256, NO_LIMIT), (ENOUGH, NO_LIMIT)),
        ((1024, 2048), (2048, 2048)),
        ((64, NEEDED), (NEEDED, NEEDED)),
        ((2 * ENOUGH, 4 * ENOUGH), None),
        ((NO_LIMIT, NO_LIMIT), None),
    ],
)
def test_the_limit_is_raised_as_far_as_it_may(monkeypatch, limits, expected):
    changes = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: changes.append(limits))
    allow_open_files()
    assert changes == ([expected] if expected else [])


def test_too_few_files_are_refused(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (64, 64))
    with pytest.raises(InputError, match="allows 64 open files; expected at least 128"):
        allow_open_files()


def test_worker_processes_need_more(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (160, 160))
    allow_open_files(num_workers=2)
    with pytest.raises(InputError, match="allows 160 open files; expected at least 176"):
        allow_open_files(num_workers=3)
