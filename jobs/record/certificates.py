"""X.509 certificates of the key that signs records, for what asks for certificates: content credentials (C2PA).

The key is its own authority: there is a certificate that verifiers are to trust, and under it one that signs. The same
key gives the same two, on whatever machine: nothing of a clock or of chance is in them.
"""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from securesystemslib.signer import CryptoSigner

AUTHORITY, SIGNER = "Lethe records", "Lethe images"
BEGINS, ENDS = datetime(2025, 1, 1), datetime(2049, 12, 31)
"""UTC. The key itself has no end; whoever no longer trusts it takes the authority out of what they trust."""


def authority_pem(signer: CryptoSigner) -> bytes:
    """Make the certificate that verifiers are to trust, as PEM."""
    key = _private(signer)
    builder = _named(AUTHORITY, key, 1).add_extension(x509.BasicConstraints(True, None), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    return builder.sign(key, None).public_bytes(Encoding.PEM)


def chain_pem(signer: CryptoSigner) -> bytes:
    """Make the certificate that signs, with the authority's after it, as PEM."""
    key = _private(signer)
    builder = _named(SIGNER, key, 2).add_extension(x509.BasicConstraints(False, None), critical=True)
    builder = builder.add_extension(_usage(authority=False), critical=True)
    # What C2PA takes of the usages that there are; document signing has none that all libraries know.
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    signs = builder.add_extension(issuer, critical=False).sign(key, None)
    return signs.public_bytes(Encoding.PEM) + authority_pem(signer)


def _named(name: str, key: Ed25519PrivateKey, number: int) -> x509.CertificateBuilder:
    def written(common: str) -> x509.Name:
        of = ((NameOID.ORGANIZATION_NAME, "Lethe"), (NameOID.COMMON_NAME, common))
        return x509.Name([x509.NameAttribute(kind, value) for kind, value in of])

    builder = x509.CertificateBuilder(written(AUTHORITY), written(name), key.public_key(), number, BEGINS, ENDS)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private(signer: CryptoSigner) -> Ed25519PrivateKey:
    key = load_pem_private_key(signer.private_bytes, None)
    assert isinstance(key, Ed25519PrivateKey)  # ``load_signer`` takes no other
    return key
