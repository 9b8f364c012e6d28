"""How often Orbax tries again where a bucket refuses for the moment."""

from orbax.checkpoint._src.serialization import tensorstore_utils

from fomm_jax.buckets import TENSORSTORE_RETRIES


def limit_retries() -> None:
    """Make Orbax give up after `TENSORSTORE_RETRIES`; it has no option of its own for this."""
    for name in ("_BASE_TS_CONTEXT", "_DEFAULT_OCDBT_TS_CONTEXT"):
        vars(tensorstore_utils).get(name, {})["gcs_request_retries"] = TENSORSTORE_RETRIES
