"""The largest batch for a TPU, with a stand-in for the compiler."""

from pathlib import Path

import pytest

from benchmarks import tpu_batch
from fomm_jax.errors import InputError

# ml_collections loads configuration files with a method that Python will remove.
pytestmark = pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")

REPORT = """\
Memory Space: default (color=0)
Total bytes: 15205548544 (14.16GiB)
  cumulative_size;       size;       offset; used_by_n_values; shapes_list
"""


def test_memory_in_a_report_of_the_compiler():
    assert tpu_batch.total_bytes(REPORT) == 15205548544
    with pytest.raises(InputError, match="has no line «Total bytes»"):
        tpu_batch.total_bytes("")


CONFIG = f"--config={Path(__file__).parents[2] / 'configs' / 'tiny.py'}"

# Stands in for compile_for_tpu: 32 pairs are reported and go on compiling, 64 do not fit.
COMPILER = f"""\
import os, pathlib, re, sys, time

batch = sys.argv[2]
assert sys.argv[3:] == ["--topology=v6e:2x4", {CONFIG!r}, "--config.train.remat=True"], sys.argv
if batch == "--batch=64":
    print("| does not fit | RESOURCE_EXHAUSTED |")
    sys.exit(1)
if batch != "--batch=32":
    sys.exit("fails")
folder = pathlib.Path(re.search(r"--xla_dump_to=(\\S+)", os.environ["XLA_FLAGS"])[1])
name = "module_3.jit_train_step.cl_1.after_optimizations"
(folder / f"{{name}}-memory-usage-report.txt").write_text({REPORT!r})
(folder / f"{{name}}_after_buffer_assignment.txt").touch()
time.sleep(600)
"""


def test_table_of_batches(tmp_path, monkeypatch, capsys):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    (tmp_path / "benchmarks" / "compile_for_tpu.py").write_text(COMPILER)
    monkeypatch.chdir(tmp_path)
    arguments = [CONFIG, "--topology=v6e:2x4", "--config.train.remat=True"]
    tpu_batch.main(["--batches=32,64", *arguments])
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| 32 | 15.21 GB |",
        "| 64 | does not fit |",
    ]
    with pytest.raises(SystemExit):
        tpu_batch.main(["--batches=16", *arguments])
    with pytest.raises(SystemExit):
        tpu_batch.main(["--batches=0", *arguments])
