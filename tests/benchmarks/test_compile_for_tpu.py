"""Figures from a compiled program's text, the estimates, and with libtpu a compilation."""

import importlib.util
import json

import jax
import pytest

from benchmarks import compile_for_tpu
from benchmarks.hlo import Collective, find_collectives, find_costs, hbm_bytes, size_of
from benchmarks.roofline import CHIPS, collective_seconds, estimate, scaling_efficiency

# ml_collections loads configuration files with a method that Python will remove.
pytestmark = pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")

# Shortened from the text of a small program that libtpu 0.0.42 compiled.
PROGRAM = """\
HloModule jit_step, is_scheduled=true, num_partitions=8

%add.6 (x.1: f32[], y.1: f32[]) -> f32[] {
  %x.1 = f32[]{:T(128)} parameter(0)
  %y.1 = f32[]{:T(128)} parameter(1)
  ROOT %sum.1 = f32[]{:T(128)} add(%x.1, %y.1)
}

%begin (param_0.82: bf16[1,512,2048]) -> (bf16[1,2048,2048], u32[]) {
  %param_0.82 = bf16[1,512,2048]{2,1,0:T(8,128)(2,1)S(1)} parameter(0)
  %all-gather.44 = bf16[1,2048,2048]{2,1,0:T(8,128)(2,1)} all-gather(%param_0.82), channel_id=26
  ROOT %custom-call.1 = (bf16[1,2048,2048]{2,1,0:T(8,128)(2,1)S(1)}, u32[]{:S(2)}) \
custom-call(%all-gather.44), custom_call_target="AsyncCollectiveStart"
}

%go_on (param_0.86: bf16[1,512,2048]) -> bf16[1,2048,2048] {
  %param_0.86 = bf16[1,512,2048]{2,1,0:T(8,128)(2,1)S(1)} parameter(0)
  ROOT %all-gather.46 = bf16[1,2048,2048]{2,1,0:T(8,128)(2,1)} all-gather(%param_0.86), \
channel_id=26
}

%all-reduce-scatter.3 (input.3: bf16[2048,2048]) -> bf16[528,2048] {
  %input.3 = bf16[2048,2048]{1,0:T(8,128)(2,1)} parameter(0)
  %all-reduce.11 = bf16[2112,2048]{1,0:T(8,128)(2,1)} all-reduce(%input.3), channel_id=21, \
replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%add.6
  ROOT %dynamic-slice.58 = bf16[528,2048]{1,0:T(8,128)(2,1)S(1)} dynamic-slice(%all-reduce.11)
}

ENTRY %main.1_spmd (param.7: f32[8], param.8: f32[3,3,64]) -> f32[8] {
  %param.7 = f32[8]{0:T(128)} parameter(0), metadata={op_name="state"}
  %param.8 = f32[3,3,64]{2,1,0:T(8,128)} parameter(1)
  %all-reduce.310 = (f32[8]{0:T(128)S(1)}, f32[3,3,64]{2,1,0:T(8,128)}) \
all-reduce(%param.7, %param.8), channel_id=139, \
replica_groups=mesh['axis_0'=8] {'axis_0'}, to_apply=%add.6
  %got.1 = f32[8]{0:T(128)S(1)} get-tuple-element(%all-reduce.310), index=0
  %fusion.2 = f32[8]{0:T(128)S(1)} fusion(%got.1), kind=kLoop, calls=%add.6, \
metadata={op_name="jit(step)/mul" stack_frame_id=9}, backend_config={"estimated_cycles":"1827"}
  %collective-permute-start = (f32[8]{0}, f32[8]{0}, u32[]{:S(2)}, u32[]{:S(2)}) \
collective-permute-start(%fusion.2), channel_id=1, source_target_pairs={{0,1},{1,2}}
  %collective-permute-done = f32[8]{0} collective-permute-done(%collective-permute-start)
  %collective-permute-start.1 = (f32[8]{0}, f32[8]{0}, u32[]{:S(2)}, u32[]{:S(2)}) \
collective-permute-start(%collective-permute-done), channel_id=1, source_target_pairs={{0,1}}
  %collective-permute-done.1 = f32[8]{0} collective-permute-done(%collective-permute-start.1)
  %all-gather-start.9 = (f32[8]{0}, f32[64]{0}) all-gather-start(%param.7), channel_id=30
  %all-gather-done.9 = f32[64]{0} all-gather-done(%all-gather-start.9)
  %reduce-scatter.1 = f32[8]{0} reduce-scatter(%all-gather-done.9), channel_id=31, to_apply=%add.6
  ROOT %add.9 = f32[8]{0} add(%reduce-scatter.1, %param.7), \
metadata={op_name="jit(step)/add"}, backend_config={"estimated_cycles":"90000"}
}
"""


