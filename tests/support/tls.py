"""A private authority, certificates by it, and a server that speaks TLS before one that does not."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificates(folder: Path, name: str | None = None) -> tuple[Path, Path]:
    """Write an authority's certificate and a server's for 127.0.0.1, or for a host of this ``name``, with its key in
    the same file."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority of {folder.name}")])
    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.datetime.now(datetime.UTC)

    def made(subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(authority_key, hashes.SHA256())
        )

    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    ca, both = folder / "ca.pem", folder / "server.pem"
    ca.write_bytes(made(authority, authority_key, x509.BasicConstraints(ca=True, path_length=None)).public_bytes(pem))
    own = x509.IPAddress(ip_address("127.0.0.1")) if name is None else x509.DNSName(name)
    names = x509.SubjectAlternativeName([own])
    both.write_bytes(
        made(server, server_key, names).public_bytes(pem)
        + server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    )
    return ca, both


@contextmanager
def behind_tls(unix_socket: str, certificate: Path) -> Iterator[int]:
    """Speak TLS with ``certificate`` on a port of 127.0.0.1, before a server at ``unix_socket``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def serve(client: socket.socket) -> None:
        with (
            suppress(OSError),
            context.wrap_socket(client, server_side=True) as spoken,
            socket.socket(socket.AF_UNIX) as behind,
        ):
            behind.connect(unix_socket)
            back = threading.Thread(target=copy, args=(behind, spoken), daemon=True)
            back.start()
            copy(spoken, behind)
            back.join(5)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
