"""The flags that set how outputs are marked as generated."""

import logging
import pathlib

from absl import flags

from fomm_jax.cli.path_flags import PATH
from fomm_jax.errors import InputError, naming
from fomm_jax.provenance.c2pa import load_credentials
from fomm_jax.provenance.mark import Marking
from fomm_jax.weights.hub import is_on_hub, parse_address

logger = logging.getLogger(__name__)

MARK = flags.DEFINE_boolean(
    "mark",
    True,
    "Write into each film and picture that a generative model made it; --nomark leaves this out.",
)
C2PA_CERTIFICATE = flags.DEFINE(
    PATH,
    "c2pa_certificate",
    None,
    "PEM file of the certificate that signs films and pictures, followed by the certificates that"
    " vouch for it (C2PA; needs c2pa-python).",
)
C2PA_KEY = flags.DEFINE(
    PATH, "c2pa_key", None, "PEM file of the private key of --c2pa_certificate."
)


def check_unused() -> None:
    """Raise an `InputError` if one of these flags is given, where nothing is generated."""
    for flag in flags.FLAGS.get_flags_for_module(__name__):
        if flag.present:
            raise InputError(
                f"--{flag.name}: expected with --mode=animate, reconstruct, demo or app"
            )


def read_marking(checkpoint: str | None) -> Marking | None:
    """Return how outputs are to be marked; None, after a line that says so, with --nomark.

    Args:
      checkpoint: the path of the model, or its address on the hub; None means the demo model.

    Raises:
      InputError: a flag lacks another one, or the files of the flags cannot sign anything.
    """
    certificate, key = C2PA_CERTIFICATE.value, C2PA_KEY.value
    if (certificate is None) != (key is None):
        raise InputError("--c2pa_certificate, --c2pa_key: expected both or neither")
    if not MARK.value:
        if certificate is not None:
            raise InputError("--nomark, --c2pa_certificate: expected one of them")
        logger.info("--nomark: outputs will not say that a generative model made them")
        return None
    with naming("--c2pa_certificate, --c2pa_key"):
        credentials = load_credentials(certificate, key) if certificate and key else None
    if checkpoint is None:
        model = "demo model"
    elif is_on_hub(checkpoint):
        model = parse_address(checkpoint).repository
    else:
        model = pathlib.Path(checkpoint).resolve().name
    return Marking(model=model, credentials=credentials)