def test_collectives_of_a_program():
    assert find_collectives(PROGRAM) == [
        # Two pieces of one collective, which counts with its result and not with its operand.
        Collective("all-gather", 2 * 2048 * 2048, overlapped=True),
        Collective("reduce-scatter", 2 * 2112 * 2048, overlapped=False, group=4),
        Collective("all-reduce", 4 * (8 + 3 * 3 * 64), overlapped=False),
        Collective("collective-permute", 4 * 8, overlapped=True),
        Collective("collective-permute", 4 * 8, overlapped=True),
        Collective("all-gather", 4 * 64, overlapped=True),
        Collective("reduce-scatter", 4 * 64, overlapped=False),
    ]


@pytest.mark.parametrize(
    ("groups", "size"),
    [
        ("{{0,1},{2,3},{4,5},{6,7}}", 2),
        ("[2,4]<=[8]", 4),
        ("[2,4]<=[4,2]T(1,0)", 4),
        ("mesh['axis_0'=2,'axis_1'=4,'axis_2'=1] {'axis_1'}, to_apply=%add.6", 4),
        ("mesh['axis_0'=2,'axis_1'=4] {'axis_0','axis_1'}", None),
    ],
)
def test_groups_of_a_collective(groups, size):
    text = (
        "HloModule jit_step, num_partitions=8\n\nENTRY %main () -> f32[8] {\n"
        f"  ROOT %sum = f32[8]{{0}} all-reduce(), channel_id=1, replica_groups={groups}\n}}\n"
    )
    assert find_collectives(text) == [Collective("all-reduce", 32, overlapped=False, group=size)]


def test_costliest_instructions_of_a_program():
    assert find_costs(PROGRAM) == [
        (90000, "f32[8]{0}", "jit(step)/add"),
        (1827, "f32[8]{0:T(128)S(1)}", "jit(step)/mul"),
    ]


def test_bytes_to_and_from_main_memory():
    all_reduce = (
        32 + 4 * 3 * 3 * 64 + 4 * 3 * 3 * 64
    )  # reads both; one of the results is in fast memory
    two_permutes, all_gather = 2 * 32, 256
    reduce_scatter, add = 256 + 32, 32 + 32 + 32
    assert hbm_bytes(PROGRAM) == all_reduce + two_permutes + all_gather + reduce_scatter + add


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ("f32[]{:T(128)}", 4),
        ("pred[3,5]{1,0:T(8,128)(4,1)}", 15),
        ("s4[3,5]{1,0}", 8),
        ("(bf16[2,3]{1,0:T(8,128)(2,1)S(1)}, s32[2]{0:S(4)}, u32[]{:S(2)})", 12 + 8 + 4),
        ("f8e4m3fn[10]{0}", 10),
        ("c64[10]{0}", 80),
        ("()", 0),
    ],
)
def test_bytes_of_a_shape(shape, size):
    assert size_of(shape) == size


def test_ring_formula():
    chip = CHIPS["v5e"]
    reduced = Collective("all-reduce", 240_000_000, overlapped=False)
    # 2 · 255/256 · 240 MB at 200 GB/s, and 2 · (15 + 15) hops of 1 µs.
    assert collective_seconds(chip, reduced, (16, 16)) == pytest.approx(2.390625e-3 + 60e-6)
    # 2 · 7/8 · 240 MB, and 2 · (1 + 3) hops.
    assert collective_seconds(chip, reduced, (2, 4)) == pytest.approx(2.1e-3 + 8e-6)
    # In rows of 4 chips: 2 · 3/4 · 240 MB, and 2 · 3 hops.
    in_groups = reduced._replace(group=4)
    assert collective_seconds(chip, in_groups, (16, 16)) == pytest.approx(1.8e-3 + 6e-6)
    all_gather = reduced._replace(kind="all-gather")
    assert collective_seconds(chip, all_gather, (2, 4)) == pytest.approx(1.05e-3 + 4e-6)


