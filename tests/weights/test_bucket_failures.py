"""What a bucket's refusal is in words, and how long libraries try."""

import pytest
from orbax.checkpoint._src.serialization import tensorstore_utils

from fomm_jax.buckets import TENSORSTORE_RETRIES, describe_failure
from fomm_jax.weights.bucket_retries import limit_retries


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
