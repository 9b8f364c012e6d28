"""The report on a GPU: its plan, what it does with failures and lack of time, its Markdown."""

import json
import os

import pytest

from benchmarks import gpu_report, processes
from benchmarks.gpu.machine import Machine
from benchmarks.gpu.plan import Outcome, Part, carry_out, make_plan
from benchmarks.gpu.tables import goals, markdown, table
from benchmarks.processes import OutOfMemory, run_module
from fomm_jax.errors import InputError

# ml_collections loads configuration files with a method that Python will remove.
pytestmark = pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")

GPU = Machine("gpu", "H", "0.10", "2.6", True, 1e12, {"training": 1e9, "animation": 1e8})


@pytest.fixture
def plan(tmp_path):
    options = gpu_report.parse_options([f"--output={tmp_path}", f"--original={tmp_path}"])
    options.threads = 1
    return make_plan(options, "")


def side(plan, name):
    (part,) = [part for part in plan if part.name == name]
    return part


def measured(part, milliseconds, platform="gpu"):
    figures = {
        "seconds": [milliseconds / 1000] * 3,
        "first_seconds": 9.0,
        "peak_memory_bytes": 2_000_000_000,
        "peak_memory_of": "device",
        "platform": platform,
    }
    return Outcome(part, "measured", 10.0, figures)


def test_plan_has_every_precision_and_the_goals_come_first(plan):
    names = [part.name for part in plan]
    assert len(set(names)) == len(names)
    assert names[:4] == [
        "training, ours, bfloat16, 16 pairs",
        "training, original, eager, TF32, 16 pairs",
        "animation, ours, bfloat16, 16 frames",
        "animation, ours, bfloat16, one frame",
    ]
    for precision in ("float32", "TF32", "bfloat16"):
        series = [part for part in plan if part.series == f"training, ours, {precision}"]
        batches = [part.argument["batch"] for part in series]
        assert batches == [16, 32, 64, 128, 256, 512, 1024]
    settings = {part.form: part.argument["tf32"] for part in plan if "who" in part.argument}
    assert settings["ours, float32"] is settings["original, eager, float32"] is False
    assert settings["ours, TF32"] is settings["original, eager, TF32"] is True
    assert settings["original, compiled, bfloat16"] is None


def test_without_the_original_one_row_gives_the_reason(tmp_path):
    options = gpu_report.parse_options(["--output=o", "--parts", "original", "input"])
    reason = gpu_report.why_no_original(options, GPU)
    parts = make_plan(options, reason)
    assert [(part.name, part.skip) for part in parts] == [
        ("the wait for input", ""),
        ("the original", "--original was not given"),
    ]
    options.original = tmp_path
    assert gpu_report.why_no_original(options, GPU) == ""
    assert "JAX on the other device" in gpu_report.why_no_original(
        options, Machine("gpu", "H", "0.10", "2.6", torch_on_gpu=False)
    )
    without = Machine("gpu", "H", "0.10")
    assert gpu_report.why_no_original(options, without) == "torch is not installed"


def outcomes_of(results, seconds, budget):
    """Carry out parts whose results, or exceptions, are given by (series, size)."""
    clock = [0.0]

    def measure(part, left):
        clock[0] += min(seconds, left)
        result = results[part.series, part.argument["batch"]]
        if isinstance(result, Exception):
            raise result
        return result

    parts = [Part(f"{s} {b}", "training", s, "m", {"batch": b}) for s, b in results]
    outcomes = carry_out(parts, measure, lambda: budget - clock[0])
    return [(outcome.part.name, outcome.state, outcome.reason) for outcome in outcomes]


def test_out_of_memory_ends_a_series_and_a_failure_ends_nothing():
    results = {
        ("a", 1): {"x": 1},
        ("b", 1): InputError("is broken"),
        ("a", 2): OutOfMemory("too large"),
        ("b", 2): {"x": 1},
        ("a", 4): {"x": 1},
        ("b", 4): {"x": 1},
    }
    assert outcomes_of(results, seconds=1, budget=1000) == [
        ("a 1", "measured", ""),
        ("b 1", "failed", "is broken"),
        ("a 2", "out of memory", "too large"),
        ("b 2", "measured", ""),
        ("b 4", "measured", ""),
    ]


def test_parts_that_do_not_fit_the_time_are_named():
    results = {(series, size): {"x": 1} for size in (1, 2, 4) for series in "ab"}
    assert outcomes_of(results, seconds=30, budget=115) == [
        ("a 1", "measured", ""),
        ("b 1", "measured", ""),
        ("a 2", "measured", ""),
        ("b 2", "left out", "about 30 s are needed, and 25 s were left"),
        ("a 4", "left out", "about 30 s are needed, and 25 s were left"),
    ]


