"""What a connection tells is remembered in the object that tells it, and never outlives it."""

from typing import Any

import pytest

from gateway.connection import CONNECTION, TLS, Told
from gateway.middleware.presented import Scope
from gateway.middleware.told import ConnectionReader
from pki.authority import Issued
from policies.engine.request import UNREPORTED
from policies.peer.presented import MalformedCertificate, PresentedCertificate
from policies.peer.reader import PresentedReader
from tests.extauth.world import billing, tenant
from tests.gateway.middleware.scopes import pems

SOURCE = ("192.0.2.7", 4242)


def tls(issued: Issued, **more: object) -> dict[str, object]:
    return {"client_cert_chain": pems(issued), "client_cert_error": None, "client_cert_name": None, **more}


def scope(told: object, shown: object) -> Scope:
    return {"type": "http", "scheme": "https", "client": SOURCE, "extensions": {CONNECTION: told, TLS: shown}}


def der(reader: ConnectionReader, asked: Scope) -> bytes:
    peer = reader.facts_from_scope(asked, asked["extensions"]).peer
    return peer.leaf.der if isinstance(peer, PresentedCertificate) else b""


def test_what_our_server_tells_is_read_once_for_each_connection() -> None:
    reader, asked = ConnectionReader(PresentedReader()), scope(Told(sni="a", source=SOURCE), Told(tls(billing())))
    first = reader.facts_from_scope(asked, asked["extensions"])
    assert reader.facts_from_scope({**asked}, {**asked["extensions"]}) is first
    assert (str(first.source_ip), first.sni) == ("192.0.2.7", "a")


def test_another_certificate_beside_the_same_facts_is_another_caller() -> None:
    reader, told = ConnectionReader(PresentedReader()), Told(sni=None, source=SOURCE)
    for issued in (billing(), tenant("acme"), billing()):
        assert der(reader, scope(told, Told(tls(issued)))) == issued.der


@pytest.mark.parametrize("kind", [dict, Told])
def test_what_others_tell_may_change_at_any_time(kind: Any) -> None:
    reader, shown = ConnectionReader(PresentedReader()), tls(billing())
    told: dict[str, object] = {"sni": "a", "source": SOURCE}
    assert der(reader, scope(kind(told), shown)) == billing().der
    shown["client_cert_chain"] = pems(tenant("acme"))
    assert der(reader, scope(kind(told), shown)) == tenant("acme").der
    shown["client_cert_error"] = "expired"
    facts = reader.facts_from_scope(asked := scope(kind(told), shown), asked["extensions"])
    assert isinstance(facts.peer, MalformedCertificate)
    told["source"], told["sni"] = ("10.0.0.1", 1), 7
    facts = reader.facts_from_scope(asked := scope(kind(told), shown), asked["extensions"])
    assert (str(facts.source_ip), facts.sni) == ("10.0.0.1", UNREPORTED)


def test_each_reader_reads_for_itself() -> None:
    asked = scope(Told(sni="a", source=SOURCE), Told(tls(billing())))
    first, second = ConnectionReader(PresentedReader()), ConnectionReader(PresentedReader())
    assert first.facts_from_scope(asked, asked["extensions"]) is not second.facts_from_scope(asked, asked["extensions"])


def test_a_connection_is_never_taken_for_one_that_is_gone() -> None:
    reader = ConnectionReader(PresentedReader())
    for issued in (billing(), tenant("acme")) * 20:
        asked = scope(Told(sni=None, source=SOURCE), Told(tls(issued)))
        assert der(reader, asked) == issued.der
        del asked


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.__setitem__("source", None),
        lambda told: told.__delitem__("source"),
        lambda told: told.update(source=None),
        lambda told: told.__ior__({"source": None}),
        lambda told: told.pop("source"),
        lambda told: told.popitem(),
        lambda told: told.setdefault("sni", None),
        lambda told: told.clear(),
    ],
)
def test_what_our_server_tells_cannot_be_changed(change: Any) -> None:
    told = Told(source=SOURCE)
    with pytest.raises(TypeError, match="cannot be changed"):
        change(told)
    assert told == {"source": SOURCE}
