"""Constant and other rates of frames."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fomm_jax.media.reading.frame_times import constant_rate, steady_counts, steady_rate, usual_rate

RATES = [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(60), Fraction(1, 2)]
MILLISECOND = 1e-3


def even(rate, num_frames):
    return np.arange(num_frames + 1) / float(rate)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("tick", [1e-3, 1 / 90000])
def test_rounded_times_have_the_stated_rate(rate, tick):
    """Matroska rounds to milliseconds, and another container may have taken over such times."""
    times = np.round(even(rate, 1000), 3)
    assert constant_rate(times, [None, Fraction(50), rate], tick) == rate
    assert float(constant_rate(times, [], tick)) == pytest.approx(float(rate), rel=1e-4)


def test_a_wrong_statement_is_not_believed():
    assert constant_rate(even(30, 90), [Fraction(15), Fraction(60)], MILLISECOND) == 30


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("tick", [1 / 25, 1e-3])
def test_one_lost_frame_or_a_long_last_one_is_no_constant_rate(rate, tick):
    times = even(rate, 1000)
    for lost in (1, 500, 998):
        assert constant_rate(np.delete(times, lost), [rate], tick) is None
    assert constant_rate(np.append(times[:-1], times[-1] + 2), [rate], tick) is None


@pytest.mark.parametrize("deviation", [0.003, 0.012])
def test_a_deviation_that_rounding_does_not_explain_is_kept(deviation):
    times = even(25, 50)
    times[20] += deviation
    assert constant_rate(times, [Fraction(25)], MILLISECOND) is None


def test_the_usual_rate_is_that_of_most_frames():
    times = np.round(np.cumsum([0] + [1 / 30] * 40 + [0.1] * 30 + [5]), 3)
    assert float(usual_rate(times)) == pytest.approx(30, rel=0.002)
    assert usual_rate(np.array([0, 0.5])) == 2
    assert usual_rate(np.array([0, 1.0, 1e6])) == 1


def test_a_frame_that_stands_for_an_hour_has_no_rate_that_a_film_cannot_have():
    times = np.array([0, 3600.0])
    assert constant_rate(times, [Fraction(1, 3600)], MILLISECOND) is None
    assert usual_rate(times) == Fraction(1, 1001)


INTERVALS = st.lists(st.floats(0.001, 3), min_size=1, max_size=30)


@given(INTERVALS)
def test_frames_at_a_steady_rate_stay_near_their_times(intervals):
    times = np.append(0, np.cumsum(intervals))
    rate = steady_rate(times)
    assert 25 <= rate <= 60
    counts = steady_counts(times, rate)
    assert counts.min() >= 0
    shown = np.append(0, np.cumsum(counts)) / float(rate)
    np.testing.assert_allclose(shown, times, atol=0.5 / float(rate) + 1e-9)


def test_a_steady_rate_shows_all_frames_if_it_can():
    times = np.cumsum([0] + [1 / 30] * 30 + [0.1] * 30 + [1 / 30] * 30)
    assert steady_rate(times) == 30
    np.testing.assert_array_equal(np.unique(steady_counts(times, Fraction(30))), [1, 3])


def test_frames_of_one_instant_have_the_rate_of_the_last():
    assert usual_rate(np.array([0, 0, 0, 0.5])) == 2
