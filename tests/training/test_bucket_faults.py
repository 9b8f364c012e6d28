"""A bucket that refuses, resets, is late or is not there, between a run and its workdir."""

import itertools
import re
import time

import pytest
from bucket_proxy import faulty
from bucket_server import variables
from three_number_run import EVERY

from fomm_jax.reporting.events import read_curves
from fomm_jax.weights.find_checkpoint import find_checkpoint

LONGEST_SILENCE = 60.0  # seconds between two lines, while a bucket does not answer

REASONS = {
    503: "the bucket {} goes on to answer 503",
    429: "the bucket {} goes on to answer 429",
    403: "no permission in the bucket {}",
    401: "credentials are missing or have expired",
}


def start_and_save(start, url, workdir, faults, num_steps):
    """Start a run, and return it when its first checkpoint is in the bucket."""
    run = start(workdir, variables(url), num_steps)
    last = f"%2Fcheckpoints%2F{EVERY}%2Fchecksums.json"
    run.wait_for(lambda: any(last in str(request) for request in faults.requests))
    return run


@pytest.mark.slow
@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"reset": True}, {"delay": 1}])
def test_a_run_rides_out_a_fault_that_passes(bucket, bucket_server, start, fault):
    with faulty(bucket_server) as (url, faults):
        run = start_and_save(start, url, f"{bucket}/W", faults, num_steps=400)
        vars(faults).update(fault)
        time.sleep(5)
        vars(faults).update(status=0, reset=False, delay=0.0)
        assert run.end()[0] == 0, run.text()
    if "delay" not in fault:
        assert faults.met > 0
        told = [line for _, line in run.lines if line.endswith("; trying again")]
        assert told, run.text()
        assert all(line.startswith("warning: the bucket does not answer") for line in told)
    assert find_checkpoint(f"{bucket}/W").name == "400"
    assert [*read_curves(f"{bucket}/W")["perceptual"]] == [*range(1, 401)]


@pytest.mark.slow
@pytest.mark.parametrize("status", [503, 429, 403, 401])
def test_a_run_ends_in_one_line_when_a_fault_lasts(bucket, bucket_server, start, status):
    with faulty(bucket_server) as (url, faults):
        run = start_and_save(start, url, f"{bucket}/W", faults, num_steps=100_000)
        faults.status, begun = status, time.monotonic()
        code, last = run.end()
        print(f"{status}: the run ended after {time.monotonic() - begun:.0f} s")
    assert code == 2, run.text()
    reason = REASONS[status].format(bucket.removeprefix("gs://"))
    assert re.fullmatch(rf"main\.py: {bucket}/W\S*: cannot be written \({reason}.*\)", last)
    assert "Traceback" not in run.text()
    moments = [begun, *(moment for moment, _ in run.lines if moment > begun)]
    silences = [after - before for before, after in itertools.pairwise(moments)]
    assert max(silences) < LONGEST_SILENCE
    checkpoint = find_checkpoint(f"{bucket}/W")
    again = start(f"{bucket}/W", variables(bucket_server), int(checkpoint.name) + 5)
    assert again.end()[0] == 0
    assert f"from {checkpoint}" in again.text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workdir", "environment", "reason"),
    [
        ("gs://no-such-bucket/W", {}, "there is no bucket no-such-bucket"),
        (
            "gs://some-bucket/W",
            {
                "STORAGE_EMULATOR_HOST": "",
                "HOME": "/nonexistent",
                "GOOGLE_APPLICATION_CREDENTIALS": "",
                "CLOUDSDK_CONFIG": "/nonexistent",
            },
            "credentials are missing or have expired; expected those of",
        ),
    ],
)
def test_a_run_that_cannot_begin_says_why(bucket_server, start, workdir, environment, reason):
    begun = time.monotonic()
    run = start(workdir, variables(bucket_server) | environment, num_steps=5)
    status, last = run.end()
    assert status == 2, run.text()
    assert last.startswith(f"main.py: {workdir}")
    assert reason in last
    assert time.monotonic() - begun < LONGEST_SILENCE