def test_step_takes_the_longer_of_compute_and_memory_and_communication_without_overlap():
    sent = Collective("all-reduce", 240_000_000, overlapped=False)
    hidden = sent._replace(overlapped=True)
    # 19.7 TFLOP at 197 TFLOP/s; 8.19 and 163.8 GB at 819 GB/s.
    bound_by_compute = estimate(CHIPS["v5e"], 19.7e12, 8.19e9, [sent, hidden], (2, 4))
    assert bound_by_compute == pytest.approx((0.1, 0.01, 2.108e-3))
    assert bound_by_compute.step == pytest.approx(0.102108)
    assert scaling_efficiency(bound_by_compute) == pytest.approx(0.1 / 0.102108)
    bound_by_memory = estimate(CHIPS["v5e"], 19.7e12, 163.8e9, [], (2, 4))
    assert bound_by_memory.step == pytest.approx(0.2)
    assert scaling_efficiency(bound_by_memory) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--topology=v9:2x4"], "--topology is v9:2x4; expected one of v5e, v5p, v6e"),
        (["--topology=v5e"], "--topology is v5e; expected one of"),
        (["--what=train,run"], "--what is train,run; expected some of"),
        (["--batch=0"], "--batch is 0"),
        (["--config.train.fsdp=0"], "config.train.fsdp: expected at least 1, got 0"),
        (["--config=configs/none.py"], "--config: there is no file configs/none.py"),
    ],
)
def test_bad_option_ends_in_one_line(options, expected, capsys):
    with pytest.raises(SystemExit) as leaving:
        compile_for_tpu.main(options)
    assert leaving.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f": {expected}" in line


def test_step_with_a_loop_is_refused(tmp_path, capsys):
    path = tmp_path / "in_parts.py"
    path.write_text(
        "from configs import tiny\n\ndef get_config():\n    config = tiny.get_config()\n"
        "    config.train.accumulate = 2\n    return config\n"
    )
    with pytest.raises(SystemExit):
        compile_for_tpu.main([f"--config={path}"])
    assert "config.train.accumulate is 2; expected 1" in capsys.readouterr().err


class RefusedProgram:
    """A lowered program that the compiler refuses with a message."""

    def __init__(self, message):
        self.message = message

    def compile(self):
        raise jax.errors.JaxRuntimeError(self.message)


def test_program_that_does_not_fit():
    counted, _ = compile_for_tpu.compile_and_count(
        "train",
        RefusedProgram("RESOURCE_EXHAUSTED: needs (93.22G)\n of 15.75G"),
        CHIPS["v5e"],
        (2, 4),
    )
    assert counted == {"fits": False, "reason": "RESOURCE_EXHAUSTED: needs (93.22G) of 15.75G"}
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        compile_for_tpu.compile_and_count("train", RefusedProgram("INTERNAL"), CHIPS["v5e"], (2, 4))


@pytest.mark.skipif(importlib.util.find_spec("libtpu") is not None, reason="libtpu is there")
def test_missing_compiler_ends_in_one_line(capsys):
    with pytest.raises(SystemExit) as leaving:
        compile_for_tpu.main([])
    assert leaving.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "libtpu, the compiler, is not installed; install 'jax[tpu]==" in line


@pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="libtpu, the compiler, is not installed"
)
def test_animation_is_compiled_for_tpu(capsys):
    compile_for_tpu.main(["--config=configs/tiny.py", "--what=animate", "--batch=2"])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report["chips"] == 8
    assert report["config"] == "configs/tiny.py"
    animation = report["animate"]
    assert animation["fits"]
    assert animation["batch_per_chip"] == 2
    assert animation["collectives"] == []
    # At least the weights of the networks, and no more than a chip has.
    assert 1e5 < animation["memory_bytes"] < CHIPS["v5e"].hbm
    assert animation["flops"] == pytest.approx(
        animation["flops_per_hbm_byte"] * animation["hbm_bytes"]
    )
    assert animation["hbm_bytes"] < animation["bytes_accessed"]
    assert animation["cycles"] == sum(animation["cycles_by_part"].values()) > 0
    assert {"kp_detector", "dense_motion", "generator"} <= animation["cycles_by_part"].keys()
    assert animation["estimated_seconds"]["step"] > 0
