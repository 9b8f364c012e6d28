"""What a bucket's refusal is in words, and how long libraries try."""

import gc
import types

import jax
import numpy as np
import pytest
from bucket_proxy import faulty
from orbax.checkpoint._src.serialization import tensorstore_utils

from fomm_jax.buckets import TENSORSTORE_RETRIES, describe_failure, file_system
from fomm_jax.errors import InputError
from fomm_jax.weights import bucket_retries
from fomm_jax.weights.bucket_retries import limit_retries
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.restore import DamagedCheckpointError, restore_state
from fomm_jax.weights.train_state import TrainState


def test_orbax_gives_up_after_half_a_minute():
    limit_retries()
    for use_ocdbt in (True, False):
        context = tensorstore_utils.get_ts_context(use_ocdbt=use_ocdbt)
        assert context.spec.to_json()["gcs_request_retries"] == TENSORSTORE_RETRIES


# Written by TensorStore 0.1.86 where a server answered so, or did not answer.
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "ABORTED: All 6 retry attempts failed: Service Unavailable [http_response_code='503']",
            "the bucket b goes on to answer 503",
        ),
        (
            "PERMISSION_DENIED: Forbidden [http_response_code='403']",
            "no permission in the bucket b",
        ),
        (
            "PERMISSION_DENIED: Unauthorized [http_response_code='401']",
            "credentials are missing or have expired; expected those of `gcloud auth"
            " application-default login` or of a service account",
        ),
        (
            "NOT_FOUND: Not Found [http_response_code='404']",
            "there is no bucket b, or no such object in it",
        ),
        (
            "ABORTED: All 6 retry attempts failed: CURL error Could not connect to server"
            " [curl_code='7']",
            "the bucket b does not answer: ABORTED: All 6 retry attempts failed: CURL error Could"
            " not connect to server [curl_code='7']",
        ),
        ("INVALID_ARGUMENT: something else", None),
    ],
)
def test_errors_of_tensorstore_in_words(text, reason):
    assert describe_failure("gs://b/W", ValueError(text)) == reason


async def at_once(seconds):
    """Do not wait."""


def state_at(step):
    """Return a small state of training."""
    arrays = {"net": {"weights": jax.numpy.full(3, step, np.float32)}}
    return TrainState(jax.numpy.int32(step), arrays, arrays, arrays)


@pytest.fixture
def saved(bucket):
    """A checkpoint in a bucket, whose writer was killed before it wrote the checksums."""
    with Checkpoints(f"{bucket}/W", keep=1) as checkpoints:
        checkpoints.save(1, state_at(1), 0)
    (checkpoints.folder / "1" / "checksums.json").unlink()
    return checkpoints.folder / "1"


# Orbax leaves coroutines behind when it gives up.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize(
    ("part", "status"),
    [("W", 503), ("manifest.ocdbt", 503)],
)
def test_a_bucket_that_fails_is_no_damage(bucket_server, saved, monkeypatch, part, status):
    monkeypatch.setattr("gcsfs.retry.asyncio", types.SimpleNamespace(sleep=at_once))
    monkeypatch.setattr(
        bucket_retries, "TENSORSTORE_RETRIES", {"max_retries": 1, "initial_delay": "1ms"}
    )
    abstract = jax.eval_shape(lambda: state_at(0))
    with faulty(bucket_server) as (url, faults):
        monkeypatch.setenv("TENSORSTORE_GCS_HTTP_URL", url)
        monkeypatch.setattr(file_system(), "_endpoint", url)
        assert int(restore_state(saved, abstract).step) == 1
        faults.status, faults.matches = status, lambda method, path: part in path
        with pytest.raises(
            InputError, match=r"W/checkpoints/1: cannot be read \(.*the bucket"
        ) as e:
            restore_state(saved, abstract)
    assert not isinstance(e.value, DamagedCheckpointError)
    gc.collect()  # while the warning is ignored


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_missing_object_is_damage(saved):
    (data,) = (saved / "params" / "d").iterdir()
    data.unlink()
    with pytest.raises(DamagedCheckpointError, match="W/checkpoints/1: cannot be read"):
        restore_state(saved, jax.eval_shape(lambda: state_at(0)))
    gc.collect()
