"""How often Orbax tries again where a bucket refuses for the moment."""

from orbax.checkpoint._src.serialization import tensorstore_utils

# Half a minute in all, as gcsfs does. TensorStore by itself would try 32 times, without a word, for
# a quarter of an hour.
RETRIES = {"max_retries": 6, "max_delay": "8s"}


def limit_retries() -> None:
    """Make Orbax give up after `RETRIES`; it has no option of its own for this."""
    for name in ("_BASE_TS_CONTEXT", "_DEFAULT_OCDBT_TS_CONTEXT"):
        vars(tensorstore_utils).get(name, {})["gcs_request_retries"] = RETRIES
