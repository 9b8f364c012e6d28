"""Cameras, and films in place of them."""

import time

import numpy as np
import pytest
from brightener import write_levels

from fomm_jax.errors import InputError
from fomm_jax.live.camera import open_camera


def test_a_film_plays_at_its_own_rate(tmp_path):
    film = write_levels(tmp_path / "film.mp4", [40, 80, 120, 160, 200, 240], fps=20)
    begin, times, levels = time.monotonic(), [], []
    for frame in open_camera(str(film)):
        times.append(time.monotonic() - begin)
        levels.append(frame.mean())
    np.testing.assert_allclose(levels, [40, 80, 120, 160, 200, 240], atol=2)
    assert (np.array(times) >= np.arange(6) / 20).all()


@pytest.mark.parametrize("name", [None, "/dev/video97"])
def test_a_missing_camera_is_one_line(name, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("fomm_jax.live.camera.enumerate_input_devices", lambda driver: [])
    with pytest.raises(
        InputError,
        match=r"^camera.*none is found|^camera /dev/video97: cannot be read \(No such file",
    ) as caught:
        open_camera(name)
    assert "\n" not in str(caught.value)
