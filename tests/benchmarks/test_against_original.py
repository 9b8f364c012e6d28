"""The comparison with the original: the order of the measurements, ratios and words."""

import dataclasses
import os

import pytest

from benchmarks import against_original, one_side
from benchmarks.against_original import Comparison, table
from benchmarks.one_side import Figures, Side
from fomm_jax.errors import InputError

# ml_collections loads configuration files with a method that Python will remove.
pytestmark = pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")

EAGER, COMPILED = ("original", False), ("original", True)
FLOAT32, BFLOAT16 = ("ours", False), ("ours", True)


def figures(*seconds, **changes):
    measured = Figures(
        seconds=list(seconds),
        first_seconds=9.0,
        peak_memory_bytes=2_000_000_000,
        peak_memory_of="process",
        platform="cpu",
        device="cpu",
        version="JAX 1",
    )
    return dataclasses.replace(measured, **changes)


def test_ratios_are_of_the_medians_round_by_round():
    rounds = {EAGER: [figures(6, 60, 8), figures(3)], BFLOAT16: []}
    rounds[FLOAT32] = [figures(2), figures(9, 4, 6)]
    comparison = Comparison("training", 2, rounds)
    assert comparison.ratios(original_bfloat16=False, our_bfloat16=False) == [4, 0.5]
    assert comparison.ratios(original_bfloat16=False, our_bfloat16=True) == []


def test_share_is_flops_per_second_over_the_rate():
    def share(*rounds):
        return Comparison("training", 2, {BFLOAT16: list(rounds)}).share_of_rate()

    fast = figures(2, flops=100.0, matrix_rate=200.0)
    assert share(fast) == 0.25
    assert share(fast, figures(1, flops=100.0, matrix_rate=200.0), fast) == 0.25
    assert share(figures(2)) is None


def test_table_states_what_was_not_measured():
    rounds = {EAGER: [figures(6), figures(9)], COMPILED: [], BFLOAT16: []}
    rounds[FLOAT32] = [figures(4), figures(3)]
    assert table([Comparison("training", 2, rounds)]).splitlines() == [
        "training, pairs a step: 2",
        "  original, eager, float32: 7.5 s a step (6 to 9), 0.2667 pairs/s,"
        " 2.0 GB of the process; cpu, JAX 1",
        "  original, compiled, bfloat16: not measured",
        "  ours, float32: 3.5 s a step (3 to 4), 0.5714 pairs/s, 2.0 GB of the process; cpu, JAX 1",
        "  ours, bfloat16: not measured",
        "  time of (original, eager, float32) over (ours, float32):"
        " 1.50, 3.00; median 2.25 (1.50 to 3.00)",
        "  time of (original, eager, float32) over (ours, bfloat16): not measured",
        "  time of (original, compiled, bfloat16) over (ours, bfloat16): not measured",
        "  share of the chip's bfloat16 rate that ours, bfloat16 has: not measured",
    ]


@pytest.fixture
def clone(tmp_path):
    """A folder that looks like a clone of the original."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "generator.py").touch()
    return tmp_path


@pytest.fixture
def thin_plate_clone(tmp_path):
    """A folder that looks like a clone of the thin-plate spline model's original."""
    folder = tmp_path / "tpsmm" / "modules"
    folder.mkdir(parents=True)
    (folder / "inpainting_network.py").touch()
    return folder.parent


def test_the_clone_decides_which_model_is_measured(clone, thin_plate_clone):
    pytest.importorskip("torch", reason="the original needs it")

    def checked(path, *more):
        options = against_original.parse_options([f"--original={path}", *more])
        against_original.check_options(options)
        return options.config

    assert checked(clone) == "configs/vox_256.py"
    assert checked(thin_plate_clone) == "configs/tpsmm_vox_256.py"
    assert checked(thin_plate_clone, "--config=configs/tpsmm_ted_384.py").endswith("384.py")
    message = r"is a clone of Thin-Plate-Spline-Motion-Model, .* expected that of the first-order"
    with pytest.raises(InputError, match=rf"^--original, --config: .*tpsmm {message} model"):
        checked(thin_plate_clone, "--config=configs/vox_256.py")


def turns(monkeypatch, clone, platforms, *more):
    """Return the order of the measurements and the comparisons, with a stand-in for the runs."""
    order = []

    def run(side, environment):
        order.append((side.task, side.batch, side.who, side.bfloat16))
        assert environment["JAX_COMPILATION_CACHE_DIR"]
        return figures(1.0, platform=platforms[side.who])

    monkeypatch.setattr(against_original, "run", run)
    options = against_original.parse_options([f"--original={clone}", "--rounds=2", *more])
    return order, against_original.compare(options)


def test_sides_take_turns_and_bfloat16_is_for_gpus(monkeypatch, clone):
    on_cpu = {"original": "cpu", "ours": "cpu"}
    order, comparisons = turns(monkeypatch, clone, on_cpu, "--frames=4")
    pair = [("original", False), ("ours", False)]
    assert order == [
        (task, batch, *side)
        for task, batch in [("training", 2), ("animation", 4), ("animation", 1)]
        for side in pair * 2
    ]
    assert [len(comparisons[0].rounds[form]) for form in (EAGER, COMPILED, FLOAT32)] == [2, 0, 2]

    on_gpu = {"original": "gpu", "ours": "gpu"}
    order, _ = turns(monkeypatch, clone, on_gpu, "--tasks", "training")
    assert [side[2:] for side in order] == [EAGER, COMPILED, FLOAT32, BFLOAT16] * 2
    order, _ = turns(monkeypatch, clone, on_gpu, "--tasks", "training", "--no-bfloat16")
    assert [side[2:] for side in order] == [EAGER, FLOAT32] * 2


def test_sides_on_different_devices_are_refused(monkeypatch, clone):
    with pytest.raises(InputError, match="on different devices"):
        turns(monkeypatch, clone, {"original": "gpu", "ours": "cpu"})


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--original=none", "--original: none: expected a clone of first-order-model or Thin-"),
        ("--rounds=0", "--rounds is 0"),
        ("--threads=0", "--threads is 0"),
        (f"--threads={os.cpu_count() + 1}", f"--threads is {os.cpu_count() + 1}; there are "),
        ("--json=none/figures.json", "--json: there is no folder none"),
        ("--config=configs/none.py", "--config: there is no file configs/none.py"),
    ],
)
def test_bad_option_ends_in_one_line(option, expected, clone, capsys):
    pytest.importorskip("torch", reason="the original needs it")
    with pytest.raises(SystemExit) as leaving:
        against_original.main([f"--original={clone}", option])
    assert leaving.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f": {expected}" in line


def test_rate_counts_a_multiplication_and_an_addition_each(monkeypatch):
    def timed(step):
        step()
        return 0.5

    monkeypatch.setattr(one_side, "timed", timed)
    assert one_side.matrix_rate(size=16) == 10 * (16 * 16) * (16 + 16) / 0.5


SIDE = Side("ours", "animation", False, "configs/tiny.py", "none", 1, steps=2, threads=1)


def test_failure_of_a_side_is_one_line():
    with pytest.raises(InputError, match=r"^ours, float32: .*there is no file configs/none\.py$"):
        against_original.run(dataclasses.replace(SIDE, config="configs/none.py"), os.environ)


@pytest.mark.slow
def test_side_in_a_process_of_its_own():
    measured = against_original.run(SIDE, os.environ | {"XLA_FLAGS": ""})  # one device
    assert len(measured.seconds) == 2
    assert measured.first_seconds > max(measured.seconds) > 0
    assert measured.platform == "cpu"
