"""C2PA manifests: a signed statement of who made a file and of what, which reveals later changes.

This is the only module that uses the package c2pa-python, which is optional. It never uses the
network: it fetches no time stamps, remote manifests or lists of revoked certificates.
"""

import dataclasses
import datetime
import hashlib
import io
import json
import mimetypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import imageio.v3 as iio
import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.files import reading, replacing
from fomm_jax.provenance.mark import SOFTWARE, Credentials, Marking, SourceType, find_source_type

_SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},  # the ingredients may be private
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
_UNKNOWN_FORMAT = "application/octet-stream"
_TYPES = {
    ".mp4": "video/mp4",
    ".gif": "image/gif",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The contents of a file's newest C2PA manifest, and the result of checking it."""

    signer: str | None = None
    source_types: tuple[str, ...] = ()  # terms of the IPTC's vocabulary
    ingredients: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # the codes that C2PA gives to failed checks

    @property
    def is_trusted(self) -> bool:
        """Whether c2pa-python has the signer's certificate in its list of trusted ones."""
        return "signingCredential.untrusted" not in self.problems

    @property
    def is_valid(self) -> bool:
        """Whether the signature is valid and the file unchanged, whoever signed it."""
        return not set(self.problems) - {"signingCredential.untrusted"}

    @property
    def is_changed(self) -> bool:
        """Whether the file or the manifest was changed after it was signed."""
        return any(problem.endswith(".mismatch") for problem in self.problems)


def is_installed() -> bool:
    """Tell whether c2pa-python is there, so that manifests can be written and checked."""
    try:
        import c2pa  # noqa: F401
    except (ImportError, RuntimeError):  # RuntimeError if its compiled library does not load
        return False
    return True


def load_credentials(
    certificate: str | os.PathLike[str], key: str | os.PathLike[str]
) -> Credentials:
    """Read a certificate and its key, and try to sign with them.

    Args:
      certificate: the PEM file of the signer's certificate, followed by the certificates that vouch
        for it. C2PA requires the key usage "digital signature" and an extended key usage such as
        "email protection".
      key: the PEM file of the private key, without a password.

    Raises:
      InputError: c2pa-python is not installed, a file cannot be used, or C2PA refuses the pair.
    """
    if not is_installed():
        raise InputError(
            "signing needs the package c2pa-python; expected an installation with the extra c2pa"
        )
    certificate_text, key_text = _read_pem(certificate), _read_pem(key)
    credentials = Credentials(certificate_text, key_text, _choose_algorithm(key_text, key))
    _check_dates(credentials, certificate)
    pixel = np.zeros((1, 1), np.uint8)
    picture = iio.imwrite("<bytes>", pixel, plugin="pillow", extension=".png", is_batch=False)
    with io.BytesIO(picture) as file, io.BytesIO() as signed:
        try:
            _sign(file, signed, "image/png", Marking("", credentials=credentials))
        except InputError as error:
            raise InputError(
                f"{certificate}, {key}: cannot sign ({error}); expected the key of the certificate,"
                " and a certificate for signing with the key usages that C2PA requires"
            ) from error
    return credentials


def _read_pem(path: str | os.PathLike[str]) -> str:
    with reading(path, "expected PEM"):
        return Path(path).read_text(encoding="utf-8")


def _choose_algorithm(key: str, path: str | os.PathLike[str]) -> str:
    """Return the name of C2PA's algorithm for a kind of key (C2PA specification, 13.2).

    Args:
      key: the private key, PEM.
      path: the file that the key comes from, for messages.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError) as error:  # TypeError if the key has a password
        raise InputError(f"{path}: is not a private key in PEM without a password") from error
    match private:
        case ec.EllipticCurvePrivateKey(curve=ec.SECP256R1()):
            return "es256"
        case ec.EllipticCurvePrivateKey(curve=ec.SECP384R1()):
            return "es384"
        case ec.EllipticCurvePrivateKey(curve=ec.SECP521R1()):
            return "es512"
        case rsa.RSAPrivateKey():
            return "ps256"
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
    raise InputError(f"{path}: expected a key on the curve P-256, P-384 or P-521, RSA, or Ed25519")


def _check_dates(credentials: Credentials, path: str | os.PathLike[str]) -> None:
    from cryptography import x509

    try:
        first = x509.load_pem_x509_certificates(credentials.certificate.encode())[0]
    except ValueError as error:
        raise InputError(f"{path}: holds no certificate in PEM") from error
    begin, end = first.not_valid_before_utc, first.not_valid_after_utc
    if not begin <= datetime.datetime.now(datetime.UTC) <= end:
        raise InputError(
            f"{path}: is valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}; expected a certificate that"
            " is valid today"
        )


def sign_file(path: str | os.PathLike[str], suffix: str, marking: Marking) -> None:
    """Put a signed manifest into a file that is complete.

    Args:
      path: the file. If signing fails, it stays as it was.
      suffix: the suffix of the file's final name, which tells its format.
      marking: what the manifest states, and the credentials to sign it with.

    Raises:
      InputError: the file cannot be signed or written.
    """
    with (
        replacing(path) as unfinished,
        open(path, "rb") as file,
        unfinished.open("w+b") as signed,
    ):
        _sign(file, signed, _TYPES[suffix], marking)


def _sign(file: BinaryIO, signed: BinaryIO, kind: str, marking: Marking) -> None:
    import c2pa

    if marking.credentials is None:
        raise ValueError("expected credentials")
    info = c2pa.C2paSignerInfo(
        marking.credentials.algorithm,
        marking.credentials.certificate.encode(),
        marking.credentials.key.encode(),
        None,
    )
    relations = {
        "source": "parentOf" if marking.source_type is SourceType.EDITED else "inputTo",
        "driving": "inputTo",
    }
    paths = {name: path for name in relations if (path := getattr(marking, name)) is not None}
    try:
        with (
            c2pa.Signer.from_info(info) as signer,
            c2pa.Context.from_dict(_SETTINGS, signer) as context,
            c2pa.Builder.from_json(
                json.dumps(_definition(marking, list(paths))), context
            ) as builder,
        ):
            for name, path in paths.items():
                _add_ingredient(builder, name, path, relations[name])
            builder.sign(kind, file, signed)
    except c2pa.C2paError as error:
        raise InputError(f"C2PA: {' '.join(str(error).split())}") from error


def _definition(marking: Marking, ingredients: list[str]) -> dict[str, Any]:
    """Return the manifest as c2pa-python's builder takes it.

    It names the action that made the file, the software, and the ingredients.
    """

    def action(name: str, used: list[str], **fields: Any) -> dict[str, Any]:
        return {"action": name, "parameters": {"ingredientIds": used}, **fields}

    origin = {
        "digitalSourceType": marking.source_type.uri,
        "softwareAgent": {"name": marking.maker},
    }
    if marking.source_type is SourceType.EDITED and "source" in ingredients:
        others = [name for name in ingredients if name != "source"]
        actions = [action("c2pa.opened", ["source"]), action("c2pa.edited", others, **origin)]
    else:
        actions = [action("c2pa.created", ingredients, **origin)]
    return {
        "claim_generator_info": [{"name": SOFTWARE}],
        "assertions": [{"label": "c2pa.actions", "data": {"actions": actions}}],
    }


def _add_ingredient(builder: Any, name: str, path: str, relation: str) -> None:
    import c2pa

    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        # The hash identifies the file to whoever has it, and tells others nothing.
        ingredient = {
            "title": name,
            "description": f"SHA-256 of the file: {digest}",
            "relationship": relation,
            "instance_id": name,
        }
        kind = mimetypes.guess_type(path)[0] or _UNKNOWN_FORMAT
        file.seek(0)
        try:
            builder.add_ingredient(ingredient, kind, file)  # with its own manifest, if it has one
        except c2pa.C2paError:  # the file is damaged, which is allowed for driving videos
            builder.add_ingredient(ingredient, _UNKNOWN_FORMAT, io.BytesIO())


def read_manifest(path: str | os.PathLike[str]) -> Manifest | None:
    """Read and check the manifest of a file.

    Returns:
      The manifest; None if the file has none, or its format cannot hold one.
    """
    import c2pa

    try:
        with (
            c2pa.Context.from_dict(_SETTINGS) as context,
            open(path, "rb") as file,
            c2pa.Reader(None, file, context=context) as reader,
        ):
            store = json.loads(reader.json())
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):
        return None
    except c2pa.C2paError as error:
        return Manifest(problems=(" ".join(str(error).split()),))
    newest: Mapping[str, Any] = store["manifests"].get(store.get("active_manifest"), {})
    signature = newest.get("signature_info", {})
    names = [signature[part] for part in ("common_name", "issuer") if signature.get(part)]
    uris = [
        action.get("digitalSourceType", "")
        for assertion in newest.get("assertions", [])
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
    ]
    return Manifest(
        signer=", ".join(dict.fromkeys(names)) or None,
        source_types=tuple(term for uri in uris if (term := find_source_type(uri))),
        ingredients=tuple(
            ", ".join(filter(None, (each.get("title"), each.get("description"))))
            for each in newest.get("ingredients", [])
        ),
        problems=tuple(status["code"] for status in store.get("validation_status", [])),
    )
