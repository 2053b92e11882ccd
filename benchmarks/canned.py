"""Serves recorded replies over real sockets and TLS, from a separate process.

So the CPU time of this process includes the client's HTTP and TLS, but not the server's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.replaying import Reply

CA_BUNDLE: Final = "AWS_CA_BUNDLE"
"""Environment variable with the certificate that the clients of this process trust."""

_ADDRESS: Final = "127.0.0.1"
_ROOT: Final = Path(__file__).parents[1]


@contextmanager
def canned(*ports: Sequence[Reply]) -> Iterator[list[str]]:
    """Start a server; yield an endpoint for each sequence of replies, which it repeats.

    Clients that are created within the context trust the server, because `CA_BUNDLE` is set.
    """
    with TemporaryDirectory() as folder, ExitStack() as closing:
        certificate, key = certify(Path(folder))
        plan = {
            "certificate": str(certificate),
            "key": str(key),
            "ports": [[as_sent(reply) for reply in replies] for replies in ports],
        }
        closing.enter_context(_trusting(certificate))
        numbers = json.loads(_ask(closing.enter_context(_server()), json.dumps(plan)))
        yield [f"https://{_ADDRESS}:{number}" for number in numbers]


def _server() -> subprocess.Popen[str]:
    # It ends when its standard input is closed, at the end of the context.
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.programs.canned_server"],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(server: subprocess.Popen[str], line: str) -> str:
    """Send a line to the server, and return the first line of its output."""
    if server.stdin is None or server.stdout is None:
        raise RuntimeError("The server has no pipes.")
    server.stdin.write(f"{line}\n")
    server.stdin.flush()
    return server.stdout.readline()


@contextmanager
def _trusting(certificate: Path) -> Iterator[None]:
    before = os.environ.get(CA_BUNDLE)
    os.environ[CA_BUNDLE] = str(certificate)
    try:
        yield
    finally:
        if before is None:
            del os.environ[CA_BUNDLE]
        else:
            os.environ[CA_BUNDLE] = before


def as_sent(reply: Reply) -> dict[str, Any]:
    """Return a reply with all headers of DynamoDB, because engines leave some out."""
    headers = {
        "Server": "Server",
        "Date": f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT",
        "Content-Type": "application/x-amz-json-1.0",
        "Content-Length": str(len(reply.body)),
        "Connection": "keep-alive",
        "x-amzn-RequestId": "B2I1RLS5V4RGTB0QSVM0Q4UTA7VV4KQNSO5AEMVJF66Q9ASUAAJG",
        "x-amz-crc32": str(crc32(reply.body)),
    }
    return {
        "status": reply.status,
        "headers": headers,
        "body": b64encode(reply.body).decode(),
    }


def certify(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key; return the paths of both."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _ADDRESS)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(_ADDRESS))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