def test_goals_compare_sides_at_one_batch(plan):
    outcomes = [
        measured(side(plan, "training, ours, bfloat16, 16 pairs"), 40),
        measured(side(plan, "training, ours, bfloat16, 32 pairs"), 64),
        measured(side(plan, "training, original, eager, TF32, 16 pairs"), 160),
        measured(side(plan, "animation, ours, bfloat16, 64 frames"), 32),
        measured(side(plan, "animation, ours, bfloat16, one frame"), 4),
    ]
    figures = [row["measured"] for row in goals(outcomes, GPU)]
    # 32 pairs in 64 ms of 1 GFLOP each are 0.5 TFLOP/s of 1.
    assert figures == pytest.approx([4.0, None, 0.5, 2000.0, 4.0])


def test_markdown_names_what_is_there_and_what_is_missing(plan):
    part = side(plan, "training, ours, TF32, 32 pairs")
    kernels = {
        "parts": {"generator": 0.003, "perceptual": 0.001},
        "operations": [
            {"scope": "a/conv", "kind": "fusion", "result": "f32[2]", "source": "x.py:1"}
            | {"seconds": 0.003}
        ],
        "kernels": {"sm90_gemm|x": 0.002},
        "reason": "",
    }
    text = markdown(
        [
            measured(side(plan, "training, ours, bfloat16, 16 pairs"), 40),
            Outcome(part, "out of memory", 5.0, reason="RESOURCE_EXHAUSTED: 99 GiB"),
            Outcome(side(plan, "the costliest kernels"), "measured", 9.0, kernels),
        ],
        GPU,
        "tiny on H",
    )
    for line in (
        "# tiny on H",
        "| ours, TF32 | 32 | out of memory |  |  |  |  |",
        "| ours, bfloat16 | 16 | 40 (40 to 40) | 400 | 2.0 GB of the device | 40.0% | 9.0 s |",
        "| training: share of the measured bfloat16 rate | at least 0.4 | 0.4 | yes |",
        "| animation, ms for one frame | at most 5 | not measured |  |",
        "| generator | 3 | 75.0% |",
        "| conv f32[2] | fusion | x.py:1 | 3 | 75.0% |",
        r"| sm90_gemm\|x | 2 |",
        f"| {part.name} | out of memory | RESOURCE_EXHAUSTED: 99 GiB |",
    ):
        assert line in text.splitlines(), line
    assert table(("a",), [("b",)]) == "| a |\n| --- |\n| b |"


@pytest.mark.parametrize(
    ("status", "errors", "kind", "message"),
    [
        (1, "Traceback\njax.errors.JaxRuntimeError: RESOURCE_EXHAUSTED: Out\n", OutOfMemory, "RES"),
        (1, "x\ntorch.OutOfMemoryError: CUDA out of memory.\nnote\n", OutOfMemory, "CUDA"),
        (-9, "", OutOfMemory, "was killed"),
        (1, "Traceback\n  f()\nValueError: no\n--\n", InputError, "ValueError: no"),
        (2, "one_side: nothing there\n", InputError, "nothing there"),
        (-11, "", InputError, "signal 11"),
        (1, "", InputError, "without a message"),
    ],
)
def test_failure_of_a_process_is_one_line(status, errors, kind, message):
    error = processes._failure(status, errors)
    assert type(error) is kind
    assert message in str(error)
    assert "\n" not in str(error)


def test_process_that_takes_too_long_is_ended():
    with pytest.raises(InputError, match="took longer than 0 s"):
        run_module("benchmarks.gpu.machine", {"config": "configs/tiny.py"}, os.environ, 0.01)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--minutes=0", "--minutes is 0"),
        ("--frames=1", "--frames is 1"),
        ("--original=none", "--original: none has no modules/model.py"),
        ("--videos=none", "--videos: there is no folder none"),
        ("--config=configs/none.py", "--config: there is no file configs/none.py"),
    ],
)
def test_bad_option_ends_in_one_line(option, expected, tmp_path, capsys):
    with pytest.raises(SystemExit) as leaving:
        gpu_report.main([f"--output={tmp_path}", option])
    assert leaving.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


@pytest.mark.slow
def test_whole_report_of_a_tiny_model(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")  # one device
    monkeypatch.setattr("benchmarks.gpu.plan.SIZES", 1)
    monkeypatch.setattr("benchmarks.gpu.plan.ANIMATION_SIZES", 1)
    sizes = ["--pairs=2", "--frames=2", "--steps=2", "--threads=1"]
    gpu_report.main([f"--output={tmp_path}", "--config=configs/tiny.py", *sizes, "--minutes=30"])
    report = json.loads((tmp_path / "report.json").read_text())
    states = {part["part"]["name"]: part["state"] for part in report["parts"]}
    assert states.pop("the original") == "skipped"
    assert set(states.values()) == {"measured"}
    assert "the wait for input" in states
    text = (tmp_path / "report.md").read_text()
    assert "## The costliest kernels" in text
    assert "## The wait for input" in text
