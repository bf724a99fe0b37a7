"""XFCC: a header that says who the TLS peer was, and may be written by whom it is about."""

from fuzz.target import Target, require
from fuzz.world import percent_pem, xfcc
from policies.peer.errors import XfccError
from policies.peer.pem import der_from_pem
from policies.peer.presented import MalformedCertificate, NamedCaller, PresentedCertificate
from policies.peer.reader import PresentedReader
from policies.peer.xfcc import parse_xfcc


def _check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    read = PresentedReader().from_xfcc(text)
    try:
        element = parse_xfcc(text)
    except XfccError:
        require(isinstance(read, MalformedCertificate), "no certificate comes out of a header that cannot be read")
        return
    if isinstance(read, PresentedCertificate):
        (leaf,) = der_from_pem(element.cert, limit=1)
        require(read.leaf.der == leaf, "the certificate is the Cert of the last element")
    named = PresentedReader(verified_for="mesh").from_xfcc(text)
    require(not (isinstance(named, NamedCaller) and element.cert), "names count only where no certificate is shown")
    if isinstance(named, NamedCaller):
        facts = named.facts
        told = (facts.uri or (), facts.dns or (), facts.cert_sha256)
        require(
            told == (element.uri, element.dns, bytes.fromhex(element.hash) or None), "names are those of the header"
        )
        unknown = (facts.email, facts.ip, facts.issuer, facts.serial, facts.spki_sha256, facts.twin_sha256)
        require(set(unknown) == {None}, "what no header tells is unknown")


TARGET = Target(
    "xfcc",
    "parse_xfcc and the readers are total, agree on what is malformed, and make up no name",
    (
        xfcc().encode(),
        f'By=spiffe://a/b;Hash={"0" * 64};Subject="CN=a,O=\\"b\\"";URI=spiffe://a/c;DNS=a.b;DNS=c.d'.encode(),
        f"URI=spiffe://a/proxy,{xfcc()}".encode(),
        f'[{{"uri":["spiffe://a/c"],"dns":["a.b;URI=c"],"hash":"{"0" * 64}","subject":"CN=a"}}]'.encode(),
        f'[{{"Cert":"{percent_pem("billing")}","URI":["spiffe://a/b"],"Hash":"{"0" * 64}"}}]'.encode(),
    ),
    _check,
    (b",", b";", b"=", b'"', b'\\"', b"URI=", b"Cert=", b'Subject="', b"Hash=", b"%0A", b"[{", b"}]", b'":"', b"%2"),
)
