"""Arrays are compared and judged correctly, and the table and JSON contain the results."""

import json

import numpy as np
import pytest

from fomm_jax.parity.results import ComparedLosses, Comparison, compare_arrays
from fomm_jax.parity.results_text import format_table, write_json


def test_differences_and_verdicts():
    original = np.array([1.0, -4.0, 2.0])
    near = original + np.array([0, 0.002, 0])
    absolute = compare_arrays("a", near, original, 1e-3)
    assert (absolute.absolute, absolute.relative) == pytest.approx((0.002, 0.0005))
    assert absolute.verdict == "OVER"
    assert compare_arrays("a", near, original, 1e-3, is_relative=True).verdict == "ok"
    assert compare_arrays("a", original + 9, original, None).verdict == "shown"


@pytest.mark.parametrize(("level", "verdict"), [(0, "ok"), (1e-12, "OVER")])
def test_relative_differences_from_zero(level, verdict):
    array = compare_arrays("a", np.full(3, level), np.zeros(3), 1e-9, is_relative=True)
    assert array.verdict == verdict


@pytest.mark.parametrize(
    "values", [np.zeros(2), np.array([1, np.nan, 2]), np.array([1, np.inf, 2])]
)
def test_other_shapes_and_values_that_are_not_finite_are_over(values):
    assert compare_arrays("a", values, np.array([1.0, 0.0, 2.0]), 1e9).verdict == "OVER"


def test_the_table_has_a_line_for_each_array():
    arrays = [
        compare_arrays("one", np.ones(1), np.ones(1), 1e-4),
        compare_arrays("two", np.ones(1), np.zeros(1), None),
    ]
    header, first, second = format_table(arrays).splitlines()
    assert header.split() == ["array", "largest", "difference", "relative", "tolerance", "verdict"]
    assert first.split() == ["one", "0.0e+00", "0.0e+00", "1e-04", "ok"]
    assert second.split() == ["two", "1.0e+00", "inf", "shown"]


def test_json_has_null_for_numbers_that_are_not_finite(tmp_path):
    arrays = [compare_arrays("a", np.full(1, np.nan), np.ones(1), 1e-4)]
    losses = [ComparedLosses("float64", i, 2.0, np.nan, np.inf, 1e-6) for i in range(2)]
    write_json({"set": Comparison(arrays, [], losses)}, tmp_path)
    written = json.loads((tmp_path / "comparison.json").read_text(), parse_constant=pytest.fail)
    assert written["set"]["rows"][0]["absolute"] is None
    assert written["set"]["rows"][0]["verdict"] == "OVER"
    assert written["set"]["losses"][1] == {
        "run": "float64", "step": 1, "original": 2.0, "ours": None, "difference": None,
        "tolerance": 1e-6,
    }  # fmt: skip
