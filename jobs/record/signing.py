"""Keys, and the signed envelope around a statement: DSSE with one Ed25519 signature, by securesystemslib.

An envelope has one spelling only: what :func:`encode` gives for it. Everything else that decodes to the same envelope
(white space, other base64 padding bits, another order) is refused by ``verify``, so that no byte of a record is loose.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey

from jobs.record.statement import Statement

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class KeyRefused(ValueError):
    """A key file that cannot be used; the message names the file and says what would be right."""


def generate_key(path: Path) -> SSlibKey:
    """Make a key pair: the private key in ``path``, for its owner only, the public one in ``path`` + ``.pub``.

    Raises:
        KeyRefused: if one of the files is there: a key that is overwritten can never sign again.
    """
    public_path = public_path_of(path)
    for each in (path, public_path):
        if each.exists() or each.is_symlink():
            raise KeyRefused(f"{each} is there already, and a key is never overwritten: choose another name")
    signer = CryptoSigner.generate_ed25519()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(signer.private_bytes)
    public_path.write_bytes(public_pem(signer))
    return signer.public_key


def public_path_of(path: Path) -> Path:
    """Return where :func:`generate_key` puts the public key that belongs to the private key in ``path``."""
    return path.with_name(f"{path.name}.pub")


def public_pem(signer: CryptoSigner) -> bytes:
    """Return the public key of ``signer`` as PEM (SubjectPublicKeyInfo), as openssl reads it."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer.public_key.keyval["public"]))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def load_signer(path: Path) -> CryptoSigner:
    """Load the private key in ``path``: PEM, PKCS #8, Ed25519, without a password.

    Raises:
        KeyRefused: if it cannot be read or is anything else.
    """
    right = "an Ed25519 private key in PEM without a password, as `lethe record keygen` makes"
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError) as error:  # TypeError: it has a password
        raise KeyRefused(f"{path}: not {right}: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefused(f"{path}: a key of another kind; it must be {right}")
    return CryptoSigner(key)


def load_public_key(path: Path) -> SSlibKey:
    """Load the public key in ``path``: PEM, SubjectPublicKeyInfo, Ed25519.

    Raises:
        KeyRefused: if it cannot be read or is anything else.
    """
    right = "an Ed25519 public key in PEM, as `lethe record keygen` writes beside the private one"
    try:
        key = load_pem_public_key(_read(path))
    except ValueError as error:
        raise KeyRefused(f"{path}: not {right}: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyRefused(f"{path}: a key of another kind; it must be {right}")
    return SSlibKey.from_crypto(key)


def sign(statement: Statement, signer: CryptoSigner | None) -> str:
    """Sign ``statement``, as the text of a record. Without a signer it has no signature: whoever checks it is told
    so."""
    text = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    envelope = Envelope(text.encode(), PAYLOAD_TYPE, {})
    if signer is not None:
        envelope.sign(signer)
    return encode(envelope)


def encode(envelope: Envelope) -> str:
    """Write the one spelling of an envelope: sorted JSON without spaces, standard base64 with padding, and a line's
    end."""
    return json.dumps(envelope.to_dict(), sort_keys=True, separators=(",", ":")) + "\n"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyRefused(f"{path}: cannot be read: {error.strerror}") from None
