"""The listener's own certificate is checked when it is read, and renewed when its files are."""

import os
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from pki.authority import Issued
from runtime.errors import ConfigurationError
from runtime.listener_tls import LiveTls, TlsFiles, context_from_material, material_from_files
from tests.extauth.world import mesh
from tests.runtime.said import messages


def server() -> Issued:
    return mesh().issue(dns=["localhost"], ip=["127.0.0.1"], server=True)


def write(folder: Path, issued: Issued) -> TlsFiles:
    files = {"c.pem": issued.chain_pem, "k.pem": issued.key_pem, "ca.pem": mesh().pem}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return TlsFiles(*(str(folder / name) for name in files))


def test_files_that_belong_together_are_read(tmp_path: Path) -> None:
    issued = server()
    material = material_from_files(write(tmp_path, issued))
    assert (material.certificate, material.key) == (issued.chain_pem, issued.key_pem)


def test_the_context_asks_for_client_certificates_if_there_is_a_client_ca(tmp_path: Path) -> None:
    files = write(tmp_path, server())
    assert context_from_material(material_from_files(files), files).verify_mode is ssl.CERT_REQUIRED
    open_to_all = TlsFiles(files.certificate, files.key)
    assert context_from_material(material_from_files(open_to_all), open_to_all).verify_mode is ssl.CERT_NONE


def test_the_context_speaks_nothing_below_tls_1_2(tmp_path: Path) -> None:
    files = write(tmp_path, server())
    assert context_from_material(material_from_files(files), files).minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("name", ["c.pem", "k.pem", "ca.pem"])
@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_broken_file_is_refused_in_one_line_that_names_it(tmp_path: Path, name: str, content: bytes) -> None:
    files = write(tmp_path, server())
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        material_from_files(files)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    files = write(tmp_path, server())
    Path(files.key).unlink()
    with pytest.raises(ConfigurationError, match=r"--tls-key .*k\.pem: No such file"):
        material_from_files(files)


def test_an_encrypted_key_is_refused_without_asking(tmp_path: Path) -> None:
    issued = server()
    files = write(tmp_path, issued)
    encrypted = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    Path(files.key).write_bytes(encrypted)
    with pytest.raises(ConfigurationError, match="the key is encrypted"):
        material_from_files(files)


NOT_FOR_SERVERS = "the listener's certificate is not for servers, clients will refuse it"


def test_a_certificate_for_clients_only_is_warned_of_at_the_start_and_when_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clients = mesh().issue(dns=["localhost"])
    live = LiveTls(write(tmp_path, clients))
    assert messages(caplog) == [NOT_FOR_SERVERS]
    caplog.clear()
    write(tmp_path, server())
    live.look()
    assert messages(caplog) == []
    write(tmp_path, mesh().issue(dns=["localhost"]))
    live.look()
    assert messages(caplog) == [NOT_FOR_SERVERS]


@pytest.mark.parametrize("usages", [{"server": True}, {"server": True, "client": False}, {"client": False}])
def test_a_certificate_that_may_serve_is_not_warned_of(
    usages: dict[str, bool], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    LiveTls(write(tmp_path, mesh().issue(dns=["localhost"], **usages)))  # type: ignore[arg-type]  # only flags
    assert messages(caplog) == []


def test_unchanged_files_are_not_renewed(tmp_path: Path) -> None:
    assert LiveTls(write(tmp_path, server())).renewed() is None


def test_changed_files_are_renewed_once(tmp_path: Path) -> None:
    live = LiveTls(write(tmp_path, server()))
    second = server()
    write(tmp_path, second)
    renewed = live.renewed()
    assert renewed is not None
    assert renewed.certificate == second.chain_pem
    assert live.material is renewed
    assert live.renewed() is None


def test_half_a_change_keeps_the_last_good_and_is_looked_at_again(tmp_path: Path) -> None:
    first, second = server(), server()
    live = LiveTls(write(tmp_path, first))
    (tmp_path / "c.pem").write_bytes(second.chain_pem)
    assert live.renewed() is None
    assert live.material.certificate == first.chain_pem
    (tmp_path / "k.pem").write_bytes(second.key_pem)
    assert live.renewed() is not None
    assert live.material.certificate == second.chain_pem


def test_files_that_are_gone_keep_the_last_good(tmp_path: Path) -> None:
    first = server()
    live = LiveTls(write(tmp_path, first))
    (tmp_path / "c.pem").unlink()
    assert live.renewed() is None
    assert live.material.certificate == first.chain_pem


def test_a_file_that_was_only_touched_is_not_renewed(tmp_path: Path) -> None:
    live = LiveTls(write(tmp_path, server()))
    os.utime(tmp_path / "c.pem", ns=(1, 1))
    assert live.renewed() is None
