"""The certificate of our own listeners, read again when its files change; a bad change keeps the last good one.

With a client CA the listener lets nobody in whose certificate that CA did not issue: this is about who may *ask*, which
is Envoy. It has nothing to do with the certificates that are judged, which are verified against the policy's trust.
"""

import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from runtime.complaint import Complaint
from runtime.errors import ConfigurationError
from runtime.files import read_regular_file
from runtime.limits import MAX_TLS_FILE_BYTES
from runtime.service_log import service_logger

_LOGGER = service_logger("tls")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files: certificate chain, leaf first; unencrypted key; CAs of callers (None: not from a file).

    `flag_prefix`: what stands before `cert`, `key` and `client-ca` in the flags that name them, for messages.
    """

    certificate: str
    key: str
    client_ca: str | None = None
    flag_prefix: str = "--tls-"


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """The content of these files: PEM bytes that belong together."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


def material_from_files(files: TlsFiles) -> TlsMaterial:
    """Read and check the files. Raises ConfigurationError that names the file."""
    prefix = files.flag_prefix
    material = TlsMaterial(
        _content(files.certificate, f"{prefix}cert"),
        _content(files.key, f"{prefix}key"),
        None if files.client_ca is None else _content(files.client_ca, f"{prefix}client-ca"),
    )
    context_from_material(material, files)
    return material


def context_from_material(material: TlsMaterial, files: TlsFiles) -> ssl.SSLContext:
    """A server context for TLS 1.2 and later. Raises ConfigurationError if the parts do not fit together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_served_chain(context, material, files)
    if material.client_ca is not None:
        try:
            context.load_verify_locations(cadata=material.client_ca.decode("ascii", "replace"))
        except (ssl.SSLError, ValueError) as error:
            raise ConfigurationError(f"{files.flag_prefix}client-ca {files.client_ca}: {_words(error)}") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def load_served_chain(context: ssl.SSLContext, material: TlsMaterial, files: TlsFiles) -> None:
    """Let `context` show the certificate of `material`. Raises ConfigurationError that names the files."""
    # OpenSSL reads a chain from files only; the bytes that were checked are the bytes that are used.
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder) / "chain", Path(folder) / "key"
        chain.write_bytes(material.certificate)
        key.touch(0o600)
        key.write_bytes(material.key)
        try:
            context.load_cert_chain(chain, key, password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            prefix = files.flag_prefix
            raise ConfigurationError(
                f"{prefix}cert {files.certificate}, {prefix}key {files.key}: {_words(error)}"
            ) from None


class LiveTls:
    """The material in force, for one listener. Asked at each handshake or once in a while, from any thread."""

    def __init__(self, files: TlsFiles, read: Callable[[TlsFiles], TlsMaterial] = material_from_files) -> None:
        """Raises ConfigurationError if there is nothing good to start with."""
        self.files = files
        self._read = read
        self._complaint = Complaint()
        self._seen = self._signature()
        self.material = read(files)
        self._look_at_the_use()
        self._handed_out = self.material

    def renewed(self) -> TlsMaterial | None:
        """The new material if the files changed since this was asked last, and are good, else None."""
        self.look()
        material = self.material
        if material is self._handed_out:
            return None
        self._handed_out = material
        return material

    def look(self) -> None:
        """Bring `material` up to date with the files: what the next handshake will show."""
        seen = self._signature()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            material = self._read(self.files)
        except ConfigurationError as error:
            if self._complaint.due():
                _LOGGER.error(  # noqa: TRY400 - the message says it all
                    "the new TLS files are bad, the last good ones stay", extra={"facts": {"error": str(error)}}
                )
            return
        if material != self.material:
            self.material = material
            _LOGGER.info("the listener has a new certificate", extra={"facts": {"file": self.files.certificate}})
            self._look_at_the_use()

    def _look_at_the_use(self) -> None:
        """Clients refuse a server whose certificate is for clients only; OpenSSL takes it here without a word."""
        if not _may_serve(self.material.certificate):
            _LOGGER.warning(
                "the listener's certificate is not for servers, clients will refuse it",
                extra={"facts": {"file": self.files.certificate, "fix": "issue it with extendedKeyUsage serverAuth"}},
            )

    def _signature(self) -> tuple[object, ...]:
        paths = (self.files.certificate, self.files.key, self.files.client_ca)
        return tuple(_signature_of(path) for path in paths if path is not None)


def _signature_of(path: str) -> tuple[int, ...] | None:
    """What changes when a file does; None if it is not there just now."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _may_serve(chain: bytes) -> bool:
    """By the extended key usage of the leaf; also if that cannot be read, which is for others to tell."""
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return True
    return any(item in usage for item in (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE))


def _content(path: str, flag: str) -> bytes:
    try:
        return read_regular_file(path, MAX_TLS_FILE_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{flag} {path}: {error.strerror or error}") from None


def _no_password() -> str:
    raise ValueError("the key is encrypted; peergate takes an unencrypted one")


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate"
    if isinstance(error, ssl.SSLError):
        return f"not PEM of the right kind ({error.reason or error})"
    return str(error)
