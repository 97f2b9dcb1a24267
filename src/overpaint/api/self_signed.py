"""A certificate for development, made when asked for: clients that insist on https can then be pointed at this server.

Give the certificate file to clients as their trusted root (``SSL_CERT_FILE``). Not for the public.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)
RENEWED_BEFORE = timedelta(days=30)
NAMES = ("localhost", "127.0.0.1", "::1")


def self_signed(folder: Path, hosts: tuple[str, ...] = ()) -> tuple[Path, Path]:
    """Paths of a certificate and its key for `hosts` and this machine's own names; made anew before they end."""
    certificate, key = folder / "self-signed.crt", folder / "self-signed.key"
    names = tuple(dict.fromkeys((*NAMES, *hosts)))
    if not (key.exists() and _is_good(certificate, names)):
        folder.mkdir(parents=True, exist_ok=True)
        private = ec.generate_private_key(ec.SECP256R1())
        key.touch(mode=0o600)
        key.write_bytes(_pem_of(private))
        certificate.write_bytes(_certificate(private, names).public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _is_good(path: Path, names: tuple[str, ...]) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    covered = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    is_fresh = found.not_valid_after_utc - RENEWED_BEFORE > datetime.now(UTC)
    return is_fresh and all(_general_name(name) in covered for name in names)


def _certificate(private: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Overpaint, self-signed")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem_of(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
